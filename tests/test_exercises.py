"""The exercise machine: three outcomes, sentences that help, nothing that raises."""

import re
import sys

import keras
import numpy as np
import pytest

from course_utils import exercises
from course_utils.exercises import Case, question


@question("Think of pairs.", "Multiply by two.", done="Right. Two cases.")
def double(answer):
    yield Case("x = 1", lambda: answer(1), 2)
    yield Case("x = [1, 2]", lambda: answer(np.array([1, 2])), [2, 4], "Every entry is doubled.")
    yield Case("x = 0", lambda: answer(0), "anything even", right=lambda r: r % 2 == 0)


@question("It is a word.")
def word(answer):
    yield Case("the word", lambda: answer, "void")


def blank(x):
    ...  # fmt: skip


def documented(x):
    """Twice x."""
    ...


def begun(x):
    y = 2 * x
    ...
    return y


def open_return(x):
    return ...


class BlankLayer:
    def __init__(self, size):
        self.size = size

    def call(self, x):
        ...


def finished(x):
    class Nothing(Exception): ...  # fmt: skip

    if x is not None:
        return 2 * x
    return Nothing


class Stubborn:
    def __call__(self, x):
        raise SystemError("no")


BLANKS = [..., None, "", " ", (..., ...), [None], blank, documented, begun, open_return, BlankLayer]


@pytest.mark.parametrize("answer", BLANKS)
def test_a_blank_answer_is_not_attempted(answer, capsys):
    assert double.check(answer).status == "not attempted"
    assert capsys.readouterr().out == "… Not attempted yet.\n"


def test_of_an_answer_in_parts_the_open_ones_are_named(capsys):
    assert double.check((1, ..., "two", "")).status == "not attempted"
    assert capsys.readouterr().out == "… Not attempted yet. Still open: part 2 and 4 of 4.\n"


RIGHT = [
    finished,
    lambda x: 2 * x,
    lambda x: (np.asarray(x, "float32") * 2).tolist(),
    lambda x: keras.ops.convert_to_tensor(2 * np.asarray(x)),
    lambda x: keras.Variable(2 * np.asarray(x, "float32")).value,  # on torch, with a gradient
]


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_is_right_whatever_its_type(answer, capsys):
    assert double.check(answer).status == "right"
    assert capsys.readouterr().out == "✓ Right. Two cases.\n"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: 3 * x, "For x = 1, expected 2, got 3."),
        (lambda x: 2, "For x = [1, 2], expected shape (2,), got shape (). Every entry is doubled."),
        (
            lambda x: 2 + 0 * x,
            "For x = [1, 2], expected [2.0, 4.0], got [2.0, 2.0]. Every entry is doubled.",
        ),
        (lambda x: np.nan * x, "For x = 1, expected 2, got nan."),
        (lambda x: "two", "For x = 1, expected 2, got 'two', which is no number."),
        (lambda x: {}, "For x = 1, expected 2, got {}, which is no number."),
        (lambda x: None if np.ndim(x) else 2, "your code returned None. Is there a `return` at its end?"),
        (lambda x: 2 * x if np.any(x) else 1, "For x = 0, expected anything even, got 1."),
        (lambda x: 1 / 0, "For x = 1, your code stopped: ZeroDivisionError: division by zero."),
        (lambda: 2, "your code stopped: TypeError"),
        (7, "For x = 1, your code stopped: TypeError: 'int' object is not callable."),
        (Stubborn(), "SystemError: no."),
        (lambda x: sys.exit(3), "your code stopped: SystemExit: 3."),
        (lambda x: "2" if np.ndim(x) == 0 else x, "got '2', which is no number."),
        (lambda x: 2 * x + 5j, "which is no number."),
    ],
)
def test_a_wrong_answer_gets_the_first_case_that_fails(answer, message, capsys):
    assert double.check(answer).status == "wrong"
    out = capsys.readouterr().out
    assert out.startswith("✗ ") and message in out and out.count("\n") == 1


