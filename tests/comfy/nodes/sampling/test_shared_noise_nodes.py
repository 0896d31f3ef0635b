"""Shared Noise and Shared Upscale Noise in core's graph."""

import comfy.ldm.modules.diffusionmodules.upscaling as core
import comfy.model_base
import comfy.model_patcher
import comfy.supported_models
import pytest
import torch
from comfy_extras.nodes_custom_sampler import (
    BasicGuider,
    BasicScheduler,
    DisableNoise,
    KSamplerSelect,
    RandomNoise,
    SamplerCustomAdvanced,
)
from comfy_extras.nodes_sdupscale import SD_4XUpscale_Conditioning
from zoetrope.nodes.sampling import MakeReferenceNoise, ShareNoise, ShareUpscaleNoise
from zoetrope.samplers.shared_noise import SharedNoiseSettings, share_noise
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.gold_weights import gold_input

# Core makes tensors of tensors there.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
SAME = {"share": "same", "amount": 1.0, "frames_per_video": 0}


def shared(noise, **settings):
    return ShareNoise.execute(noise=noise, **SAME | settings).args[0]


def random_noise(seed=7):
    return RandomNoise.execute(seed).args[0]


def sampled(noise, prompt_rows=1, shape=(5, 4, 8, 8)):
    model = golden_model()
    guider = BasicGuider.execute(model, [[gold_input("positive", (prompt_rows, 7, 48)), {}]]).args[0]
    sampler = KSamplerSelect.execute("euler").args[0]
    sigmas = BasicScheduler.execute(model, "normal", 2, 1.0).args[0]
    return SamplerCustomAdvanced.execute(
        noise, guider, sampler, sigmas, {"samples": torch.zeros(shape)}
    ).args[0]["samples"]


def test_with_the_same_noise_an_image_model_makes_the_same_frames():
    frames = sampled(shared(random_noise()))
    plain = sampled(random_noise())
    assert (frames - frames[:1]).abs().max() < 1e-4
    assert (frames[0] - plain[0]).abs().max() < 1e-4, "it is the noise of the first frame of this seed"
    assert (plain[1] - plain[0]).abs().max() > 1e-1


def test_any_noise_can_be_shared():
    latent = {"samples": torch.zeros(5, 4, 3, 2)}
    reference = MakeReferenceNoise.execute(7).args[0]
    expected = reference.generate_noise({"samples": torch.zeros(6, 4, 3, 2)})
    mixed = shared(reference, share="mixed").generate_noise(latent)
    torch.testing.assert_close(mixed, (expected[:1] + expected[1:]) / 2**0.5)
    assert not shared(DisableNoise.execute().args[0], share="mixed").generate_noise(latent).any()
    assert shared(reference).seed == 7


def test_core_noise_of_video_latents_is_shared():
    latent = {"samples": torch.zeros(2, 4, 5, 3, 2)}
    noise = shared(random_noise()).generate_noise(latent)
    first = random_noise().generate_noise({"samples": torch.zeros(4, 4, 5, 3, 2)})[:2, :, :1]
    assert torch.equal(noise, first.expand(-1, -1, 5, -1, -1))


@pytest.fixture
def upscaler():
    """Core's model class of the SD x4 upscaler around a tiny UNet."""
    unet = {
        **comfy.supported_models.SD_X4Upscaler.unet_config,
        "image_size": 32,
        "in_channels": 7,
        "out_channels": 4,
        "model_channels": 32,
        "num_res_blocks": [1] * 4,
        "channel_mult": [1] * 4,
        "transformer_depth": [0] * 4,
        "transformer_depth_output": [0] * 8,
        "transformer_depth_middle": -1,
        "context_dim": 48,
        "use_spatial_transformer": True,
        "dtype": torch.float32,
    }
    config = comfy.supported_models.SD_X4Upscaler(unet)
    model = config.get_model({}, "")
    cpu = torch.device("cpu")
    return comfy.model_patcher.CoreModelPatcher(model, load_device=cpu, offload_device=cpu)


def seen_conditions(model, level, frames=5):
    """The low-resolution frames and the level that the network gets for a video whose frames are alike."""
    image = gold_input("image", (1, 8, 8, 3)).sigmoid().expand(frames, -1, -1, -1)
    text = [[gold_input("positive", (1, 7, 48)), {}]]
    positive, negative, latent = SD_4XUpscale_Conditioning.execute(image, text, text, 4.0, level).args
    seen = []

    def record(executor, x, *args, **kwargs):
        seen.append((x[:, 4:], args[2]))
        return torch.zeros_like(x[:, :4])

    model = model.clone()
    model.add_wrapper_with_key("diffusion_model", "recorder", record)
    guider = BasicGuider.execute(model, positive).args[0]
    sampler = KSamplerSelect.execute("euler").args[0]
    SamplerCustomAdvanced.execute(random_noise(), guider, sampler, torch.tensor([5.0, 0.0]), latent)
    return seen[0]


def test_frames_of_an_upscaler_share_their_noise_and_it_knows_the_level(upscaler):
    plain, plain_level = seen_conditions(upscaler, 0.1)
    out, level = seen_conditions(ShareUpscaleNoise.execute(model=upscaler, **SAME).args[0], 0.1)
    assert (plain[1:] - plain[:1]).abs().amax((1, 2, 3)).min() > 0.1, "core gives each frame noise of its own"
    assert torch.equal(out, out[:1].expand_as(out))
    assert torch.equal(level, plain_level) and level.unique().tolist() == [35]
    assert torch.equal(seen_conditions(upscaler, 0.1)[0], plain), "the MODEL before the node is as it was"


def test_the_noise_is_that_of_cores_schedule(upscaler):
    """Core's own q_sample with noise that is shared by hand."""
    out, _ = seen_conditions(
        ShareUpscaleNoise.execute(model=upscaler, **SAME | {"share": "mixed", "amount": 2.0}).args[0], 0.2
    )
    clean, _ = seen_conditions(upscaler, 0.0)
    drawn = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(7 - 10))
    noise = share_noise(drawn[1:], drawn[:1], SharedNoiseSettings("mixed", 2.0))
    reference = core.ImageConcatWithNoiseAugmentation({"linear_start": 0.0001, "linear_end": 0.02}, 350)
    torch.testing.assert_close(out, reference.q_sample(clean, torch.tensor([70]), noise=noise))


def test_no_level_means_no_noise_and_a_second_node_replaces_the_first(upscaler):
    once = ShareUpscaleNoise.execute(model=upscaler, **SAME).args[0]
    assert torch.equal(seen_conditions(once, 0.0)[0], seen_conditions(upscaler, 0.0)[0])
    mixed = ShareUpscaleNoise.execute(model=upscaler, **SAME | {"share": "mixed"}).args[0]
    twice = ShareUpscaleNoise.execute(model=mixed, **SAME).args[0]
    assert torch.equal(seen_conditions(twice, 0.1)[0], seen_conditions(once, 0.1)[0])


def test_other_models_are_refused():
    with pytest.raises(ValueError, match="is for the SD x4 upscaler, this MODEL is BaseModel"):
        ShareUpscaleNoise.execute(model=golden_model(), **SAME)
