"""Asking for large pages changes neither values nor what lies around a tensor, whatever its size and place."""
import pytest
import torch
from zoetrope.video_io.large_pages import LARGE, in_large_pages


@pytest.mark.parametrize("size", [0, 7, LARGE // 4, 3 * LARGE + 5])
def test_the_tensor_stays_itself(size):
    whole = torch.full((size + 26,), 3, dtype=torch.uint8)
    part = whole[13 : 13 + size]
    assert in_large_pages(part) is part
    part.fill_(5)
    assert (whole[:13] == 3).all() and (whole[13 + size :] == 3).all() and (part == 5).all()


def test_frames_decoded_into_large_pages_are_whole():
    fresh = in_large_pages(torch.empty(3, 300, 400, 3))
    fresh.copy_(torch.arange(fresh.numel()).view_as(fresh) % 251)
    assert torch.equal(fresh.flatten()[:502].long(), torch.arange(502) % 251)
