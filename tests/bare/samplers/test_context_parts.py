"""Which part rules which step: AnimateDiff-Evolved's rule, cases worked out by hand from its description."""

import pytest
from zoetrope.samplers.context_parts import parts_of_steps

CASES = {
    "each from its level on, that level included": ([8, 5, 3, 1], [9, 5, 1], [0, 0, 0], [0, 1, 1, 2]),
    "one that begins between two steps": ([8, 4, 2], [9, 6], [1, 1], [0, 1, 1]),
    "without a guarantee parts between steps are left out": ([8, 2, 1], [9, 6, 4], [0, 0, 0], [0, 2, 2]),
    "with one they get their step, and later ones wait": ([8, 2, 1, 0.5], [9, 6, 4], [1, 2, 1], [0, 1, 1, 2]),
    "more than the run has": ([8, 4, 2], [9, 6, 3], [1, 7, 1], [0, 1, 1]),
    "a run that begins late owes earlier parts nothing": ([3, 2, 1], [9, 6, 4, 2], [1, 5, 5, 1], [2, 3, 3]),
    "a part that begins with the run is owed its steps": ([6, 2, 1], [9, 6, 4], [1, 2, 1], [1, 1, 2]),
    "one that begins behind the run": ([8, 4], [9, 1], [1, 1], [0, 0]),
    "towards more noise": ([1, 2, 6, 8], [9, 6, 2], [1, 1, 1], [2, 2, 1, 0]),
    "a single step": ([5], [9, 6, 4], [1, 1, 1], [1]),
    "no steps": ([], [9, 6], [1, 1], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_parts(name):
    sigmas, starts, guaranteed, expected = CASES[name]
    assert parts_of_steps(sigmas, starts, guaranteed) == expected


def test_one_part_rules_everything():
    assert parts_of_steps([8, 4, 2, 1], [1e9], [1]) == [0, 0, 0, 0]
