"""What each family of motion modules meets in a workflow, cell by cell, against sums done by hand.

A row is a family on its kind of checkpoint, a column is what people put beside it. The oracle of a column is
a run in which that does not occur: the weights changed in place of a LoRA, each conditioning, window, area or
video alone. The rules of method_rules.py hold several videos, little memory and windows in one call or in
several for every method; here they are for SparseCtrl, which is no method.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import comfy.hooks
import comfy.sample
import comfy.sd
import pytest
import torch
from safetensors.torch import save_file
from zoetrope.host.controlnets.sparsectrl import SparseSettings, place_sparse_images
from zoetrope.host.controlnets.sparsectrl_file import sparsectrl_from_file
from zoetrope.host.injection import USE_EXISTING, MotionSettings, apply_motion_module
from zoetrope.host.injection.camera import CameraMove
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.comfy.method_rules import INPUTS, Case, H, W, _controlnet_of, _lora, same, with_inputs
from zoetrope.tests.comfy.temporal_methods.test_families import FAMILIES, family_method
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.networks.image_unets import image_unet
from zoetrope.tests.places import GOLDENS

VIDEO = 3
"""Frames of a video, or of a window of one that is twice as long."""
SPARSE = "SparseCtrl"
SIZE = {"width": 8 * W, "height": 8 * H, "target_width": 8 * W, "target_height": 8 * H}
"""What SDXL is told of the picture, where only a part of it is sampled too."""
ROWS = {
    **{version: kind for version, (kind, _) in FAMILIES.items()},
    "v3": "SD1.x",
    "SDXL beta": "SDXL",
    **dict.fromkeys(("PIA", "AnimateLCM-I2V", "CameraCtrl", "MotionCtrl", SPARSE), "SD1.x"),
}
"""Family -> the kind of checkpoint that it is for."""
LATER = CameraMove(INPUTS["CameraCtrl"]().poses.of_frames(range(VIDEO, 2 * VIDEO)))


@dataclass
class LaterImage:
    """PIA's image as the second of two windows sees it."""

    whole: object

    def for_run(self, model, shape, num_frames):
        ready = self.whole.for_run(model, shape, 2 * num_frames)
        return replace(ready, mask=ready.mask[num_frames:])


LATER_INPUTS = {"CameraCtrl": LATER, "MotionCtrl": LATER, "PIA": LaterImage(INPUTS["PIA"]())}
"""Family -> what it needs besides its weights in the second of two windows, where that differs."""


@dataclass
class Row:
    """A family. sparse: the CONTROL_NET of the row that is one."""

    name: str
    case: Case
    sparse: object = None

    def moving(self, model=None, inputs=None, **settings):
        module = replace(with_inputs(self.case.trained()), **({"inputs": inputs} if inputs else {}))
        settings = MotionSettings(beta_schedule=USE_EXISTING, **settings)
        return apply_motion_module(model or self.case.plain, module, settings)

    def prompt(self, name, tokens=7, **values):
        """A conditioning with more values, and SparseCtrl where it is the row's."""
        if self.sparse is not None and "control" not in values:
            values["control"] = self.sparse
        if "control" in values:
            values["control_apply_to_uncond"] = False
        text, own = self.case.unet.conditioning(name, tokens)[0]
        return [[text, {**own, **SIZE, **values}]]

    def sample(self, model, noise, positive=None, negative=None, cfg=1.0, **more):
        """One step of core's sampling: what the network makes of the noise; at cfg 1 without the negative."""
        prompts = positive or self.prompt("positive"), negative or self.prompt("negative")
        latent = torch.zeros_like(noise)
        return comfy.sample.sample(
            model, noise, 1, cfg, "euler", "normal", *prompts, latent, disable_pbar=True, seed=1, **more
        )


