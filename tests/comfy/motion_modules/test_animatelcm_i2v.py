"""AnimateLCM-I2V gives the numbers of the published code: encoder and whole UNet; its image gets there."""

import json
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import USE_EXISTING, MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_loras import add_motion_lora_from_file
from zoetrope.host.injection.motion_models import (
    motion_module_from_file,
    new_motion_module,
    save_motion_module,
)
from zoetrope.host.injection.places import places_of
from zoetrope.host.injection.reference_image import LCMImage, animate_with_lcm
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.animatelcm_i2v import ReferenceImage
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.comfy.golden_unet import forward, in_ldm_names, sample, sd1_model
from zoetrope.tests.comfy.golden_unet import motion_module as animatediff_module
from zoetrope.tests.comfy.host.media.small_vaes import image_vae
from zoetrope.tests.comfy.sampler_run import in_sampling_run
from zoetrope.tests.gold_weights import gold_input, gold_state_dict, gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

GOLDEN = load_file(GOLDENS / "animatelcm" / "unet_animatelcm_i2v.safetensors")
META = json.loads((GOLDENS / "animatelcm" / "unet_animatelcm_i2v.json").read_text())


@cache
def published() -> dict[str, torch.Tensor]:
    """The weights of the whole UNet under their published names."""
    return gold_state_dict(META["shapes"], META["gains"])


def in_file() -> dict[str, torch.Tensor]:
    """What the published file holds."""
    return {k: v for k, v in published().items() if "motion_modules." in k or k.startswith("img_encoder.")}


@cache
def checkpoint():
    return sd1_model(in_ldm_names({k: v for k, v in published().items() if k not in in_file()}))


@pytest.fixture
def module(tmp_path):
    save_file(in_file(), tmp_path / "i2v.safetensors")
    return motion_module_from_file(str(tmp_path / "i2v.safetensors"))


@dataclass(frozen=True)
class GoldenInputs:
    """The image of the golden file as latents, in place of a VAE."""

    latents: torch.Tensor
    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)

    def for_run(self, model, shape, num_frames):
        return ReferenceImage(self.latents, num_frames, META["motion_scale"], self.weights)


CASES = {
    "y": lambda video: GoldenInputs(GOLDEN["img_latent"][video, None]),
    "y_video_latent": lambda video: GoldenInputs(GOLDEN["img_latent_video"][video].transpose(0, 1)),
    "y_weights": lambda video: GoldenInputs(GOLDEN["img_latent"][video, None], (1.0, 0.5, 0.0, 2.0)),
}