def test_of_large_arrays_the_worst_entry_is_named(capsys):
    @question("none")
    def ramp(answer):
        yield Case("10 rows", lambda: answer, np.arange(50.0).reshape(10, 5))

    wrong = np.arange(50.0).reshape(10, 5)
    wrong[3, 4] = 99
    assert ramp.check(wrong).status == "wrong"
    assert "expected 19 at [3, 4], where the difference is largest, got 99." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expected", "got", "message"),
    [
        (0.25, 0.5, "For it, expected another value, got 0.5. Look again."),
        (0.25, "a quarter", "For it, expected another value, got 'a quarter', which is no number."),
        ("cat", "dog", "For it, expected another value, got 'dog'."),
        ([1, 2, 3], [1, 5, 3], "expected another value at [1], where the difference is largest, got 5."),
    ],
)
def test_an_open_question_keeps_the_right_value_to_itself(expected, got, message, capsys):
    @question("none")
    def open_question(answer):
        yield Case("it", lambda: answer, expected, "Look again.", hidden=True)
        yield Case("it", lambda: answer, "a good one", right=lambda x: x != expected, hidden=True)

    assert open_question.check(got).status == "wrong"
    assert message in capsys.readouterr().out
    assert open_question.check(expected).status == "wrong"
    assert "good one" not in capsys.readouterr().out


def test_a_result_of_another_kind_than_a_predicate_expects_is_wrong(capsys):
    @question("none")
    def even(answer):
        yield Case("the number", lambda: answer, "an even number", right=lambda n: n % 2 == 0)

    assert even.check([1, 2]).status == "wrong"
    assert "expected an even number, got" in capsys.readouterr().out


def test_words_are_compared_as_words(capsys):
    assert word.check("void").status == "right"
    assert word.check("Void").status == "wrong"
    assert "expected 'void', got 'Void'" in capsys.readouterr().out


def test_an_answer_that_breaks_the_check_itself_is_explained(capsys):
    @question("none")
    def pair(answer):
        first, _second = answer
        yield Case("the first", lambda: first, 1)

    assert pair.check((1, 2, 3)).status == "wrong"
    assert "could not be checked: ValueError: too many values" in capsys.readouterr().out


def test_hints_come_one_by_one_and_begin_again(capsys):
    for _ in range(3):
        double.hint()
    assert capsys.readouterr().out.splitlines() == [
        "Hint 1 of 2: Think of pairs.", "Hint 2 of 2: Multiply by two.", "Hint 1 of 2: Think of pairs.",
    ]  # fmt: skip


def test_the_outcome_is_shown_once_in_a_notebook():
    assert exercises.Outcome("right", "Right.")._ipython_display_() is None


def test_an_unknown_sheet_is_refused():
    with pytest.raises(ValueError, match=r"no sheet '99_nothing'; there is 00_start_here, 01_"):
        exercises.sheet("99_nothing")


@pytest.mark.parametrize("name", exercises.names())
def test_a_sheet_numbers_its_questions_and_every_one_has_hints(name):
    sheet = exercises.sheet(name)
    assert [q.name for q in sheet] == [f"q{i}" for i in range(1, len(sheet) + 1)]
    assert sheet.q1 is next(iter(sheet))
    for q in sheet:
        assert 1 <= len(q.hints) <= 2
        assert q.check(...).status == "not attempted"


@pytest.mark.skipif(not exercises.SOLUTIONS.exists(), reason="the worked sheets have been withheld")
@pytest.mark.parametrize("name", exercises.names())
def test_every_question_shows_its_worked_answer(name, capsys):
    for q in exercises.sheet(name):
        q.solution()
        out = capsys.readouterr().out
        assert len(out) > 10 and "### " not in out and "report this" not in out


def test_where_solutions_were_withheld_it_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(exercises, "SOLUTIONS", tmp_path)
    exercises.sheet("02_pca_to_autoencoders").q1.solution()
    assert re.search("not part of this copy.*hints.*instructor", capsys.readouterr().out)


# Typical wrong answers to the questions of lecture 02, and a word of what the student should read.


