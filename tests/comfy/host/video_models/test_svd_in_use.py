"""What Stable Video Diffusion alone has in use: images at both ends in windows, guidance that differs from
frame to frame, LoRAs of camera motion. The rules for every system are in test_in_use.py.
"""

import pytest
import torch
from safetensors.torch import save_file
from zoetrope.host.sampling.frame_guidance import set_frame_guidance
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.loras import add_video_lora
from zoetrope.host.video_models.svd_conditioning import (
    ImageSettings,
    InterpolationSettings,
    OrbitSettings,
    image_to_video,
    interpolation,
    orbit,
)
from zoetrope.samplers.frame_guidance import GuidanceSettings
from zoetrope.tests.comfy.host.context_rig import evaluate, seeded, windowed
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.encoders import tiny_encoders
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.tests.rounding import OTHER_BATCH, assert_same

F, H, W = 6, 8, 5


@pytest.fixture(scope="module")
def encoders():
    return tuple(tiny_encoders().values())


@pytest.fixture(params=["svd", "sv3d_p"])
def model(request, tmp_path):
    VIDEO_NETWORKS[request.param].write(tmp_path / "model.pth")
    return video_model_from_file(str(tmp_path / "model.pth")).model


def image(name="picture"):
    return gold_input(name, (1, 8 * H, 8 * W, 3)).abs().clamp(max=1)


def both(model, encoders, frames=F):
    """Positive and negative conditioning as the system's node makes them."""
    if model.model.system.name == "svd":
        return image_to_video(*encoders, image(), ImageSettings(8 * W, 8 * H, frames))[:2]
    return orbit(*encoders, image(), OrbitSettings(8 * W, 8 * H, frames, "sine"))[:2]


def noise_of(frames=F, seed=1):
    return seeded(frames, 4, H, W, seed=seed)


@pytest.mark.parametrize("model", ["svd"], indirect=True)
def test_windows_between_two_images_get_the_frames_that_are_theirs(model, encoders):
    conditioning = interpolation(
        *encoders, image(), image("end"), InterpolationSettings(8 * W, 8 * H, F, augmentation=0.0)
    )[:2]
    together = evaluate(windowed(model, context_length=3, context_overlap=0), noise_of(), *conditioning)
    parts = []
    for start in (0, 3):
        sides = [
            [
                [token, {**values, "concat_latent_image": values["concat_latent_image"][start : start + 3]}]
                for token, values in side
            ]
            for side in conditioning
        ]
        parts.append(evaluate(model, noise_of()[start : start + 3], *sides))
    assert_same(together, torch.cat(parts), OTHER_BATCH)


def test_guidance_over_frames_sees_the_whole_clip_behind_windows(model, encoders):
    def run(target):
        return evaluate(target, noise_of(), *both(model, encoders))

    settings = {"context_length": 3, "context_overlap": 0}
    shaped = run(windowed(set_frame_guidance(model, GuidanceSettings()), **settings))
    cond, uncond = (
        evaluate(windowed(model, **settings), noise_of(), *both(model, encoders), cfg=cfg)
        for cfg in (1.0, 0.0)
    )
    scale = torch.linspace(1.0, 4.0, F).view(-1, 1, 1, 1)
    assert_same(shaped, uncond + scale * (cond - uncond))


def test_a_camera_motion_lora_changes_how_frames_go_together(model, encoders, tmp_path):
    """One on a layer of attention over frames alone; strength 0 is off."""
    name = "unet.down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_v"
    content = {
        f"{name}.lora_B.weight": gold_input("up", (64, 3)),
        f"{name}.lora_A.weight": gold_input("down", (3, 64), 0.3),
    }
    save_file(content, tmp_path / "pan.safetensors")
    plain = evaluate(model, noise_of(), *both(model, encoders))
    off, on = (
        evaluate(
            add_video_lora(model, str(tmp_path / "pan.safetensors"), strength),
            noise_of(),
            *both(model, encoders),
        )
        for strength in (0.0, 1.0)
    )
    assert torch.equal(off, plain)
    assert (on - plain).abs().max() > 1e-2 * plain.std()