@pytest.mark.parametrize("video", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_the_whole_unet_is_the_published_one(module, case, video):
    model = apply_motion_module(checkpoint(), replace(module, inputs=CASES[case](video)), MotionSettings())
    x, t, ctx, want = (GOLDEN[name][video : video + 1] for name in ("x", "t", "ctx", case))
    got = in_sampling_run(model, x, lambda: forward(model, x, t, ctx))
    assert_same(got, want)


def test_without_the_encoder_it_is_animatelcm(tmp_path):
    """Text to video by the same motion modules; its saved file has no tables, by which it is known."""
    motion = {key: value for key, value in in_file().items() if "motion_modules." in key}
    save_file(motion, tmp_path / "t2v.safetensors")
    module = motion_module_from_file(str(tmp_path / "t2v.safetensors"))
    model = apply_motion_module(checkpoint(), module, MotionSettings())
    assert_same(forward(model, GOLDEN["x"], GOLDEN["t"], GOLDEN["ctx"]), GOLDEN["y_no_image"])
    save_motion_module(module, str(tmp_path / "saved.safetensors"))
    assert load_file(tmp_path / "saved.safetensors").keys() == motion.keys()
    assert motion_module_from_file(str(tmp_path / "saved.safetensors")).title == "AnimateLCM"


def test_the_encoder_is_the_published_one_for_odd_sizes_too(module):
    latents = {
        "feature": GOLDEN["img_latent"][:1].expand(8, -1, -1, -1),
        "odd_feature": GOLDEN["odd_in"][0].transpose(0, 1),
    }
    for name, frames in latents.items():
        features = module.patcher.model.img_encoder(frames, META["motion_scale"])
        for level, feature in enumerate(features):
            assert_same(feature.transpose(0, 1)[None], GOLDEN[f"{name}{level}"])


def test_a_saved_module_has_the_published_names_and_numbers(module, tmp_path):
    save_motion_module(module, str(tmp_path / "saved.safetensors"))
    saved = load_file(tmp_path / "saved.safetensors")
    assert saved.keys() == in_file().keys()
    assert all(torch.equal(saved[key], value) for key, value in in_file().items())


IMAGES = gold_input("images", (5, 40, 56, 3)).sigmoid()


def moving(module, images=IMAGES[:1], windows=None, settings=None, **image):
    """A MODEL that animates the first of IMAGES, with the noise schedule of the checkpoint."""
    settings = MotionSettings(beta_schedule=USE_EXISTING, **settings or {})
    module = animate_with_lcm(module, LCMImage(image_vae(), images, **image))
    model = apply_motion_module(checkpoint(), module, settings)
    return apply_context_windows(model, windows) if windows else model


def test_image_scale_and_weights_act_and_the_size_may_change(module):
    """Odd sizes too: the UNet and the encoder round up alike."""
    model = moving(module)
    want = sample(model)
    for other in (dict(images=IMAGES[1:2]), dict(motion_scale=0.0), dict(level_weights="0, 1, 1, 1")):
        assert not torch.allclose(sample(moving(module, **other)), want, atol=1e-3)
    assert torch.isfinite(sample(model, size=(7, 11))).all()
    assert torch.equal(sample(model), want)


def test_equal_images_for_each_frame_are_one_image(module):
    each = IMAGES[:1].expand(5, -1, -1, -1)
    assert_same(sample(moving(module, each)), sample(moving(module)))
    assert not torch.allclose(sample(moving(module, IMAGES)), sample(moving(module)), atol=1e-3)


def test_each_video_begins_with_the_first_image(module):
    """Two videos of equal noise and equal images are equal."""
    noise = gold_input("noise", (3, 4, 16, 8)).repeat(2, 1, 1, 1)
    model = moving(module, IMAGES[:3], settings={"frames_per_video": 3})
    first, second = sample(model, noise=noise, frames=6).split(3)
    assert_same(first, second)


@pytest.mark.parametrize("windows_per_batch", [1, 0])
def test_windows_have_the_images_of_their_frames(module, windows_per_batch, monkeypatch):
    """Frames 0-2 and 2-4 of 5, each encoded once in two steps where one call holds both."""
    asked = []
    monkeypatch.setattr(
        ReferenceImage,
        "of_frames",
        lambda image, frames, plain=ReferenceImage.of_frames: asked.append(frames) or plain(image, frames),
    )
    windows = ContextSettings(3, 1, windows_per_batch=windows_per_batch)
    sample(moving(module, IMAGES, windows))
    assert asked == [(0, 1, 2), (2, 3, 4)] * (1 if windows_per_batch == 0 else 2)


def test_bad_input_is_named(module):
    with pytest.raises(ValueError, match="image holds 3 images, .* one for each of the 5 frames"):
        sample(moving(module, IMAGES[:3]))
    with pytest.raises(ValueError, match="level_weights='1, x' must be 4 numbers"):
        moving(module, level_weights="1, x")
    with pytest.raises(ValueError, match="motion_scale=nan must be a finite number"):
        moving(module, motion_scale=float("nan"))
    with pytest.raises(
        ValueError, match="is a module of AnimateDiff; Animate Image .* takes AnimateLCM_sd15"
    ):
        moving(animatediff_module("v3"))
    part = [[gold_input("positive", (1, 7, 48)), {"area": (8, 4, 0, 0), "strength": 1.0}]]
    with pytest.raises(ValueError, match="the network got a part of .*limit a prompt by a mask"):
        sample(moving(module), positive=part)


def test_a_node_that_shrinks_the_unet_s_features_works_beside_it(module):
    from comfy_extras.nodes_model_downscale import PatchModelAddDownscale

    shrunk = PatchModelAddDownscale.execute(moving(module), 3, 2.0, 0.0, 1.0, True, "bicubic", "bicubic")[0]
    assert torch.isfinite(sample(shrunk)).all()


def test_a_motion_lora_changes_layers_over_frames_of_it_and_of_no_other_method(module, tmp_path):
    target = "mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.1."
    halves = (("up", (128, 2)), ("down", (2, 128)))
    lora = {f"{target}processor.to_q_lora.{side}.weight": gold_tensor(side, shape) for side, shape in halves}
    path = str(tmp_path / "lora.safetensors")
    save_file(lora, path)
    changed = add_motion_lora_from_file(module, path, 0.7)
    assert not torch.allclose(sample(moving(changed)), sample(moving(module)), atol=1e-3)
    other = new_motion_module(METHODS["SimDA"], places_of(checkpoint().model.diffusion_model))
    with pytest.raises(ValueError, match="is for AnimateDiff's modules, 'new SimDA' is a module of SimDA"):
        add_motion_lora_from_file(other, path, 0.7)
