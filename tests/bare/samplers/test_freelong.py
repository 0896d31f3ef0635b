"""FreeLong's blend: the numbers of an independent run (tests/data/goldens/long_video)."""

import torch
from safetensors.torch import load_file
from zoetrope.samplers.freeinit import gaussian
from zoetrope.samplers.freelong import blend, slow_part

from ...gold_weights import gold_input
from ...places import GOLDENS


def golden(name):
    return load_file(GOLDENS / "long_video" / "long_video.safetensors")[f"freelong_{name}"]


def test_the_blend_over_frames():
    """Videos (2, 8, 24, 6, 4) as sequences of 24 frames at every place."""
    whole, windows, expected = (
        golden(name).movedim(1, -1).movedim(1, 3).flatten(0, 2) for name in ("global", "local", "blend_t")
    )
    torch.testing.assert_close(blend(whole, windows, slow_part(24)), expected, atol=1e-5, rtol=1e-5)


def test_the_filter_is_the_published_shape():
    keep = torch.fft.fftshift(gaussian((24, 1, 1), 0.25, 0.25)).expand(24, 6, 4)
    torch.testing.assert_close(keep, golden("filter_t"), atol=1e-6, rtol=0)


def test_what_does_not_change_comes_from_the_whole_and_equal_parts_stay():
    windows = gold_input("windows", (3, 7, 5))
    whole = windows + 2.0
    torch.testing.assert_close(blend(whole, windows, slow_part(7)), whole, atol=1e-5, rtol=0)
    assert torch.equal(blend(windows, windows, slow_part(7)), windows)
