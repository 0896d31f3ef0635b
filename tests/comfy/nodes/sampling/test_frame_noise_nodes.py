"""Noise per Frame in core's graph."""

import pytest
import torch
from comfy_extras.nodes_custom_sampler import RandomNoise
from zoetrope.nodes.sampling import MakeFrameNoise
from zoetrope.samplers.frame_noise import ONE_SEED, SEED_PER_FRAME
from zoetrope.tests.comfy.nodes.sampling.test_shared_noise_nodes import random_noise, sampled, shared
from zoetrope.tests.rounding import OTHER_BATCH, assert_same

# Core makes tensors of tensors there.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


def frame_noise(seed=7, seeds=SEED_PER_FRAME, batch_offset=0, seed_offset=0):
    given = {"seeds": seeds, "batch_offset": batch_offset, "seed_offset": seed_offset}
    return MakeFrameNoise.execute(noise_seed=seed, **given).args[0]


def test_a_frame_can_be_made_again_alone():
    frames = sampled(frame_noise())
    for frame in (0, 3):
        alone = sampled(random_noise(7 + frame), shape=(1, 4, 8, 8))
        assert_same(frames[frame : frame + 1], alone, OTHER_BATCH)


@pytest.mark.parametrize("batch_index", [None, [4, 2, 6]])
def test_one_seed_is_cores_noise(batch_index):
    latent = {"samples": torch.zeros(3, 4, 3, 5), "batch_index": batch_index}
    core = RandomNoise.execute(9).args[0].generate_noise(latent)
    assert torch.equal(frame_noise(7, ONE_SEED, seed_offset=2).generate_noise(latent), core)


def test_noise_further_on_is_that_of_a_later_part():
    later = {"samples": torch.zeros(3, 4, 3, 5), "batch_index": [2, 3, 4]}
    core = random_noise().generate_noise(later)
    later["batch_index"] = [0, 1, 2]
    assert torch.equal(frame_noise(7, ONE_SEED, batch_offset=2).generate_noise(later), core)


def test_it_can_be_shared():
    latent = {"samples": torch.zeros(5, 4, 3, 2)}
    drawn = frame_noise().generate_noise({"samples": torch.zeros(6, 4, 3, 2)})
    mixed = shared(frame_noise(), share="mixed").generate_noise(latent)
    torch.testing.assert_close(mixed, (drawn[:1] + drawn[1:]) / 2**0.5)
