"""PIA gives the numbers of the published code: the whole UNet and its masks; its image gets there."""

import json
from dataclasses import dataclass, field, replace
from functools import cache

import comfy.model_detection
import comfy.sd
import comfy.supported_models
import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.animated_image import OF_CHECKPOINT, OF_PIA, AnimatedImage, animate_image
from zoetrope.host.injection.motion_models import motion_module_from_file
from zoetrope.host.windows.handler import ContextSettings, apply_context_windows
from zoetrope.motion_modules.methods import METHODS
from zoetrope.motion_modules.pia import MOTION_RANGES, PIAImage, mask_values
from zoetrope.tests.comfy.golden_unet import forward, golden_model, in_ldm_names, sample, sd1_model
from zoetrope.tests.comfy.golden_unet import motion_module as animatediff_module
from zoetrope.tests.comfy.host.media.small_vaes import image_vae
from zoetrope.tests.comfy.sampler_run import in_sampling_run
from zoetrope.tests.gold_weights import gold_input, gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

TABLES = load_file(GOLDENS / "pia" / "mask_tables.safetensors")
GOLDEN = load_file(GOLDENS / "pia" / "unet_pia.safetensors")


@cache
def published() -> dict[str, torch.Tensor]:
    """The weights of the whole UNet under their published names."""
    shapes = json.loads((GOLDENS / "pia" / "unet_pia.json").read_text())["shapes"]
    return {key: gold_tensor(key, shape) for key, shape in shapes.items()}


def checkpoint(**changed):
    """The spatial part as a MODEL of four input channels; changed: weights of conv_in."""
    spatial = {key: value for key, value in published().items() if "motion_modules." not in key}
    first = {"weight": spatial["conv_in.weight"][:, :4], "bias": spatial["conv_in.bias"], **changed}
    return sd1_model(in_ldm_names({**spatial, **{f"conv_in.{key}": value for key, value in first.items()}}))


@pytest.fixture
def pia(tmp_path):
    """Makes a MOTION_MODULE of a file like pia.ckpt, without the weights that are named."""

    def load(*without, **changed):
        parts = {k: v for k, v in published().items() if "motion_modules." in k or k.startswith("conv_in.")}
        kept = {k: v.contiguous() for k, v in {**parts, **changed}.items() if k not in without}
        save_file(kept, tmp_path / "pia.safetensors")
        return motion_module_from_file(str(tmp_path / "pia.safetensors"))

    return load


@dataclass(frozen=True)
class GoldenInputs:
    """The image of the golden file as latents, in place of a VAE."""

    mask: str
    keeps_conv_in: bool

    def for_run(self, model, shape, num_frames):
        return PIAImage(GOLDEN["image_latent"], GOLDEN[self.mask], self.keeps_conv_in)


def run(model):
    """The golden forward inside of what a sampler opens around its steps."""
    x, t, ctx = (GOLDEN[name] for name in ("x", "t", "ctx"))
    return in_sampling_run(model, x, lambda: forward(model, x, t, ctx))


@pytest.mark.parametrize(("mask", "want"), [("mask_coef", "y"), ("mask_coef_mid", "y_mid")])
def test_the_whole_unet_is_the_published_one(pia, mask, want):
    module = pia("conv_in.bias")
    assert module.method.name == module.title == "PIA"
    module = replace(module, inputs=GoldenInputs(mask, keeps_conv_in=True))
    assert_same(run(apply_motion_module(checkpoint(), module, MotionSettings())), GOLDEN[want])


@pytest.mark.parametrize("without", ["conv_in.bias", "nothing"])
def test_all_nine_channels_may_be_those_of_the_file(pia, without):
    """And the bias, where it has one; the checkpoint's own first convolution is another."""
    module = replace(pia(without), inputs=GoldenInputs("mask_coef", keeps_conv_in=False))
    other = {"weight": gold_tensor("other.weight", (64, 4, 3, 3))}
    if without == "nothing":
        other["bias"] = gold_tensor("other.bias", (64,))
    assert_same(run(apply_motion_module(checkpoint(**other), module, MotionSettings())), GOLDEN["y"])


@pytest.mark.parametrize("cond_frame", [0, 4])
@pytest.mark.parametrize("num_frames", [8, 16, 32])
def test_masks_are_the_published_ones(num_frames, cond_frame):
    for place, motion in enumerate(published_ranges()):
        want = TABLES[f"coef_range{place}_frames{num_frames}_cond{cond_frame}"]
        assert torch.equal(mask_values(motion, num_frames, cond_frame), want), motion


def published_ranges() -> list[str]:
    """Our names in the published order."""
    names = json.loads((GOLDENS / "pia" / "mask_tables.json").read_text())["names"]
    assert sorted(names) == sorted(MOTION_RANGES)
    return names


def test_a_file_keeps_its_published_weights(pia):
    saved = METHODS["PIA"].to_file(pia().patcher.model)
    for key in ("conv_in.weight", "conv_in.bias"):
        assert torch.equal(saved[key], published()[key])


IMAGE = gold_input("image", (1, 40, 56, 3)).sigmoid()


