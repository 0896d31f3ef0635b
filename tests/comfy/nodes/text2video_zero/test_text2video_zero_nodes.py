"""The nodes of Text2Video-Zero: a chain of them, the field of a video, masks, Instruct-Pix2Pix."""

import comfy.sample
import comfy.samplers
import comfy.supported_models
import pytest
import torch
from comfy_extras.nodes_custom_sampler import (
    CFGGuider,
    DisableNoise,
    KSamplerSelect,
    RandomNoise,
    SamplerCustomAdvanced,
)
from zoetrope.host.injection import MotionSettings
from zoetrope.host.injection.cross_frame_attention import CrossFrames, apply_cross_frame_attention
from zoetrope.host.sampling.text2video_zero import smooth_frames
from zoetrope.nodes.text2video_zero import (
    ApplyCrossFrameAttention,
    MakeMotionField,
    PrepareText2VideoZero,
    ReadMotionField,
    SmoothBackground,
)
from zoetrope.samplers.text2video_zero.background import SmoothSettings
from zoetrope.samplers.text2video_zero.motion_fields import CameraField
from zoetrope.tests.comfy.method_rules import checkpoint, same
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.networks.image_unets import IMAGE_UNETS, image_unet

FIELD = CameraField(64.0, 0.0)


@pytest.mark.parametrize("kind", IMAGE_UNETS)
def test_the_nodes_make_a_video(kind):
    """From the checkpoint to latents of 5 frames, and again with the first frame's background."""
    unet = IMAGE_UNETS[kind]
    (model,) = ApplyCrossFrameAttention.execute(
        checkpoint(kind), "first frame", "0", strength=1.0, start_percent=0.0, end_percent=1.0,
        frames_per_video=0,
    ).args  # fmt: skip
    conds = (unet.conditioning(name) for name in ("positive", "negative"))
    (guider,) = CFGGuider.execute(model, *conds, 3.0).args
    (field,) = MakeMotionField.execute(delta_x=64.0, delta_y=0.0, zoom=1.0, rotation=0.0).args
    (sampler,), (noise,) = KSamplerSelect.execute("ddim").args, RandomNoise.execute(3).args
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "ddim_uniform", 6)
    latent, rest = PrepareText2VideoZero.execute(
        noise, guider, sampler, sigmas, {"samples": torch.zeros(1, 4, 8, 16)}, field,
        num_frames=5, t1_step=2, t0_step=4, as_published=False,
    ).args  # fmt: skip
    (nothing,) = DisableNoise.execute().args
    video = SamplerCustomAdvanced.execute(nothing, guider, sampler, rest, latent).args[0]["samples"]
    assert video.shape == (5, 4, 8, 16) and torch.isfinite(video).all()
    plain = guider.sample(
        noise.generate_noise({"samples": torch.zeros(5, 4, 8, 16)})[:1],
        torch.zeros(1, 4, 8, 16), sampler, sigmas, disable_pbar=True, seed=3,
    )  # fmt: skip
    same(video[:1], plain)  # the first frame is the picture that the checkpoint makes by itself
    (smooth,) = SmoothBackground.execute(
        latent, torch.zeros(5, 64, 128), field, keep=0.0, as_published=False, frames_per_video=0
    ).args
    assert torch.equal(smooth["samples"][1], latent["samples"][0][..., [*range(2, 16), 15, 14]])


def test_the_field_of_a_video_is_its_movement():
    """A pattern that moves 3 pixels to the right and 1 up in each frame."""
    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(1, 1, 40, 56, generator=generator)
    pattern = torch.nn.functional.interpolate(noise, scale_factor=6, mode="bicubic")[0, 0].sigmoid()
    frames = [pattern[60 + k : 188 + k, 60 - 3 * k : 188 - 3 * k] for k in range(4)]
    images = torch.stack(frames)[..., None].expand(-1, -1, -1, 3)
    (field,) = ReadMotionField.execute(images, 1.0).args
    for k, found in enumerate(field.displacements(4, (16, 16)), 1):
        inner = found[:, 4:-4, 4:-4].flatten(1)
        want = torch.tensor([-3.0 * k, 1.0 * k]).double() / 8
        assert (inner.mean(1) - want).abs().max() < 0.05
    with pytest.raises(ValueError, match="movement needs at least 2 frames, got 1"):
        ReadMotionField.execute(images[:1], 1.0)


def test_several_videos_are_smoothed_one_by_one():
    latents, masks = gold_tensor("l", (6, 4, 8, 16)), gold_tensor("m", (6, 8, 16)) > 1
    settings = SmoothSettings(frames_per_video=3)
    got = smooth_frames({"samples": latents, "batch_index": [0]}, masks, FIELD, settings)
    assert got["batch_index"] == [0]
    for part in (slice(0, 3), slice(3, 6)):
        alone = smooth_frames({"samples": latents[part]}, masks[part], FIELD, SmoothSettings())
        assert torch.equal(got["samples"][part], alone["samples"])
    assert not torch.equal(got["samples"], latents)


@pytest.mark.parametrize(
    ("samples", "mask", "frames", "told"),
    [
        (torch.zeros(6, 4, 8, 16), torch.zeros(5, 8, 16), 0, "the mask has 5 frames, the latents have 6"),
        (torch.zeros(6, 4, 8, 16), torch.zeros(8, 16), 0, "the mask has 1 frames, the latents have 6"),
        (torch.zeros(6, 4, 8, 16), torch.zeros(6, 8, 16), 4, "not a whole number of videos of 4 frames"),
        (torch.zeros(1, 4, 6, 8, 16), torch.zeros(6, 8, 16), 0, "needs the latents of images"),
    ],
)
def test_what_does_not_fit_is_refused(samples, mask, frames, told):
    with pytest.raises(ValueError, match=told):
        smooth_frames({"samples": samples}, mask, FIELD, SmoothSettings(frames_per_video=frames))


class EditsImages(comfy.supported_models.SD15_instructpix2pix):
    unet_extra_config = {"num_heads": 4, "num_head_channels": -1}


def test_each_frame_of_instruct_pix2pix_has_its_own_condition():
    """Frames read the first one and their own condition image, so each is that of a video of two."""
    plain = image_unet(EditsImages, in_channels=8, use_linear_in_transformer=False)
    model = apply_cross_frame_attention(plain, CrossFrames(), MotionSettings())
    images, noise = (
        gold_tensor("frames", (4, 4, 8, 16)),
        gold_tensor("noise", (1, 4, 8, 16)).expand(4, -1, -1, -1),
    )

    def edited(which, images):
        text = IMAGE_UNETS["SD1.x"].conditioning("positive")
        told = [[embedding, {**values, "concat_latent_image": images[which]}] for embedding, values in text]
        return comfy.sample.sample(
            model, noise[which].clone(), 2, 3.0, "euler_ancestral", "normal", told, told,
            torch.zeros(len(which), 4, 8, 16), disable_pbar=True, noise_mask=None, seed=1,
        )  # fmt: skip

    whole = edited([0, 1, 2, 3], images)
    changed = images.clone()
    changed[2] += 1
    other = edited([0, 1, 2, 3], changed)
    same(other[[0, 1, 3]], whole[[0, 1, 3]])
    assert not torch.allclose(other[2], whole[2], atol=1e-3)
    changed = images.clone()
    changed[0] += 1
    other = edited([0, 1, 2, 3], changed)
    for frame in range(4):
        assert not torch.allclose(other[frame], whole[frame], atol=1e-3)
