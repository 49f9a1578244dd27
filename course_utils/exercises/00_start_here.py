"""The two practice questions of lecture 00."""

import numpy as np

from course_utils.exercises import Case, question


@question(
    "Add up the four numbers first.",
    "The mean is the sum divided by how many numbers there are.",
    done="Right. A picture is an array of numbers, and its mean is its average brightness.",
)
def q1(mean):
    yield Case(
        "the picture [[0, 1], [1, 2]]", lambda: mean, 1.0, "Did you divide by the number of pixels, 4?"
    )


@question(
    "Black, 0, must become 1, and white, 1, must become 0. What is left of a grey of 0.25?",
    "One subtraction does it for a whole array at once.",
    done="Right. Three pictures, one of them in colour.",
)
def q2(negative):
    remark = "Black is 0 and white is 1."
    yield Case("a single black pixel [[0]]", lambda: negative(np.zeros((1, 1))), [[1.0]], remark)
    grey = np.array([[0.0, 0.25], [0.5, 1.0]])
    yield Case(f"the picture {grey.tolist()}", lambda: negative(grey.copy()), 1 - grey, remark)
    colour = np.random.default_rng(0).uniform(size=(4, 4, 3))
    yield Case("a 4×4 picture in colour", lambda: negative(colour.copy()), 1 - colour, remark)
