"""FreeNoise: the published stride's tables (tests/data/goldens/long_video), and what goes through it."""

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.samplers.context_fusion import FusionPlan, fuse_weights
from zoetrope.samplers.context_schedules import create_context_windows
from zoetrope.samplers.freenoise import FreeNoise, FreeNoiseSettings

from ...places import GOLDENS

CASES = [(64, 16, 4), (32, 16, 4), (24, 16, 8), (48, 16, 16)]
every_case = pytest.mark.parametrize("frames, window, stride", CASES)


class Numbered:
    """A NOISE whose frames are their numbers."""

    seed = 3

    def generate_noise(self, latent):
        size = latent["samples"].shape
        axis = 2 if len(size) == 5 else 0
        shape = [-1 if place == axis else 1 for place in range(len(size))]
        return torch.arange(float(size[axis])).view(shape).expand(size)


def order(shape=None, batch_index=None, **settings):
    latent = {"samples": torch.zeros(shape), "batch_index": batch_index}
    return FreeNoise(Numbered(), FreeNoiseSettings(**settings)).generate_noise(latent)


def golden(frames, window, stride, what):
    tensors = load_file(GOLDENS / "long_video" / "long_video.safetensors")
    return tensors[f"freenoise_f{frames}_w{window}_s{stride}_{what}"]


@every_case
def test_each_piece_has_the_noises_of_the_published_code(frames, window, stride):
    got = order((frames, 1, 1, 1), window_length=window, stride=stride).flatten().long()
    expected = golden(frames, window, stride, "original")
    for piece, of_paper in zip(got.split(stride), expected.split(stride), strict=True):
        assert piece.sort().values.tolist() == of_paper.sort().values.tolist()
    if stride > 1:
        assert got[window:].tolist() != sorted(got[window:].tolist()), "shuffled"


@every_case
def test_windows_and_weights_of_the_attention_are_those_of_the_published_code(frames, window, stride):
    """What Context Windows and Windows inside Layers make of an overlap of all but the stride."""
    windows = create_context_windows("standard_static", frames, window, window - stride)
    starts = golden(frames, window, stride, "view_starts").tolist()
    assert windows == [list(range(start, start + window)) for start in starts]
    weights = [fuse_weights("pyramid", one, frames, window - stride) for one in windows]
    assert weights == [golden(frames, window, stride, "view_weight").tolist()] * len(windows)
    sums = torch.zeros(frames)
    for one, weight in zip(windows, weights, strict=True):
        sums[one] += torch.tensor(weight)
    assert torch.equal(sums, golden(frames, window, stride, "view_weight_sum"))
    assert FusionPlan(windows, weights, frames).indices[0].tolist() == list(range(window))


def test_the_last_piece_may_be_shorter_and_stride_one_repeats():
    assert sorted(order((7, 1, 1, 1), window_length=5, stride=3).flatten()[5:].tolist()) == [0, 1]
    assert order((7, 1, 1, 1), window_length=3, stride=1).flatten().tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_videos_latents_of_time_and_parts_of_a_video():
    settings = {"window_length": 5, "stride": 2}
    one = order((11, 3, 2, 1), **settings)
    assert torch.equal(order((22, 3, 2, 1), frames_per_video=11, **settings), torch.cat((one, one + 11)))
    in_time = order((2, 3, 11, 2, 1), **settings)
    assert torch.equal(in_time[1].transpose(0, 1), one)
    part = order((3, 3, 2, 1), batch_index=[9, 4, 10], frames_per_video=11, **settings)
    assert torch.equal(part, one[[9, 4, 10]])


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"window_length": 0}, "window_length=0 must be at least 1"),
        ({"stride": 0}, "stride=0 must be at least 1 and at most window_length=16"),
        ({"window_length": 3}, "stride=4 must be at least 1 and at most window_length=3"),
        ({"frames_per_video": -1}, "frames_per_video=-1 must be at least 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FreeNoiseSettings(**settings)


def test_latents_that_hold_no_videos_are_refused():
    with pytest.raises(ValueError, match="4 or 5 dimensions alone"):
        order((1, 4, 3))
    with pytest.raises(ValueError, match="a batch of 7 images is not a whole number of videos of 5 frames"):
        order((7, 4, 3, 2), frames_per_video=5)
    with pytest.raises(ValueError, match="of memory and"):
        FreeNoise(Numbered(), FreeNoiseSettings()).generate_noise(
            {"samples": torch.zeros(1, 1, 1, 1).expand(2**21, 4, 2**10, 2**10)}
        )
