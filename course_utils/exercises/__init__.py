"""The exercise machine: `sheet("02_pca_to_autoencoders")` gives the questions of a sheet.

The questions of a sheet stand in the file of its name in this folder. Each is a function from the
student's answer to a sequence of `Case`s, smallest first, decorated with `@question(hints…)`. A
case says what was given, what is expected, and how to get it from the answer; the machine runs the
cases, and names the first that fails. Checks look at behaviour, never at names or source.
"""

import ast
import contextlib
import dis
import importlib
import inspect
import json
import re
import textwrap
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType, FunctionType

import keras
import numpy as np

SOLUTIONS = Path(__file__).parents[2] / "solutions"


SIGNS = {"right": "✓", "wrong": "✗", "not attempted": "…"}


@dataclass(frozen=True)
class Outcome:
    """What `check` found: `status`, a key of `SIGNS`, and the sentence about it."""

    status: str
    message: str

    def __str__(self):
        return f"{SIGNS[self.status]} {self.message}"

    def _ipython_display_(self):
        """Show nothing as the last line of a cell: `check` has printed the sentence."""


@dataclass
class Case:
    """One thing to check.

    Attributes:
        given: str, completes "For …": the input, small enough to be read.
        got: callable without arguments that gets the result from the student's answer.
        expected: what it should give: a number, an array, a str, or a predicate's description.
        remark: str, a question or reminder for whoever fails here.
        right: callable from the result to bool; None compares with `expected` to `tolerance`.
        tolerance: float, relative and absolute.
        hidden: bool, the message keeps `expected` to itself: in an open question it would be the answer.
    """

    given: str
    got: callable
    expected: object
    remark: str = ""
    right: callable = None
    tolerance: float = 1e-4
    hidden: bool = False


def question(*hints, done="Right."):
    """Make a question of a function from an answer to its cases.

    Args:
        hints: str, from gentle to plain.
        done: str, what `check` prints behind its ✓; for an open question, the rubric.
    """

    def decorate(cases):
        return Question(cases.__name__, cases, hints, done, cases.__module__.rpartition(".")[2])

    return decorate


class NotAttempted(Exception):
    """Raised inside a check where the answer is still blank."""


@dataclass
class Question:
    """One question: `check(answer)`, `hint()`, `solution()`."""

    name: str
    cases: callable
    hints: tuple
    done: str
    sheet: str
    _hints_given: int = 0

    def check(self, answer):
        """Check an answer, print one line, and return an `Outcome`. Never raises."""
        outcome = self._judge(answer)
        print(outcome)
        return outcome

    def _judge(self, answer):
        if _is_blank(answer):
            return Outcome("not attempted", _what_is_open(answer))
        try:
            for case in self.cases(answer):
                problem = _problem(case)
                if problem:
                    return Outcome("wrong", problem)
        except NotAttempted:
            return Outcome("not attempted", "Not attempted yet.")
        except (Exception, SystemExit) as error:  # the cases themselves met what they cannot use
            return Outcome("wrong", f"Your answer could not be checked: {_explain(error)}")
        return Outcome("right", self.done)

    def hint(self):
        """Print the next hint; after the last one, begin again."""
        number = self._hints_given % len(self.hints)
        self._hints_given += 1
        print(f"Hint {number + 1} of {len(self.hints)}: {self.hints[number]}")

    def solution(self):
        """Print the worked answer out of `solutions/`, where that folder has not been withheld."""
        print(worked_answer(self.sheet, self.name))


class Sheet:
    """The questions of a sheet, as attributes `q1`, `q2`, … and in this order by iteration."""

    def __init__(self, name, questions):
        self.name, self._questions = name, questions
        for q in questions:
            setattr(self, q.name, q)

    def __iter__(self):
        return iter(self._questions)

    def __len__(self):
        return len(self._questions)


