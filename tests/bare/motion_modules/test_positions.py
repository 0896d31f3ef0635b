"""Position tables stretched and cut: rows by hand, and torch's own interpolation of pictures."""

import pytest
import torch
import torch.nn.functional as nnf
from zoetrope.motion_modules.animatediff.layers import sinusoidal_table
from zoetrope.motion_modules.positions import PositionChange

R, C = 7, 4
ROWS = torch.arange(float(R))[None, :, None].expand(1, R, C) ** 2


def rows(change, table=ROWS):
    return change.of(table)[0, :, 0].tolist()


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (PositionChange(), [0, 1, 4, 9, 16, 25, 36]),
        (PositionChange(cap=3), [0, 1, 4]),
        (PositionChange(cap=11), [0, 1, 4, 9, 16, 25, 36]),
        (PositionChange(offset_before=5), [25, 36]),
        (PositionChange(offset_after=5), [25, 36]),
        # Centres of 4 rows in 2: -0.25, 0.25, 0.75, 1.25, and rows past the ends are the ends.
        (PositionChange(offset_before=1, cap=2, length=4), [1, 1.75, 3.25, 4]),
        (PositionChange(offset_before=1, cap=2, length=4, offset_after=2), [3.25, 4]),
        # 14 of 7 rows: each row is followed at a quarter and at three quarters.
        (PositionChange(stretch=7, cap=5), [0, 0.25, 0.75, 1.75, 3.25]),
    ],
)
def test_steps_follow_each_other(change, want):
    assert rows(change) == pytest.approx(want)
    assert change.rows(R) == len(want)


@pytest.mark.parametrize(("cap", "length"), [(16, 24), (16, 13), (32, 47)])
def test_a_stretched_sweetspot_is_a_picture_made_higher(cap, length):
    table = sinusoidal_table(32, 64)
    want = nnf.interpolate(table[None, :, :cap], size=(length, 64), mode="bilinear")[0]
    assert torch.allclose(PositionChange(cap=cap, length=length).of(table), want, atol=1e-6)


def test_a_full_stretch_adds_rows():
    table = sinusoidal_table(24, 32)
    want = nnf.interpolate(table[None], size=(31, 32), mode="bilinear")[0]
    assert torch.allclose(PositionChange(stretch=7).of(table), want, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offset_before": 7}, "offset_before=7 must be smaller than the 7 rows"),
        ({"cap": 3, "offset_after": 3}, "offset_after=3 must be smaller than the 3 rows"),
        ({"length": -1}, "length=-1 must be 0 .off. or larger"),
    ],
)
def test_no_row_left_and_numbers_below_0_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        PositionChange(**change).of(ROWS)