def moving(module, model=None, vae=None, windows=None, settings=None, **image):
    """A MODEL that animates IMAGE."""
    image = AnimatedImage(vae or image_vae(), IMAGE, **{"motion": "large", **image})
    model = apply_motion_module(
        model or checkpoint(), animate_image(module, image), settings or MotionSettings()
    )
    return apply_context_windows(model, windows) if windows else model


def test_motion_frame_and_image_of_another_size_act(pia):
    """And the size that is sampled may change from run to run."""
    module = pia()
    want = sample(moving(module))
    for other in (dict(motion="small"), dict(cond_frame=3)):
        assert not torch.allclose(sample(moving(module, **other)), want, atol=1e-3)
    model = moving(module)
    assert sample(model, size=(8, 16)).shape[2:] == (8, 16)
    assert torch.equal(sample(model), want)


@dataclass(frozen=True)
class Watched(PIAImage):
    """Keeps the mask of the images of every call."""

    masks: list = field(default_factory=list)

    def channels(self, call, x):
        beside = super().channels(call, x)
        self.masks.append(beside[:, 0, 0, 0])
        return beside


@dataclass(frozen=True)
class WatchedInputs:
    image: Watched

    def for_run(self, model, shape, num_frames):
        return self.image


@pytest.mark.parametrize("windows_per_batch", [1, 0])
def test_windows_have_the_mask_of_their_frames(pia, windows_per_batch):
    """Two videos of 5 frames, each in windows of frames 0-2 and 2-4."""
    image = Watched(gold_input("latent", (1, 4, 16, 8)), mask_values("large", 5, 1))
    module = replace(pia(), inputs=WatchedInputs(image))
    windows = ContextSettings(3, 1, windows_per_batch=windows_per_batch, frames_per_video=5)
    sample(
        apply_context_windows(apply_motion_module(checkpoint(), module, MotionSettings()), windows),
        frames=10,
        steps=1,
    )
    masks = torch.cat(image.masks).unflatten(0, (-1, 3))
    first, second = torch.tensor([0.8, 1, 0.8]), torch.tensor([0.8, 0.7, 0.7])
    assert len(masks) == 8  # 2 windows of 2 videos for 2 prompts
    assert sum(torch.equal(mask, first) for mask in masks) == 4
    assert sum(torch.equal(mask, second) for mask in masks) == 4


def test_a_frame_that_the_video_does_not_have_is_refused(pia):
    with pytest.raises(ValueError, match="cond_frame=5 must be a frame of the video, 0 to 4"):
        sample(moving(pia(), cond_frame=5), frames=5)
    videos = MotionSettings(frames_per_video=3)
    with pytest.raises(ValueError, match="cond_frame=3 must be a frame of the video, 0 to 2"):
        sample(moving(pia(), cond_frame=3, settings=videos), frames=6)


def test_a_vae_of_another_kind_is_refused(pia):
    vae = comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
    with pytest.raises(ValueError, match="the VAE of Animate Image .* wire the VAE of this checkpoint"):
        sample(moving(pia(), vae=vae))


def test_prompts_of_an_area_are_refused(pia):
    part = [[gold_input("positive", (1, 7, 48)), {"area": (8, 4, 0, 0), "strength": 1.0}]]
    with pytest.raises(ValueError, match="the network got a part of .*limit a prompt by a mask"):
        sample(moving(pia()), positive=part)


def test_modules_and_checkpoints_that_do_not_fit_are_refused(pia):
    module = pia()
    nine = checkpoint(weight=published()["conv_in.weight"])
    with pytest.raises(ValueError, match="the first convolution of this checkpoint takes 9"):
        moving(module, nine)
    with pytest.raises(ValueError, match="makes 64 channels, that of this checkpoint 32"):
        moving(module, golden_model())
    with pytest.raises(ValueError, match="is a module of AnimateDiff, which takes no image"):
        moving(animatediff_module("v3"))
    with pytest.raises(ValueError, match="needs an image; put the node 'Animate Image"):
        apply_motion_module(checkpoint(), module, MotionSettings())


def test_a_file_without_weights_for_noisy_latents_has_the_checkpoint_s(pia):
    weight = published()["conv_in.weight"].clone()
    weight[:, :4] = 0
    module = pia(**{"conv_in.weight": weight})
    with pytest.raises(ValueError, match=r"conv_in='of the PIA file .* has none \(zeros\)"):
        moving(module, conv_in=OF_PIA)
    assert torch.isfinite(sample(moving(module, conv_in=OF_CHECKPOINT))).all()


@pytest.mark.parametrize("shape", [(64, 4, 3, 3), (64, 9, 1, 1), (64,)])
def test_another_first_convolution_is_refused(pia, shape):
    with pytest.raises(ValueError, match="'conv_in.weight' has shape .* is needed for PIA"):
        pia("conv_in.bias", **{"conv_in.weight": torch.ones(shape)})


def test_odd_settings_are_refused():
    with pytest.raises(ValueError, match="image holds 2 images and needs one"):
        AnimatedImage(image_vae(), IMAGE.expand(2, -1, -1, -1), "small")
    with pytest.raises(ValueError, match="motion='huge' is not known; choose one of small"):
        AnimatedImage(image_vae(), IMAGE, "huge")
