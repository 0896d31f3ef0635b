"""Resized images: their size, their place, and averages where they get smaller."""

import pytest
import torch
from zoetrope.frame_tools.resizing import resized


def test_the_own_size_changes_nothing():
    image = torch.rand(5, 7, 3)
    assert resized(image, 5, 7) is image


@pytest.mark.parametrize("size", [(3, 5), (11, 13), (5, 1), (1, 7)])
def test_a_plain_image_stays_plain(size):
    assert torch.allclose(resized(torch.full((5, 7, 3), 0.3), *size), torch.full((*size, 3), 0.3), atol=1e-6)


def test_rows_and_columns_keep_their_places():
    image = torch.zeros(8, 12, 1)
    image[:4, 6:] = 1
    small = resized(image, 4, 6)[..., 0]
    assert small[:2, 3:].min() > 0.8 and small[2:].max() < 0.2 and small[:, :3].max() < 0.2


def test_small_images_are_averages_and_nothing_leaves_the_range():
    stripes = (torch.arange(60) % 2).float().expand(40, 60)[..., None]
    assert (resized(stripes, 4, 6) - 0.5).abs().max() < 0.05
    large = resized((torch.rand(5, 7, 3) > 0.5).float(), 31, 43)
    assert large.min() == 0 and large.max() == 1
