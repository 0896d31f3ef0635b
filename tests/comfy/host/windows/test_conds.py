"""What of a cond belongs to a window: rows of the batch, frames of the time axis, masks, areas."""

import uuid

import comfy.conds
import pytest
import torch
from comfy.context_windows import IndexListContextWindow
from zoetrope.host.windows.conds import take_frames, window_conds

F = 7
FRAMES = [5, 6, 0]


def cut(value, axis=0, key="thing", x_in=None, **cond):
    """The value of one model cond in the window of FRAMES."""
    if x_in is None:
        x_in = torch.zeros(F, 4, 8, 5) if axis == 0 else torch.zeros(2, 4, F, 8, 5)
    window = IndexListContextWindow(FRAMES, axis, F)
    (result,) = window_conds([{"model_conds": {key: value}, "uuid": uuid.uuid4(), **cond}], window, x_in)
    return result["model_conds"][key].cond if value is not None else result


@pytest.mark.parametrize(
    "kind", [comfy.conds.CONDRegular, comfy.conds.CONDNoiseShape, comfy.conds.CONDCrossAttn]
)
def test_rows_are_those_of_the_frames_and_short_batches_repeat(kind):
    for rows, expected in ((F, FRAMES), (3, [2, 0, 0]), (1, [0]), (F + 4, FRAMES)):
        value = torch.randn(rows, 3, 2)
        assert torch.equal(cut(kind(value)), value[expected])


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 7, 11])
def test_a_cond_gives_each_frame_the_row_that_it_has_without_windows(rows):
    value = comfy.conds.CONDRegular(torch.randn(rows, 3))
    whole = value.process_cond(batch_size=F).cond
    window = comfy.conds.CONDRegular(cut(value)).process_cond(batch_size=len(FRAMES)).cond
    assert torch.equal(window, whole[FRAMES])


def test_lists_are_cut_one_by_one():
    values = [torch.randn(F, 2), torch.randn(1, 3)]
    result = cut(comfy.conds.CONDList(values))
    assert torch.equal(result[0], values[0][FRAMES])
    assert torch.equal(result[1], values[1])


def test_constants_stay_unless_they_are_as_long_as_the_video():
    per_frame, other = torch.randn(F, 2), torch.randn(3, 2)
    assert torch.equal(cut(comfy.conds.CONDConstant(per_frame)), per_frame[FRAMES])
    assert cut(comfy.conds.CONDConstant(other)) is other
    assert cut(comfy.conds.CONDConstant("text")) == "text"
    assert cut(comfy.conds.CONDConstant(F), key="num_video_frames") == len(FRAMES)


def test_time_axis_cuts_what_is_as_long_as_the_video():
    for kind in (comfy.conds.CONDRegular, comfy.conds.CONDNoiseShape):
        value = torch.randn(2, 4, F, 3, 2)
        assert torch.equal(cut(kind(value), axis=2), value[:, :, FRAMES])
    for shape in ((1, 4, F + 1, 3, 2), (F, 3), (2, 4, 1, 3, 2)):
        value = torch.randn(shape)
        assert cut(comfy.conds.CONDRegular(value), axis=2) is value
    levels = torch.randn(F)
    assert torch.equal(cut(comfy.conds.CONDConstant(levels), axis=2), levels[FRAMES])
    text = torch.randn(1, 5, F)
    assert cut(comfy.conds.CONDCrossAttn(text), axis=2) is text


def test_masks_are_those_of_the_frames():
    masks = torch.rand(F, 8, 5)
    assert torch.equal(cut(None, mask=masks)["mask"], masks[FRAMES])
    assert torch.equal(cut(None, mask=masks[:1])["mask"], masks[:1])
    video_mask = torch.rand(1, F, 8, 5)
    assert torch.equal(cut(None, axis=2, mask=video_mask)["mask"], video_mask[:, FRAMES])


def windows_of_area(frames, area):
    window = IndexListContextWindow(frames, 2, F)
    cond = {"model_conds": {}, "uuid": uuid.uuid4(), "area": area}
    return [one["area"] for one in window_conds([cond], window, torch.zeros(1, 4, F, 8, 5))]


def test_areas_of_video_latents_move_into_the_window():
    assert windows_of_area([2, 3, 4, 5], (3, 6, 5, 3, 1, 0)) == [(3, 6, 5, 1, 1, 0)]
    assert windows_of_area([4, 5, 6], (5, 6, 5, 0, 1, 0)) == [(1, 6, 5, 0, 1, 0)]
    assert windows_of_area([4, 5, 6], (2, 6, 5, 1, 1, 0)) == []
    # a window that wraps meets an area twice
    assert windows_of_area([4, 5, 6, 0, 1], (5, 6, 5, 1, 1, 0)) == [(2, 6, 5, 0, 1, 0), (1, 6, 5, 4, 1, 0)]
    assert windows_of_area([4, 5, 6], (6, 5, 1, 0)) == [(3, 6, 5, 0, 1, 0)]  # no frames named: all of them


def test_what_is_given_stays_as_it_is():
    value = comfy.conds.CONDRegular(torch.randn(F, 3))
    conds = [
        {"model_conds": {"thing": value}, "uuid": uuid.uuid4(), "mask": torch.rand(F, 8, 5), "strength": 0.5}
    ]
    before = {**conds[0]}
    result = window_conds(conds, IndexListContextWindow(FRAMES, 0, F), torch.zeros(F, 4, 8, 5))
    assert conds[0] == before
    assert conds[0]["model_conds"] == {"thing": value}
    assert result[0]["strength"] == 0.5


def test_take_frames_repeats_short_tensors():
    value = torch.randn(3, 5)
    assert torch.equal(take_frames(value, [7, 1], 1), value[:, [2, 1]])
    assert take_frames(value[:1], [7, 1]).shape == (1, 5)
