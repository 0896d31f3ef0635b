"""Comparison grids, contact sheets, labels and plots:
every pixel of a clip is where it belongs, and text says what it should.
"""

import pytest
import torch
from PIL import ImageFont
from zoetrope.frame_tools import grids, labels, plots
from zoetrope.frame_tools.grids import GridSettings, SheetSettings


def clip(frames, height, width, value=0.5):
    return torch.full((frames, height, width, 3), value)


def test_clips_stand_side_by_side_under_their_labels():
    a, b = torch.rand(3, 20, 30, 3), torch.rand(3, 20, 30, 3)
    out = grids.compare_clips([a, b], ["one", ""], GridSettings(label_height=12))
    assert out.shape == (3, 32, 64, 3)
    assert torch.equal(out[:, 12:, :30], a) and torch.equal(out[:, 12:, 34:], b)
    assert out[:, :12, :30].max() > 0.5 and out[:, :12, 30:].max() == 0  # a label above the first only
    assert out[:, 12:, 30:34].max() == 0


@pytest.mark.parametrize(
    ("count", "columns", "cells"),
    [
        (1, 0, (1, 1)),
        (2, 0, (1, 2)),
        (3, 0, (1, 3)),
        (4, 0, (2, 2)),
        (5, 0, (2, 3)),
        (3, 1, (3, 1)),
        (2, 9, (1, 2)),
    ],
)
def test_grids_have_the_columns_asked_for(count, columns, cells):
    out = grids.compare_clips([clip(1, 10, 14)] * count, [], GridSettings(columns, gap=2))
    assert out.shape[1:3] == (cells[0] * 12 - 2, cells[1] * 16 - 2)
    assert (out[0, ..., 0] > 0).sum() == count * 140


def test_a_clip_of_another_size_is_fitted_into_the_cell_of_the_first():
    out = grids.compare_clips([clip(1, 20, 30, 1.0), clip(1, 10, 10, 1.0)], [], GridSettings(gap=0))[
        0, ..., 0
    ]
    assert (out[:, :30] == 1).all()
    assert (out[:, 35:55] > 0.99).all() and out[:, 30:35].max() == 0 and out[:, 55:].max() == 0


@pytest.mark.parametrize(("length", "frames"), [("longest", 4), ("shortest", 2)])
def test_clips_of_other_lengths(length, frames):
    first, second = torch.rand(2, 4, 6, 3), torch.rand(4, 4, 6, 3)
    out = grids.compare_clips([first, second], [], GridSettings(length=length, gap=0))
    assert len(out) == frames
    assert torch.equal(out[-1, :, :6], first[1]) and torch.equal(out[-1, :, 6:], second[frames - 1])


def test_sides_are_even():
    assert grids.compare_clips([clip(1, 5, 7)], []).shape == (1, 6, 8, 3)


@pytest.mark.parametrize(
    ("clips", "names", "length", "told"),
    [
        ([], [], "longest", "nothing to compare"),
        ([clip(1, 2, 2)], ["a", "b"], "longest", "2 labels for 1 clips"),
        ([clip(1, 2, 2), clip(0, 2, 2)], [], "longest", "clip 2 has no frames"),
        ([clip(1, 2, 2)], [], "middle", "length='middle'"),
        ([clip(1, 2, 20000)] * 2, [], "longest", "40004x2 pixels, at most 32768"),
    ],
)
def test_what_cannot_be_compared_is_refused(clips, names, length, told):
    with pytest.raises(ValueError, match=told):
        grids.compare_clips(clips, names, GridSettings(length=length))


def test_a_contact_sheet_has_the_frames_in_reading_order():
    frames = torch.arange(7.0).view(7, 1, 1, 1).expand(7, 10, 10, 3) / 10
    sheet = grids.contact_sheet(
        frames, SheetSettings(count=4, columns=2, cell_width=10, numbers=False, gap=2)
    )
    assert sheet.shape == (1, 22, 22, 3)
    assert [round(10 * float(sheet[0, y, x, 0])) for y in (5, 17) for x in (5, 17)] == [0, 2, 4, 6]
    assert sheet[0, 10:12].max() == 0


def test_a_contact_sheet_of_masks_and_of_large_frames():
    sheet = grids.contact_sheet(
        torch.full((2, 30, 40), 0.5), SheetSettings(columns=2, cell_width=20, numbers=False, gap=0)
    )
    assert sheet.shape == (1, 16, 40, 3) and float((sheet[0, 1:14] - 0.5).abs().max()) < 1e-6


@pytest.mark.parametrize(("fps", "told"), [(0.0, ["0", "1"]), (8.0, ["0  0.00 s", "1  0.12 s"])])
def test_numbers_and_times_are_written_on_the_frames(fps, told, monkeypatch):
    written = []
    monkeypatch.setattr(grids, "with_caption", lambda frame, text: written.append(text) or frame)
    grids.contact_sheet(clip(2, 60, 80), SheetSettings(fps=fps))
    assert written == told


