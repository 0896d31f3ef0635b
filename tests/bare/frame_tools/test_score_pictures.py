"""Tables and bars of numbers: where things are drawn, what is cut, what is left empty."""

import pytest
import torch
from zoetrope.frame_tools.plots import COLOURS
from zoetrope.frame_tools.score_pictures import (
    BEST,
    LEAST_WIDTH,
    MOST_NOTES,
    ROW,
    TableRow,
    draw_bars,
    draw_table,
)

WIDTH = 480


def row(name="psnr", values=(1.0, 2.0), best=None):
    cells = ["" if value is None else f"{value:g}" for value in values]
    return TableRow(name, "a note", cells, list(values), best)


def of_colour(picture, colour):
    """(H, W): where a picture has a colour."""
    return (picture[0] - torch.tensor(colour) / 255).abs().amax(-1) < 0.02


def test_the_best_number_is_blue_and_in_its_column():
    table = draw_table(["one", "two"], [row(best=1), row("ssim")], [], WIDTH)
    places = of_colour(table, BEST).nonzero()
    assert len(places) and places[:, 1].min() > WIDTH // 2
    assert places[:, 0].min() >= ROW and places[:, 0].max() < 2 * ROW
    assert not of_colour(draw_table(["one", "two"], [row()], [], WIDTH), BEST).any()


def test_notes_make_the_table_higher_and_many_are_cut():
    plain, some, many = (
        draw_table(["one"], [row(values=(1.0,))], [f"note {n}" for n in range(count)], WIDTH).shape[1]
        for count in (0, 2, 500)
    )
    assert plain < some < many and many < plain + 20 * (MOST_NOTES + 3)


def test_bars_are_as_long_as_their_numbers():
    bars = draw_bars(["one", "two", "three"], [row(values=(2.0, 4.0, None))], WIDTH)[:, 30:]
    lengths = [of_colour(bars, colour).sum(1).max().item() for colour in COLOURS[:3]]
    assert lengths[1] == pytest.approx(2 * lengths[0], abs=3) and lengths[2] == 0


@pytest.mark.parametrize("values", [(), (0.0, 0.0), (-1.0, 1.0), (None,)])
def test_odd_rows_are_drawn(values):
    columns = ["a very long name of a set of clips \u4e2d\n"] * len(values)
    rows = [row(values=values)]
    for picture in (draw_table(columns, rows, [], LEAST_WIDTH), draw_bars(columns, rows, LEAST_WIDTH)):
        assert picture.shape[2:] == (LEAST_WIDTH, 3) and picture.min() >= 0 and picture.max() <= 1
