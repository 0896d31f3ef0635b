"""The picture of a window plan shows what is in it."""

import pytest
import torch
from zoetrope.samplers.context_plan import BACKGROUND, EMPTY_CELL, GAP, draw_plan, shares, window_colour


def test_shares_of_a_frame_add_up_to_1():
    table = shares([[0, 1, 2], [2, 3, 4]], [[1, 2, 1], [3, 2, 1]], 5)
    assert torch.equal(table.sum(0), torch.ones(5))
    assert table[:, 2].tolist() == [0.25, 0.75]
    assert table[1, :2].tolist() == [0, 0]


def test_cells_are_coloured_where_a_window_has_the_frame():
    first = ([[0, 1, 2], [2, 3, 4]], [[1, 1, 1], [1, 1, 1]])
    second = ([[0, 1, 2, 3, 4]], [[1, 1, 1, 1, 1]])
    cell = 7
    image = draw_plan([first, second], 5, cell)
    assert image.shape == (2 * cell + GAP + cell, 5 * cell, 3)
    assert float(image.min()) >= 0 and float(image.max()) <= 1

    def at(row, frame, band=0):
        return image[band * (2 * cell + GAP) + row * cell + 2, frame * cell + 2]

    assert torch.allclose(at(0, 0), window_colour(0))
    assert torch.allclose(at(1, 4), window_colour(1))
    assert torch.equal(at(0, 4), torch.full((3,), EMPTY_CELL))
    assert (at(0, 2) < at(0, 0)).any() and (at(0, 2) > 0.3).any()
    assert torch.allclose(at(0, 3, band=1), window_colour(0))
    assert torch.equal(image[2 * cell + 1, 3], torch.full((3,), BACKGROUND))
    assert not torch.allclose(window_colour(0), window_colour(1), atol=0.1)


def test_a_large_plan_gets_smaller_cells_and_one_that_is_too_large_is_refused():
    windows = [list(range(start, start + 16)) for start in range(0, 4000, 16)]
    step = (windows, [[1.0] * 16] * len(windows))
    image = draw_plan([step], 4000)
    assert image.shape == (250 * 4, 4000 * 4, 3)
    with pytest.raises(ValueError, match="lower steps or num_frames"):
        draw_plan([step] * 100, 4000)
