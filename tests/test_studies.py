"""The tables of long trainings that lectures and README show: do their commands still make them?"""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "data" / "studies"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / "studies" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(name):
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} has not been made; `make studies` makes it")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["toyvoc", "voc2012"])
def test_the_six_trainings_are_those_of_the_script(name):
    study, kept = script("unet_six_trainings"), table(f"six_trainings_{name}")
    assert kept["settings"] == study.SETTINGS
    for key, row in study.SIX.items():
        assert tuple(kept["rows"][key][column] for column in study.SIX_COLUMNS) == row
    further = set(kept["rows"]) - set(study.SIX)
    assert further == (set() if name == "toyvoc" else set(study.HELPS))
    for row in kept["rows"].values():
        assert len(row["dice"]) == len(row["iou"]) == len(study.SETTINGS["seeds"])
        for dice, iou in zip(row["dice"], row["iou"], strict=True):
            assert iou == pytest.approx(dice / (2 - dice), abs=2e-4)


def test_the_networks_of_m2nist_are_those_of_the_script():
    study, kept = script("m2nist"), table("m2nist")
    assert set(kept) == set(study.ROWS)
    for name, row in kept.items():
        assert (row["network"], row["loss"]) == study.ROWS[name]
        assert row["settings"] == study.SETTINGS
        assert row["parameters"] == study.NETWORKS[row["network"]]().count_params()
        assert row["mean_f1"] == pytest.approx(sum(row["f1"]) / 10, abs=1e-4)


def test_the_readme_shows_the_scores_on_m2nist():
    for row in table("m2nist").values():
        assert f"| {row['network']}, {row['loss']} | {row['mean_f1']:.3f} |" in README


def test_the_readme_shows_the_six_trainings_on_photographs():
    for key, row in table("six_trainings_voc2012")["rows"].items():
        dice, iou = (sum(row[score]) / len(row[score]) for score in ("dice", "iou"))
        assert f"| {key} | {dice:.2f} | {iou:.2f} |" in README
