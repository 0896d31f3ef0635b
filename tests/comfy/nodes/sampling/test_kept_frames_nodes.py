"""Fix Frames and Denoise per Frame in ComfyUI: core's noise mask keeps frames, alone and with Differential
Diffusion, in windows too.
"""

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from zoetrope.frame_values import frame_values, parse_blocks
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.nodes.sampling import FixFrames, SetFrameDenoise, VaryValue
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import CPU, PRECISE, prompt, seeded, windowed
from zoetrope.tests.comfy.host.media.small_vaes import image_vae, wan_vae
from zoetrope.tests.rounding import assert_same

F, H, W, SEED = 5, 8, 4, 13
SIGMAS = torch.tensor([14.0, 9.0, 4.0, 1.0, 0.0])


def sampled(model, latent, noise, sigmas=SIGMAS, name="euler"):
    return comfy.samplers.sample(
        model, noise, prompt(), prompt(seed=3), 4.0, CPU, comfy.samplers.sampler_object(name), sigmas,
        latent_image=latent["samples"], denoise_mask=latent.get("noise_mask"), disable_pbar=True, seed=SEED,
    )  # fmt: skip


def fixed(latent, keys, frames="0,-1", strength=1.0, vae=None, frames_per_video=0):
    given = {"frames": frames, "strength": strength, "vae": vae, "frames_per_video": frames_per_video}
    return FixFrames.execute(latent=latent, key_frames=keys, **given).args[0]


def denoised(latent, denoise, frames_per_video=0):
    return SetFrameDenoise.execute(latent=latent, denoise=denoise, frames_per_video=frames_per_video).args[0]


@pytest.fixture(scope="module")
def moving():
    return apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings())


@pytest.mark.parametrize("divide", [lambda model: model, windowed], ids=["whole", "windows"])
def test_key_frames_stay_and_the_others_look_at_them(moving, divide):
    empty, noise, keys = {"samples": torch.zeros(F, 4, H, W)}, seeded(F, 4, H, W), seeded(2, 4, H, W, seed=8)
    latent = fixed(empty, {"samples": keys})
    made = sampled(divide(moving), latent, noise)
    assert_same(made[[0, -1]], keys)
    other = sampled(divide(moving), fixed(empty, {"samples": -keys}), noise)
    assert (other - made)[1:-1].abs().amax((1, 2, 3)).min() > 1e-3 * made.std()


def test_images_are_encoded_at_the_size_of_the_latent():
    images = seeded(2, 8 * H, 8 * W, 3).abs().clamp(max=1)
    latent = fixed({"samples": torch.zeros(F, 4, H, W)}, images, "1,2", vae=image_vae())
    assert_same(latent["samples"][1:3], image_vae().encode(images))
    grey = fixed({"samples": torch.zeros(F, 4, H, W)}, images[..., :1], "1,2", vae=image_vae())
    assert_same(grey["samples"][1:3], image_vae().encode(images[..., :1].expand(2, -1, -1, 3)))
    images = torch.zeros(2, 3 * H, 17 * W, 3)
    wide = fixed({"samples": torch.zeros(F, 4, H, W)}, images, "1,2", vae=image_vae())
    assert wide["samples"].shape == (F, 4, H, W)


def test_images_that_cannot_be_encoded():
    images, empty = torch.zeros(2, 8 * H, 8 * W, 3), {"samples": torch.zeros(F, 4, H, W)}
    with pytest.raises(ValueError, match="key_frames are images, which need the VAE"):
        fixed(empty, images)
    with pytest.raises(ValueError, match="this VAE encodes several frames into one latent"):
        fixed(empty, images, vae=wan_vae())


@pytest.mark.parametrize("divide", [lambda model: model, windowed], ids=["whole", "windows"])
def test_with_differential_diffusion_each_frame_joins_at_its_own_step(divide):
    """Without layers over frames, a frame is what less denoising of it alone gives."""
    plain = golden_model(PRECISE)
    model = DifferentialDiffusion.execute(divide(plain)).args[0]
    clip, noise = {"samples": seeded(F, 4, H, W, seed=8)}, seeded(F, 4, H, W)
    sampling = plain.get_model_object("model_sampling")
    times = [float(sampling.timestep(sigma)) for sigma in SIGMAS[:-1]]
    shares = [time / times[0] for time in times]
    made = sampled(model, denoised(clip, [0.0, shares[3], shares[2], shares[1], 1.0]), noise)
    for frame, first in ((1, 3), (2, 2), (3, 1), (4, 0)):
        one = slice(frame, frame + 1)
        alone = sampled(plain, {"samples": clip["samples"][one]}, noise[one], SIGMAS[first:])
        assert_same(made[one], alone, 1e-5)
    assert_same(made[:1], clip["samples"][:1])


def test_frames_that_stay_longer_are_seen_by_the_others(moving):
    model, noise = DifferentialDiffusion.execute(moving).args[0], seeded(F, 4, H, W)
    values = [0.0, 0.0, 1.0, 1.0, 1.0]
    made = [
        sampled(model, denoised({"samples": torch.cat((clip, torch.zeros(3, 4, H, W)))}, values), noise)
        for clip in (seeded(2, 4, H, W, seed=8), seeded(2, 4, H, W, seed=9))
    ]
    assert (made[0] - made[1])[2:].abs().amax((1, 2, 3)).min() > 1e-3 * made[0].std()


def test_values_over_frames_and_places_of_several_videos():
    mask = torch.zeros(1, H, W)
    mask[:, : H // 2] = 1.0
    given = {"value": [[0.25, 0.5]], "outside": [0.0], "start_percent": [0.0], "mask": [mask]}
    values = VaryValue.execute(**given).args[0]
    made = denoised({"samples": torch.zeros(4, 4, H, W)}, values, 2)["noise_mask"]
    assert made.shape == (4, 1, H, W)
    assert made[:, 0, 0, 0].tolist() == [0.25, 0.5] * 2 and float(made[:, 0, H // 2 :].max()) == 0.0


@pytest.mark.parametrize(
    "values",
    [
        frame_values([0.5], before=frame_values([1.0]), start_percent=0.5),
        frame_values([0.5], start_percent=0.5),
        type(frame_values([1.0]))(frame_values([1.0]).keys, parse_blocks("down: 0.5")),
    ],
    ids=["keys", "start", "blocks"],
)
def test_values_over_steps_and_blocks_are_refused(values):
    with pytest.raises(ValueError, match="denoise must have the same values at all steps"):
        denoised({"samples": torch.zeros(F, 4, H, W)}, values)


def test_lists_are_checked_as_numbers_are():
    latent = {"samples": torch.zeros(F, 4, H, W)}
    with pytest.raises(ValueError, match=r"denoise=1.5 must be 0 to 1"):
        denoised(latent, [0.0, 1.5, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"number 1 of strength=nan must be a finite number"):
        fixed(latent, latent, strength=[0.5, float("nan")])
    with pytest.raises(ValueError, match="denoise must be a number"):
        denoised(latent, "0.5")
    with pytest.raises(ValueError, match="strength must be a number"):
        fixed(latent, latent, strength=frame_values([1.0]))
