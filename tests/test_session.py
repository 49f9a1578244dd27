"""Profiles, setup and expect."""

import math
import random
import warnings

import keras
import numpy as np
import pytest

import course_utils
from course_utils import expect, profiles, setup


@pytest.fixture(autouse=True)
def no_course_variables(monkeypatch):
    for name in ("CI", "COURSE_STRICT", "COURSE_PROFILE", "COURSE_SEEDS"):
        monkeypatch.delenv(name, raising=False)


def test_setup_prints_one_line_and_seeds_everything(capsys):
    def draw():
        return random.random(), np.random.rand(), float(keras.random.normal(()))  # noqa: NPY002

    profile = setup(seed=3)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    for word in (keras.__version__, keras.backend.backend(), profile.name, "seed 3"):
        assert word in line
    first = draw()
    setup(seed=3)
    assert draw() == first
    setup(seed=4)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_the_profile_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "smoke")
    profile = setup()
    assert profile.name == "smoke"
    assert profile["02"].seeds == profiles.SIZES["02"]["seeds"][0]


def test_without_an_accelerator_the_profile_is_cpu(monkeypatch):
    monkeypatch.setattr(profiles, "_accelerators", list)
    assert profiles.current().name == "cpu"
    monkeypatch.setattr(profiles, "_accelerators", lambda: ["gpu:0"])
    assert profiles.current().name == "gpu"


def test_a_wrong_profile_name_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    with pytest.raises(ValueError, match=r"COURSE_PROFILE=fast.*smoke, cpu, gpu") as error:
        setup()
    assert "\n" not in str(error.value)


def test_seeds_can_be_cut_and_nothing_else_changes(monkeypatch):
    monkeypatch.setattr(profiles, "_accelerators", list)
    whole = vars(profiles.current()["04"])
    monkeypatch.setenv("COURSE_SEEDS", "2")
    cut = vars(profiles.current()["04"])
    assert {key for key in whole if whole[key] != cut[key]} == {"seeds", "label_seeds", "control_seeds"}
    assert cut["label_seeds"] == 2


@pytest.mark.parametrize("text", ["0", "-1", "three", "1.5"])
def test_a_wrong_number_of_seeds_is_refused_in_one_sentence(text, monkeypatch):
    monkeypatch.setenv("COURSE_SEEDS", text)
    with pytest.raises(ValueError, match=f"COURSE_SEEDS={text}: .*from 1 on"):
        profiles.current()["04"]


def test_a_lecture_without_sizes_is_refused():
    with pytest.raises(KeyError, match=r"no sizes for lecture '99'.*00"):
        profiles.current()["99"]


def test_every_row_of_the_table_has_one_size_a_profile():
    for lecture, rows in profiles.SIZES.items():
        for name, row in rows.items():
            assert len(row) == len(profiles.NAMES), f"{lecture}, {name}"


def test_a_student_still_sees_summaries(capsys):
    setup()
    keras.Sequential([keras.Input((1,)), keras.layers.Dense(3)]).summary()
    assert "Total params" in capsys.readouterr().out


def test_expect_prints_value_and_bar(capsys):
    expect("angle (degrees)", 0.25, at_most=5)
    assert capsys.readouterr().out == "✓ angle (degrees): 0.25 (bar: at most 5)\n"
    expect("ratio", 1.0, at_least=0.99, at_most=1.01)
    assert "at least 0.99 and at most 1.01" in capsys.readouterr().out


@pytest.mark.parametrize("value", [0.4, math.nan])
def test_expect_warns_where_nobody_judges(value, capsys):
    with pytest.warns(UserWarning, match="mean IoU"):
        expect("mean IoU", value, at_least=0.5)
    assert capsys.readouterr().out.startswith("✗ mean IoU")


@pytest.mark.parametrize("variable", ["CI", "COURSE_STRICT"])
@pytest.mark.parametrize("value", [0.4, 0.9, math.nan])
def test_expect_raises_in_ci(variable, value, monkeypatch):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(AssertionError, match="mean IoU"):
        expect("mean IoU", value, at_least=0.5, at_most=0.8)


def test_in_the_smoke_profile_ci_does_not_judge(monkeypatch):
    monkeypatch.setenv("CI", "1")
    monkeypatch.setenv("COURSE_PROFILE", "smoke")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expect("mean IoU", 0.1, at_least=0.5)
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(AssertionError):
        expect("mean IoU", 0.1, at_least=0.5)


def test_expect_without_a_bar_is_refused():
    with pytest.raises(ValueError, match="needs a bar"):
        expect("mean IoU", 0.9)


def test_modules_come_on_first_use():
    assert course_utils.data.names()
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = course_utils.nothing_here