@pytest.fixture(scope="module", params=ROWS)
def row(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("row")
    if request.param in FAMILIES:
        method = family_method(request.param)
    else:
        method = METHODS.get(request.param, METHODS["AnimateDiff"])
    case = Case(method, ROWS[request.param], folder)
    return Row(request.param, case, sparse_control(folder) if request.param == SPARSE else None)


def sparse_control(folder):
    """The golden scribble model with one drawing, which lies at the first frame."""
    shapes = json.loads((GOLDENS / "sparsectrl" / "sparsectrl_tiny.json").read_text())["shapes"]["scribble"]
    small = ("controlnet_down_blocks", "controlnet_mid_block")
    tensors = {k: gold_tensor(k, s, 0.2 if k.startswith(small) else 1.0) for k, s in shapes.items()}
    save_file(tensors, folder / "scribble.safetensors")
    control = place_sparse_images(
        sparsectrl_from_file(str(folder / "scribble.safetensors")), SparseSettings(frames_per_video=0)
    )
    return control.copy().set_cond_hint(gold_tensor("drawing", (1, 3, 8 * H, 8 * W)).sigmoid(), 0.9)


def noise_of(frames):
    return torch.randn(frames, 4, H, W, generator=torch.Generator().manual_seed(frames))


def different(one, other):
    assert torch.isfinite(one).all() and (one - other).abs().max() > 1e-3 * other.abs().max()


def test_a_lora_is_the_weights_changed_in_place(row):
    noise, case, lora = noise_of(VIDEO), row.case, _lora(row.case)
    patched, _ = comfy.sd.load_lora_for_models(case.plain, None, lora, 0.7, 0)
    merged = case.unet.model()
    up, down = (next(v for k, v in lora.items() if f"lora_{side}" in k) for side in ("up", "down"))
    ((weight, _),) = [(k, v) for k, v in patched.patches.items()]
    merged.model.get_submodule(weight.removesuffix(".weight")).weight.data += 0.7 * up @ down
    got = row.sample(row.moving(patched), noise)
    same(got, row.sample(row.moving(merged), noise))
    different(got, row.sample(row.moving(), noise))


def test_a_hook_is_the_lora_on_its_conditioning_alone(row):
    noise, lora = noise_of(VIDEO), _lora(row.case)
    patched, _ = comfy.sd.load_lora_for_models(row.case.plain, None, lora, 1.0, 0)
    hooked = row.prompt("positive", hooks=comfy.hooks.create_hook_lora(lora, 1.0, 1.0))
    alone = row.sample(row.moving(patched), noise)
    same(row.sample(row.moving(), noise, hooked), alone)
    mask = torch.zeros(1, H, W)
    mask[..., : W // 4] = 1.0
    hooked[0][1]["mask"], hooked[0][1]["mask_strength"] = mask, 0.5
    got = row.sample(row.moving(), noise, hooked + row.prompt("other"))
    other = row.sample(row.moving(), noise, row.prompt("other"))
    same(got, (0.5 * mask * alone + other) / (0.5 * mask + 1))


def test_masked_prompts_are_each_alone_in_their_shares(row):
    """Of two lengths; masks of every frame."""
    noise, masks = noise_of(VIDEO), gold_tensor("masks", (VIDEO, H, W)).sigmoid()
    positive = row.prompt("masked", mask=masks, mask_strength=0.8) + row.prompt("other", tokens=14)
    got = row.sample(row.moving(), noise, positive)
    masked, other = (
        row.sample(row.moving(), noise, prompt)
        for prompt in (row.prompt("masked"), row.prompt("other", tokens=14))
    )
    shares = 0.8 * masks[:, None]
    same(got, (shares * masked + other) / (shares + 1))
    different(masked, other)


WHOLE_IMAGES = {"PIA", "CameraCtrl", "AnimateLCM-I2V"}
"""Families that read something of the whole image, so an area is refused."""


def test_prompts_for_halves_are_halves_alone(row):
    noise, half = noise_of(VIDEO), W // 2
    places = [{"area": (H, half, 0, x), "strength": 1.0} for x in (0, half)]
    left, right = (row.prompt(f"at {place['area'][3]}", 7 + place["area"][3], **place) for place in places)
    if row.name in WHOLE_IMAGES:
        with pytest.raises(ValueError, match="the network got a part of"):
            row.sample(row.moving(), noise, left + right)
        return
    got = row.sample(row.moving(), noise, left + right)
    prompts = [row.prompt(f"at {place['area'][3]}", 7 + place["area"][3]) for place in places]
    halves = [
        row.sample(row.moving(), part, prompt)
        for part, prompt in zip(noise.split(half, -1), prompts, strict=True)
    ]
    same(got, torch.cat(halves, -1))


def test_guidance_is_the_sum_of_both_prompts_alone(row):
    """Of two lengths. MotionCtrl's negative prompt has no camera, so alone it is another one."""
    noise, moving = noise_of(VIDEO), row.moving()
    positive, negative = row.prompt("positive", tokens=14), row.prompt("negative")
    got = row.sample(moving, noise, positive, negative, cfg=3.0)
    with_text, without = (row.sample(moving, noise, prompt) for prompt in (positive, negative))
    want = without + 3.0 * (with_text - without)
    if row.name == "MotionCtrl":
        different(got, want)
    else:
        same(got, want)


def test_windows_that_do_not_overlap_are_videos_alone(row):
    """Each with what its frames need: poses, the changes of PIA's image, the sparse image that is nearest."""
    noise = noise_of(2 * VIDEO)
    windows = ContextSettings(context_length=VIDEO, context_overlap=0)
    got = row.sample(apply_context_windows(row.moving(), windows), noise)
    later = row.moving(inputs=LATER_INPUTS.get(row.name))
    alone = [
        row.sample(row.moving(inputs=first_inputs(row)), noise[:VIDEO]),
        row.sample(later, noise[VIDEO:]),
    ]
    same(got, torch.cat(alone))
    different(got, row.sample(row.moving(), noise))


def first_inputs(row):
    """What the first of two windows needs, where it depends on the length of the video."""
    return FirstImage(INPUTS["PIA"]()) if row.name == "PIA" else None


@dataclass
class FirstImage(LaterImage):
    """PIA's image as the first of two windows sees it."""

    def for_run(self, model, shape, num_frames):
        ready = self.whole.for_run(model, shape, 2 * num_frames)
        return replace(ready, mask=ready.mask[:num_frames])


def test_videos_with_hints_of_their_own_are_videos_alone(row):
    """A ControlNet that is told an image for every frame; beside SparseCtrl both are a chain."""
    noise, hints = noise_of(2 * VIDEO), 1e13 * gold_tensor("hints", (2 * VIDEO, 3, 8 * H, 8 * W))

    def told(images):
        control = _controlnet_of(row.case.kind).copy().set_cond_hint(images, 0.7)
        if row.sparse is not None:
            control.set_previous_controlnet(in_videos(row.sparse))
        return row.prompt("positive", control=control)

    moving = row.moving(frames_per_video=VIDEO)
    got = row.sample(moving, noise, told(hints))
    parts = zip(noise.split(VIDEO), hints.split(VIDEO), strict=True)
    same(got, torch.cat([row.sample(moving, video, told(images)) for video, images in parts]))
    different(got, row.sample(moving, noise, told(hints.flip(0))))


def in_videos(sparse):
    """SparseCtrl for a batch of several videos."""
    control = sparse.copy()
    control.settings = replace(control.settings, frames_per_video=VIDEO)
    return control


FOUR_CHANNELS = {"PIA", "AnimateLCM-I2V"}
"""Families that put an image beside latents of four channels, so an inpainting checkpoint is refused."""


def test_videos_on_an_inpainting_checkpoint_are_videos_alone(row):
    """Its first convolution sees the mask and the masked picture of every frame besides."""
    kind = row.case.unet.model
    plain = image_unet(*kind.args, in_channels=9, **kind.keywords)
    if row.name in FOUR_CHANNELS:
        with pytest.raises(ValueError, match="the first convolution of this checkpoint takes 9"):
            row.moving(plain)
        return
    moving = row.moving(plain, frames_per_video=VIDEO)
    noise, masks = noise_of(2 * VIDEO), gold_tensor("inpaint", (2 * VIDEO, 1, H, W)).sigmoid().round()
    pictures = gold_tensor("pictures", (2 * VIDEO, 4, H, W))

    def inpainted(frames):
        values = {"concat_latent_image": pictures[frames], "concat_mask": masks[frames]}
        if row.sparse is not None:
            values["control"] = in_videos(row.sparse)
        return row.sample(moving, noise[frames], row.prompt("positive", **values), noise_mask=masks[frames])

    got = inpainted(slice(None))
    same(got, torch.cat([inpainted(slice(VIDEO)), inpainted(slice(VIDEO, None))]))
    assert got[masks.expand_as(got) == 1].std() > 100 * got[masks.expand_as(got) == 0].std()


@pytest.mark.parametrize("row", [SPARSE], indirect=True)
def test_sparsectrl_runs_conditionings_one_by_one(row):
    """With room for one at a time; every method does so by a rule."""
    noise, model = noise_of(VIDEO), row.case.plain.model
    want, factor = row.sample(row.moving(), noise, cfg=3.0), model.memory_usage_factor
    model.memory_usage_factor = 1e9
    try:
        same(row.sample(row.moving(), noise, cfg=3.0), want)
    finally:
        model.memory_usage_factor = factor
