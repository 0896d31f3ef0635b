"""Trains what goes onto the tiny family's frozen networks:
second motion module, MotionLoRAs, dusk LoRA, ControlNet, camera control.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from ..motion_modules.animatediff.files import to_original_names
from ..motion_modules.animatediff.layers import MotionModel
from ..motion_modules.animatediff.motion_lora import LowRankChange, published_motion_lora, read_motion_lora
from ..motion_modules.camera import motion_ctrl
from . import low_rank, moving_camera, networks, stages, training
from .batches import Batch, Drawer
from .camera_teachers import Teachers

MOTION_RANK, DUSK_RANK = 8, 8
SHIFT = (3, 7, 11)  # the numbers of [R|t] that say where the camera is
CAMERA_FASTER = {"cc_projection": 10.0}  # the few numbers that read the camera, relative to its attention
CAMERAS = {"pan": "pan right", "zoom": "zoom in"}  # stage -> what its MotionLoRA makes the camera do
TEACHERS = {stage: teacher.move for stage, teacher in moving_camera.TEACHERS.items()}  # one of them ships not


def motion_layers(motion: MotionModel) -> list[str]:
    """The attention layers that a published MotionLoRA changes."""
    return [name for name, _ in motion.named_modules() if name.endswith(("to_qkv", "to_out.0"))]


def unet_layers(unet: nn.Module) -> list[str]:
    """The UNet's layers that the dusk LoRA changes:
    all matrices and convolutions of its transformers and residual blocks.
    """
    kinds = nn.Linear | nn.Conv2d
    return [
        n
        for n, m in unet.named_modules()
        if isinstance(m, kinds) and n.startswith(("input_blocks", "middle_block", "output_blocks"))
    ]


def train_motion_v2(setup: training.Setup) -> None:
    """The module in v2 layout:
    the finished one with a middle block that begins as the identity, all of it trained on.
    """
    torch.manual_seed(3)
    drawer = Drawer(setup.favoured)
    text, unet = training.frozen_base(setup.work, setup.device)
    motion = training.in_bfloat16(finished_motion("v2", setup.work, "motion"), setup.device)
    named = [(k, p) for k, p in motion.named_parameters() if p.requires_grad]
    optimiser = training.MasterOptimiser(named, (), ema=0.98)

    def draw(seed: int) -> tuple[Batch]:
        return (drawer.clips(setup.frames_of("motion_v2"), seed, "motion_v2"),)

    training.fit("motion_v2", optimiser, draw, partial(stages.motion_loss, text, unet, motion), setup)


def finished_motion(version: str, work: pathlib.Path, stage: str) -> MotionModel:
    """A module in a layout with the weights that a stage ended in; what it lacks stays untrained."""
    motion = training.make_motion(version)
    motion.load_state_dict(motion.state_dict() | training.averages(work, stage))
    return motion


def train_motion_lora(stage: str, setup: training.Setup) -> None:
    """A MotionLoRA for one camera move, on the finished module in v2 layout."""
    torch.manual_seed(4)
    drawer = Drawer(setup.favoured)
    text, unet = training.frozen_base(setup.work, setup.device)
    motion = training.in_bfloat16(
        finished_motion("v2", setup.work, "motion_v2"), setup.device
    ).requires_grad_(False)
    changes = low_rank.attach(motion, motion_layers(motion), MOTION_RANK)
    optimiser = training.MasterOptimiser(low_rank.named_parameters(changes), (), ema=0.98)

    def draw(seed: int) -> tuple[Batch]:
        return (drawer.clips(setup.frames_of(stage), seed, stage, camera=TEACHERS[stage]),)

    training.fit(stage, optimiser, draw, partial(stages.motion_loss, text, unet, motion), setup)


def train_dusk(setup: training.Setup) -> None:
    """A LoRA of the UNet that makes everything look as it does at dusk."""
    torch.manual_seed(5)
    drawer = Drawer()
    text, unet = training.frozen_base(setup.work, setup.device)
    changes = low_rank.attach(unet, unet_layers(unet), DUSK_RANK)
    optimiser = training.MasterOptimiser(low_rank.named_parameters(changes), (), ema=0.98)

    def draw(seed: int) -> tuple[Batch]:
        return (drawer.images(setup.frames_of("dusk"), seed, "dusk"),)

    training.fit("dusk", optimiser, draw, partial(stages.dusk_loss, text, unet), setup)


def train_control(setup: training.Setup, partner: training.Partner | None) -> None:
    """A ControlNet that is told outlines, by turns on pictures and on clips;
    it begins as a copy of the UNet's encoder.
    """
    torch.manual_seed(6)
    drawer = Drawer()
    text, unet = training.frozen_base(setup.work, setup.device)
    motion = training.in_bfloat16(finished_motion("v3", setup.work, "motion"), setup.device).requires_grad_(
        False
    )
    controlnet = networks.make_controlnet(training.averages(setup.work, "unet"))
    controlnet = training.in_bfloat16(controlnet, setup.device).train()
    optimiser = training.MasterOptimiser(controlnet.named_parameters(), ("input_blocks.0.0",), ema=0.98)
    frames = setup.frames_of("control")

    def draw(seed: int) -> tuple[Batch]:
        return (
            drawer.clips(frames, seed, "control") if seed % 2 else drawer.images(frames, seed, "control"),
        )

    training.fit(
        "control",
        optimiser,
        draw,
        partial(stages.control_loss, text, unet, controlnet, motion),
        setup,
        partner=partner,
    )


def train_camera(setup: training.Setup) -> None:
    """MotionCtrl's camera part on the finished module in v2 layout, of which nothing else is trained: it
    learns what the MotionLoRAs of the cameras do.
    """
    torch.manual_seed(7)
    drawer = Drawer()
    text, unet = training.frozen_base(setup.work, setup.device)
    plain, taught = (
        training.in_bfloat16(finished_motion("v2", setup.work, "motion_v2"), setup.device).requires_grad_(
            False
        )
        for _ in range(2)
    )
    teachers = Teachers(taught, {stage: training.averages(setup.work, stage) for stage in TEACHERS})
    steered = steered_motion(training.averages(setup.work, "motion_v2"))
    steered = training.in_bfloat16(steered, setup.device)
    named = []
    for name, parameter in steered.named_parameters():
        parameter.requires_grad_(motion_ctrl.is_part(name) and not name.endswith("cc_projection.bias"))
        if name.endswith("cc_projection.weight"):
            parameter.register_hook(_of_the_shift)
        named += [(name, parameter)] if parameter.requires_grad else []
    optimiser = training.MasterOptimiser(named, ("",), ema=0.97, faster=CAMERA_FASTER)

    def draw(seed: int) -> tuple[Batch]:
        return (drawer.steered(setup.frames_of("camera"), seed, "camera"),)

    loss = partial(stages.camera_loss, text, unet, plain, teachers, steered)
    training.fit("camera", optimiser, draw, loss, setup)


def _of_the_shift(gradient: torch.Tensor) -> torch.Tensor:
    """The gradient of the columns that read where the camera is: the others stay what passes features on.

    The world's cameras never turn, so what reads R would learn three times the same bias, and mostly noise.
    """
    of_shift = torch.zeros_like(gradient)
    columns = [len(gradient) + number for number in SHIFT]
    of_shift[:, columns] = gradient[:, columns]
    return of_shift


def steered_motion(finished: dict[str, torch.Tensor]) -> motion_ctrl.MotionCtrl:
    """A module in v2 layout with the weights `finished`, and camera control that does nothing yet."""
    steered = motion_ctrl.MotionCtrl(training.make_motion("v2").config)
    steered.load_state_dict(steered.state_dict() | finished)
    return steered


def camera_state(work: pathlib.Path) -> dict[str, torch.Tensor]:
    """The trained camera control alone, under the published key names."""
    steered = steered_motion(training.averages(work, "motion_v2"))
    steered.load_state_dict(steered.state_dict() | training.averages(work, "camera"))
    return {key: value for key, value in to_original_names(steered).items() if motion_ctrl.is_part(key)}


def motion_lora_state(work: pathlib.Path, stage: str) -> dict[str, torch.Tensor]:
    """A trained MotionLoRA under the published key names."""
    halves: dict[tuple[str, int | None], dict[str, torch.Tensor]] = {}
    for key, value in training.averages(work, stage).items():
        layer, side, part = key.rsplit(".", 2)
        place = f"{layer}.weight", int(part) if layer.endswith("to_qkv") else None
        halves.setdefault(place, {})[side] = value
    return published_motion_lora(LowRankChange(*place, **both) for place, both in halves.items())


def trained_motion_lora(published: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What `motion_lora_state` was made of: a MotionLoRA's parameters as they are trained."""
    out = {}
    for change in read_motion_lora(published):
        layer = change.key.removesuffix(".weight")
        out[f"{layer}.up.{change.part or 0}"], out[f"{layer}.down.{change.part or 0}"] = (
            change.up,
            change.down,
        )
    return out


def dusk_lora_state(
    work: pathlib.Path, unet_config: dict, to_diffusers: Callable[[dict], dict]
) -> dict[str, torch.Tensor]:
    """The trained dusk LoRA under the key names of kohya's scripts."""
    published = {ours: theirs for theirs, ours in to_diffusers(unet_config).items()}
    sizes = {k: v.shape for k, v in training.averages(work, "unet").items()}
    out = {}
    for key, value in training.averages(work, "dusk").items():
        layer, side, _ = key.rsplit(".", 2)
        name = "lora_unet_" + published[f"{layer}.weight"].removesuffix(".weight").replace(".", "_")
        shape = sizes[f"unet.{layer}.weight"]
        value = (
            value
            if len(shape) == 2
            else value.view(-1, *shape[1:])
            if side == "down"
            else value[:, :, None, None]
        )
        out[f"{name}.lora_{side}.weight"] = value
        out[f"{name}.alpha"] = torch.tensor(float(DUSK_RANK))
    return out