def uncentred(pictures, k):
    _, s, Vt = np.linalg.svd(pictures, full_matrices=False)
    return pictures.mean(0), Vt[:k].T, np.sum(s[:k] ** 2) / np.sum(s**2)


def in_rows(pictures, k):
    return pictures.mean(0), np.linalg.svd(pictures - pictures.mean(0), full_matrices=False)[2][:k], 0.5


def columns_of_vt(pictures, k):
    return pictures.mean(0), np.linalg.svd(pictures - pictures.mean(0))[2][:, :k], 0.5


def two_things(pictures, k):
    return uncentred(pictures, k)[:2]


def unsquared(pictures, k):
    mean = pictures.mean(0)
    _, s, Vt = np.linalg.svd(pictures - mean, full_matrices=False)
    return mean, Vt[:k].T, s[:k].sum() / s.sum()


def smallest(pictures, k):
    mean = pictures.mean(0)
    return mean, np.linalg.svd(pictures - mean, full_matrices=False)[2][-k:].T, 0.5


def no_qr(A, B):
    return np.rad2deg(np.arccos(np.clip(np.linalg.svd(A.T @ B)[1].min(), -1, 1)))


def smallest_angle(A, B):
    cosines = np.linalg.svd(np.linalg.qr(A)[0].T @ np.linalg.qr(B)[0])[1]
    return np.rad2deg(np.arccos(np.clip(cosines.max(), -1, 1)))


def base_two(p, q):
    return np.sum(p[p > 0] * np.log2(p[p > 0] / q[p > 0]))


def linear(code):
    from course_utils import models

    return models.linear_autoencoder((8, 8, 1), code)


def around_the_code(code):
    import keras

    pictures = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(pictures)
    x = keras.layers.Dense(64)(keras.layers.Concatenate()([keras.layers.Dense(code)(x), x]))
    return keras.Model(pictures, keras.layers.Reshape((8, 8, 1))(x))


def too_large(code):
    from course_utils import models

    return models.linear_autoencoder((8, 8, 1), 1000)


def of_fixed_size(code):
    import keras

    pictures = keras.Input((8, 8, 1))
    x = keras.layers.Dense(128, "relu")(keras.layers.Flatten()(pictures))
    x = keras.layers.Dense(128, "relu")(keras.layers.Dense(code)(x))
    return keras.Model(pictures, keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(x)))


LONG = "word " * 40


@pytest.mark.parametrize(
    ("number", "answer", "message"),
    [
        (1, ([1, 1], 2.0), "length 1"),
        (1, ([1, 0], 2.0), "spread"),
        (1, (np.array([1, 1]) / np.sqrt(2), 1.0), "sum over both its pixels"),
        (1, 3, "could not be checked"),
        (2, uncentred, "moved 10 to the right"),
        (2, in_rows, "One column for each direction"),
        (2, smallest, "k largest"),
        (2, columns_of_vt, "not its first columns"),
        (2, two_things, "three things"),
        (2, unsquared, "square of a singular value"),
        (3, no_qr, "length 1"),
        (3, smallest_angle, "largest"),
        (3, lambda A, B: np.deg2rad(45), "itself"),
        (4, base_two, "natural"),
        (4, lambda p, q: np.sum(p * np.log(p / q)), "0 · log 0"),
        (4, lambda p, q: np.sum(q * np.log(q / p)), "Which of the two weights the sum"),
        (5, linear, "activation between"),
        (5, around_the_code, "way around the code"),
        (5, lambda code: "a model", "a Keras model"),
        (5, lambda code: of_fixed_size(2), "must set the size"),
        (5, too_large, "Smaller hidden layers"),
        (6, (64, 0.06, LONG), "lowest"),
        (6, (2.5, 0.03, LONG), "whole number"),
        (6, (18, 0.06, LONG), "mean over all pixels"),
        (6, (18, 0.02696, "short"), "30 words"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_typical_wrong_answers_to_lecture_02_are_met(number, answer, message, capsys):
    q = getattr(exercises.sheet("02_pca_to_autoencoders"), f"q{number}")
    assert q.check(answer).status == "wrong"
    assert message in capsys.readouterr().out
