"""The comparison of the numeric tests fails where it should; their files are found by what they contain."""

import pytest
import torch

from ..rounding import NETWORK, assert_same
from ..tiers import is_numeric

EXPECTED = torch.tensor([1.0, -2.0, 5.0, 0.0])  # a standard deviation of 2.944


@pytest.mark.parametrize("standard_deviations", [0.0, 0.9])
def test_rounding_is_let_through(standard_deviations):
    assert_same(EXPECTED + torch.tensor([0, 0, 0, standard_deviations * 2.944 * NETWORK]), EXPECTED)


@pytest.mark.parametrize(
    "result",
    [
        EXPECTED + torch.tensor([0, 0, 0, 1.1 * 2.944 * NETWORK]),
        EXPECTED * torch.nan,
        EXPECTED.flip(0),
        EXPECTED[:3],
        EXPECTED[None],
    ],
)
def test_more_is_not(result):
    with pytest.raises(AssertionError):
        assert_same(result, EXPECTED)


@pytest.mark.parametrize(
    ("source", "numeric"),
    [
        ("from zoetrope.tests.rounding import assert_same", True),
        ("from ..rounding import WEIGHT, assert_same", True),
        ("gold = load_file(GOLDENS / 'x.safetensors')", True),
        ("_, io, weights = load_case(case)", True),
        ("golden_model()", False),
        ("torch.testing.assert_close(a, b)", False),
        ("surrounding important", False),
    ],
)
def test_numeric_files_are_known_by_what_they_compare_with(source, numeric):
    assert is_numeric(source) == numeric


def test_this_file_is_marked(request):
    assert request.node.get_closest_marker("numeric")