def names():
    """The sheets there are, as a tuple of str."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("[0-9][0-9]_*.py")))


def sheet(name):
    """The questions of a sheet.

    Args:
        name: str, the lecture's name, such as "02_pca_to_autoencoders".

    Raises:
        ValueError: there is no such sheet.
    """
    if name not in names():
        raise ValueError(f"no sheet {name!r}; there is {', '.join(names())}.")
    module = importlib.import_module(f"course_utils.exercises.{name}")
    questions = [value for value in vars(module).values() if isinstance(value, Question)]
    return Sheet(name, sorted(questions, key=lambda q: q.name))


# --- judging --------------------------------------------------------------------------------------


def _problem(case):
    """What is wrong with one case, in a sentence, or None."""
    try:
        got = case.got()
        if keras.ops.is_tensor(got):
            got = keras.ops.convert_to_numpy(got)
    except NotAttempted:
        raise
    except (Exception, SystemExit) as error:
        return _sentences(f"For {case.given}, your code stopped: {_explain(error)}", case.remark)
    if isinstance(got, EllipsisType):
        raise NotAttempted
    if got is None:
        return f"For {case.given}, your code returned None. Is there a `return` at its end?"
    if case.right is not None:
        try:
            if case.right(got):
                return None
        except Exception:  # an answer of another kind than the question asks for
            pass
        wanted = "another value" if case.hidden else case.expected
        return _sentences(f"For {case.given}, expected {wanted}, got {_show(got)}.", case.remark)
    return _difference(case, got)


def _difference(case, got):
    """How a result differs from the expected value, or None."""
    wanted = "another value" if case.hidden else _show(case.expected)
    if isinstance(case.expected, str):
        return None if got == case.expected else f"For {case.given}, expected {wanted}, got {got!r}."
    try:
        value = np.asarray(got)
        if value.dtype.kind not in "biuf":
            raise ValueError
    except (TypeError, ValueError):
        return f"For {case.given}, expected {wanted}, got {got!r}, which is no number."
    value = value.astype(float)
    expected = np.asarray(case.expected, dtype=float)
    if value.shape != expected.shape:
        text = f"For {case.given}, expected shape {expected.shape}, got shape {value.shape}."
        return _sentences(text, case.remark)
    if np.allclose(value, expected, rtol=case.tolerance, atol=case.tolerance, equal_nan=True):
        return None
    if value.size > 24 or case.hidden:
        return _sentences(f"For {case.given}, {_worst_entry(value, expected, case.hidden)}", case.remark)
    text = f"For {case.given}, expected {wanted}, got {_show(value)}."
    return _sentences(text, case.remark)


def _worst_entry(value, expected, hidden):
    """Where two arrays differ most, in words."""
    difference = np.nan_to_num(abs(value - expected), nan=np.inf)
    place = np.unravel_index(difference.argmax(), value.shape)
    index = ", ".join(str(int(i)) for i in place)
    where = f" at [{index}], where the difference is largest," if index else ","
    wanted = "another value" if hidden else f"{expected[place]:.4g}"
    return f"expected {wanted}{where} got {value[place]:.4g}."


def _sentences(text, remark):
    return f"{text} {remark}".rstrip()


def _show(value):
    """A value in a form that fits into a sentence."""
    if isinstance(value, str):
        return repr(value)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError
    except (TypeError, ValueError):  # ragged, or no numbers at all
        return textwrap.shorten(repr(value), 80, placeholder=" …")
    if array.size > 24:
        return f"an array of shape {array.shape}"
    rounded = np.round(array.astype(float), 4) + 0.0  # + 0.0 turns -0 into 0
    return f"{rounded:g}" if rounded.ndim == 0 else " ".join(str(rounded.tolist()).split())


def _explain(error):
    """An exception in words, with the student's own line where it was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "ipykernel" in f.filename]
    where = f" in the line `{frames[-1].line}`" if frames and frames[-1].line else ""
    return f"{type(error).__name__}: {error}{where}."


def _what_is_open(answer):
    """That an answer is blank, and of one in parts which parts are."""
    parts = list(answer) if isinstance(answer, (tuple, list)) else []
    blank = [str(number) for number, part in enumerate(parts, 1) if _is_blank(part)]
    if len(blank) == len(parts):
        return "Not attempted yet."
    return f"Not attempted yet. Still open: part {' and '.join(blank)} of {len(parts)}."


def _is_blank(answer):
    """`...`, None, an empty str; a function that does nothing or is left open; a class with such a method."""
    if answer is None or isinstance(answer, EllipsisType):
        return True
    if isinstance(answer, str):
        return not answer.strip()
    if isinstance(answer, (tuple, list)):
        return any(_is_blank(part) for part in answer)
    if inspect.isclass(answer):
        return any(_is_blank(part) for part in vars(answer).values() if isinstance(part, FunctionType))
    return isinstance(answer, FunctionType) and (_does_nothing(answer) or _is_left_open(answer))


def _does_nothing(function):
    steps = [step for step in dis.get_instructions(function) if step.opname not in ("RESUME", "NOP")]
    returns_a_constant = {step.opname for step in steps} <= {"LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    return returns_a_constant and all(step.argval in (None, ...) for step in steps)


def _is_left_open(function):
    """Whether the body has a line `...` that no `return` stands before."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):  # typed into a console, or part of an expression
        return False
    for statement in getattr(tree.body[0], "body", []):
        if isinstance(statement, ast.Return):
            return False
        if isinstance(statement, ast.Expr) and getattr(statement.value, "value", None) is ...:
            return True
    return False


@contextlib.contextmanager
def in_float32():
    """For checks: networks built within, or by a function so decorated, compute in float32 in any profile."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


# --- worked answers -------------------------------------------------------------------------------

MARKED = re.compile(
    r"^(?P<indent>[ \t]*)### BEGIN SOLUTION\n(?P<answer>.*?)^[ \t]*### END SOLUTION\n?", re.S | re.M
)


def worked_answer(sheet_name, question_name):
    """The worked answer to a question, or a kind sentence where `solutions/` was withheld."""
    path = SOLUTIONS / f"{sheet_name}_exercises.ipynb"
    if not path.is_file():
        return (
            "The worked solutions are not part of this copy of the course. Try the hints once more, "
            "or ask your instructor."
        )
    answers = []  # of the cells since the check of the question before
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        code, check, _ = "".join(cell["source"]).partition(f"\n{question_name}.check(")
        if MARKED.search(code):
            answers.append(MARKED.sub(lambda m: m["answer"], code).strip())
        if check:
            return "\n\n\n".join(answers)
        if re.search(r"^q\d+\.check\(", code, re.M):
            answers = []
    return f"{path}: no worked answer to {question_name}; please report this."