def test_a_caption_is_in_the_lower_left_corner_and_dropped_where_there_is_no_room():
    plain = torch.full((60, 90, 3), 0.5)
    changed = (grids.with_caption(plain, "12") - plain).abs().amax(-1) > 0.1
    assert changed[35:, :40].any() and not changed[:35].any() and not changed[:, 40:].any()
    tiny = torch.full((6, 3, 3), 0.5)
    assert torch.equal(grids.with_caption(tiny, "12"), tiny)


def test_a_sign_that_pillows_font_lacks_comes_from_another_font_or_is_written_plainly(monkeypatch, caplog):
    monkeypatch.setattr(labels, "SYSTEM_FONTS", ())
    for cached in (labels.font_of, labels._runs):
        cached.cache_clear()
    try:
        assert "".join(piece for piece, _ in labels._runs("Höhe 中", 17)) == "Hohe [U+4E2D]"
        assert "no font of this system has the characters 'ö中'" in caplog.text
        bar = labels.label_bar("中", 200, 24)
        assert bar.shape == (24, 200, 3) and bar.max() == 1
    finally:
        for cached in (labels.font_of, labels._runs):
            cached.cache_clear()


def test_the_first_font_that_has_a_sign_is_taken():
    wanted = labels.font_of("A", 19)
    assert isinstance(wanted, ImageFont.FreeTypeFont) and wanted.getname()[0] == "Aileron"
    assert labels.font_of(" ", 19) is wanted


def test_a_long_label_is_cut_so_that_it_fits():
    text = labels.shortened("a label that is far too long for this", 17, 80)
    assert text.endswith("…") and labels.text_width(text, 17) <= 80
    assert labels.shortened("short", 17, 80) == "short"


def test_differences_are_means_over_a_frame():
    frames = torch.zeros(4, 5, 7, 4)
    frames[1, ..., :3], frames[2, ..., 0] = 0.1, 0.4
    frames[..., 3] = torch.rand(4, 1, 1)  # opacity does not count
    steps = []
    values = plots.frame_differences(frames, lambda: steps.append(1))
    assert values == pytest.approx([25.5, 255 * (0.3 + 0.1 + 0.1) / 3, 255 * 0.4 / 3]) and len(steps) == 3
    assert plots.describe(values, "a") == "a: mean 34.00, largest 42.50 at frame 2"
    with pytest.raises(ValueError, match="a difference needs at least 2 frames, got 1"):
        plots.frame_differences(frames[:1])


@pytest.mark.parametrize(
    ("largest", "steps"),
    [
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (37, [0, 10, 20, 30, 40]),
        (0.03, [0, 0.01, 0.02, 0.03]),
        (255, [0, 100, 200, 300]),
    ],
)
def test_axes_have_round_numbers(largest, steps):
    assert plots.nice_steps(largest) == pytest.approx(steps)


def test_curves_are_drawn_in_their_colours_and_high_values_high():
    values = [1.0] * 40 + [9.0] + [1.0] * 40
    image = plots.plot_differences([values, [5.0] * 30], ["peak", "flat"], 300, 200)
    assert image.shape == (1, 200, 300, 3)

    def rows(colour):
        area = image[0, 50:160, 40:]
        return ((area - torch.tensor(colour) / 255).abs().amax(-1) < 0.02).nonzero()

    peak, flat = rows(plots.COLOURS[0]), rows(plots.COLOURS[1])
    assert peak[:, 0].min() < flat[:, 0].min() < flat[:, 0].max() < peak[:, 0].max()
    top = peak[peak[:, 0] == peak[:, 0].min()]
    assert abs(float(top[:, 1].float().mean()) + 40 - 163) < 12  # in the middle of the axis


@pytest.mark.parametrize("series", [[[0.0, 0.0]], [[3.0]], [[1.0], [2.0] * 500]])
def test_plots_of_still_short_and_long_clips(series):
    assert plots.plot_differences(series, ["x"] * len(series)).isfinite().all()


@pytest.mark.parametrize(
    ("least", "most", "steps"),
    [
        (0, 1.5, [0, 0.5, 1, 1.5]),
        (-1.7, 1, [-2, -1.5, -1, -0.5, 0, 0.5, 1]),
        (-3, -1, [-3, -2, -1, 0]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (2, 30, [0, 10, 20, 30]),
    ],
)
def test_the_axis_of_values_has_0_and_all_of_them(least, most, steps):
    assert plots.value_steps(least, most) == pytest.approx(steps)


def test_values_below_0_lie_below_the_line_of_0():
    """A curve of -1 lies as far below the one of 0 as the one of 1 above it."""
    image = plots.plot_values([[-1.0] * 30, [0.0] * 30, [1.0] * 30], ["a", "b", "c"], 300, 200)[0]

    def row(colour):
        near = (image[45:] * 255 - torch.tensor(colour)).abs().amax(-1) < 30
        return float(near.nonzero()[:, 0].float().mean())

    low, middle, high = (row(colour) for colour in plots.COLOURS[:3])
    assert low - middle == pytest.approx(middle - high, abs=1.1) and low - middle > 30
