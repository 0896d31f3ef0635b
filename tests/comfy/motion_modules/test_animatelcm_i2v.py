"""AnimateLCM-I2V gives the numbers of the published code: encoder and whole UNet; its image gets there."""

import json
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_models import motion_module_from_file, save_motion_module
from zoetrope.motion_modules.animatelcm_i2v import ReferenceImage
from zoetrope.tests.comfy.golden_unet import forward, in_ldm_names, sd1_model
from zoetrope.tests.comfy.golden_unet import motion_module as animatediff_module
from zoetrope.tests.comfy.sampler_run import in_sampling_run
from zoetrope.tests.gold_weights import gold_state_dict
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


@pytest.mark.parametrize(("name", "latents"), [
    ("feature", GOLDEN["img_latent"][:1].expand(8, -1, -1, -1)), ("odd_feature", GOLDEN["odd_in"][0].transpose(0, 1)),
])  # fmt: skip
def test_the_encoder_is_the_published_one_for_odd_sizes_too(module, name, latents):
    features = module.patcher.model.img_encoder(latents, META["motion_scale"])
    for level, feature in enumerate(features):
        assert_same(feature.transpose(0, 1)[None], GOLDEN[f"{name}{level}"])


def test_a_saved_module_has_the_published_names_and_numbers(module, tmp_path):
    save_motion_module(module, str(tmp_path / "saved.safetensors"))
    saved = load_file(tmp_path / "saved.safetensors")
    assert saved.keys() == in_file().keys()
    assert all(torch.equal(saved[key], value) for key, value in in_file().items())
