"""A whole video network takes a noise level for each frame, so FIFO diffusion runs on it."""

import comfy.samplers
import pytest
import torch
from zoetrope.host.sampling.fifo import FifoSampler
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.samplers.fifo import FifoSettings
from zoetrope.tests.comfy.host.context_rig import CPU, evaluate, seeded
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.tests.rounding import assert_same

N, F, SEED, CFG = 4, 3, 13, 4.0
NAME = "modelscope"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.pth"
    VIDEO_NETWORKS[NAME].write(path)
    return video_model_from_file(str(path)).model


@pytest.fixture(scope="module")
def sides():
    tiny = VIDEO_NETWORKS[NAME]
    return tiny.prompt("positive", F), tiny.prompt("negative", F)


def run(model, sides, noise, clip):
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", F)
    sampler = FifoSampler(FifoSettings(F, lookahead=False), clip)
    return sigmas, comfy.samplers.sample(
        model, noise, *sides, CFG, CPU, sampler, sigmas, latent_image=torch.zeros_like(noise),
        disable_pbar=True, seed=SEED,
    )  # fmt: skip


def clean_by_core(model, sides, x, levels):
    """The clean frames of a window whose frames have these noise levels, by core alone."""

    def one(network, noisy, sigmas, extra_args=None, **more):
        return network(x, levels, **extra_args)

    return evaluate(model, torch.zeros_like(x), *sides, CFG, one) * model.model.latent_format.scale_factor


def test_each_frame_of_a_window_has_its_own_noise_level(model, sides):
    """One window as long as the queue: algorithm 1 of the paper in the plainest words."""
    latent = VIDEO_NETWORKS[NAME].latent
    noise, clip = seeded(N, *latent), seeded(F, *latent, seed=8)
    scale = model.model.latent_format.scale_factor
    sigmas, result = run(model, sides, noise, clip)
    rising = sigmas.flip(0)
    shape = (F, 1, 1, 1)
    x, video = clip * scale + rising[1:].view(shape) * noise[:F], []
    fresh = torch.Generator().manual_seed(SEED + 1)
    for _ in range(N):
        clean = clean_by_core(model, sides, x, rising[1:])
        x = clean + (rising[:-1] / rising[1:]).view(shape) * (x - clean)
        video.append(x[:1])
        own = len(video) - 1 + F
        joins = noise[own : own + 1] if own < N else torch.randn((1, *latent), generator=fresh)
        x = torch.cat((x[1:], joins * (1 + sigmas[0] ** 2).sqrt()))
    assert_same(result, torch.cat(video) / scale, 1e-4)


def test_the_network_reads_the_level_of_each_frame(model, sides):
    """Another level of the last frame alone changes what is made."""
    x, levels = seeded(F, *VIDEO_NETWORKS[NAME].latent), torch.tensor([1.0, 2.0, 3.0])
    with_own = clean_by_core(model, sides, x, levels)
    alike = clean_by_core(model, sides, x, torch.tensor([1.0, 2.0, 2.0]))
    assert (with_own - alike)[-1].abs().max() > 1e-2 * with_own.std()
