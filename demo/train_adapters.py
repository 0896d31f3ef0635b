"""Trains what goes onto the tiny family's frozen networks: second motion module, MotionLoRAs, dusk LoRA, ControlNet."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Callable

import torch
from torch import nn

from ..motion_modules.animatediff import MotionModel
from . import low_rank, networks, stages, training

MOTION_RANK, DUSK_RANK = 8, 8
CAMERAS = {"pan": "pan right", "zoom": "zoom in"}  # stage -> what its MotionLoRA makes the camera do


def motion_layers(motion: MotionModel) -> list[str]:
    """The attention layers that a published MotionLoRA changes."""
    return [name for name, _ in motion.named_modules() if name.endswith(("to_qkv", "to_out.0"))]


def unet_layers(unet: nn.Module) -> list[str]:
    """The UNet's layers that the dusk LoRA changes: all matrices and convolutions of its transformers and residual blocks."""
    kinds = nn.Linear | nn.Conv2d
    return [n for n, m in unet.named_modules() if isinstance(m, kinds) and n.startswith(("input_blocks", "middle_block", "output_blocks"))]


def train_motion_v2(steps: int, work: pathlib.Path, frames: int) -> None:
    """The module in v2 layout: the finished one with a middle block that begins as the identity, all of it trained on."""
    torch.manual_seed(3)
    tokens, text, unet = training.frozen_base(work)
    motion = training.make_motion("v2")
    motion.load_state_dict(motion.state_dict() | training.averages(work, "motion"))
    motion = training.in_bfloat16(motion)
    named = [(k, p) for k, p in motion.named_parameters() if p.requires_grad]
    optimiser = training.MasterOptimiser(named, (), ema=0.98)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.motion_loss(text, unet, motion, tokens, frames, rng, generator)

    training.fit("motion_v2", optimiser, loss_of, steps, work)


def train_motion_lora(stage: str, steps: int, work: pathlib.Path, frames: int) -> None:
    """A MotionLoRA for one camera move, on the finished module in v2 layout."""
    torch.manual_seed(4)
    tokens, text, unet = training.frozen_base(work)
    motion = training.make_motion("v2")
    motion.load_state_dict(motion.state_dict() | training.averages(work, "motion_v2"))
    motion = training.in_bfloat16(motion).requires_grad_(False)
    changes = low_rank.attach(motion, motion_layers(motion), MOTION_RANK)
    optimiser = training.MasterOptimiser(low_rank.named_parameters(changes), (), ema=0.98)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.motion_loss(text, unet, motion, tokens, frames, rng, generator, camera=CAMERAS[stage])

    training.fit(stage, optimiser, loss_of, steps, work)


def train_dusk(steps: int, work: pathlib.Path, batch: int) -> None:
    """A LoRA of the UNet that makes everything look as it does at dusk."""
    torch.manual_seed(5)
    tokens, text, unet = training.frozen_base(work)
    changes = low_rank.attach(unet, unet_layers(unet), DUSK_RANK)
    optimiser = training.MasterOptimiser(low_rank.named_parameters(changes), (), ema=0.98)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.dusk_loss(text, unet, tokens, batch, rng, generator)

    training.fit("dusk", optimiser, loss_of, steps, work)


def train_control(steps: int, work: pathlib.Path, batch: int, partner: training.Partner | None) -> None:
    """A ControlNet that is told outlines; it begins as a copy of the UNet's encoder."""
    torch.manual_seed(6)
    tokens, text, unet = training.frozen_base(work)
    controlnet = networks.make_controlnet(training.averages(work, "unet"))
    controlnet = training.in_bfloat16(controlnet).train()
    optimiser = training.MasterOptimiser(controlnet.named_parameters(), ("input_blocks.0.0",), ema=0.98)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.control_loss(text, unet, controlnet, tokens, batch, rng, generator)

    training.fit("control", optimiser, loss_of, steps, work, partner=partner)


def motion_lora_state(work: pathlib.Path, stage: str) -> dict[str, torch.Tensor]:
    """A trained MotionLoRA under the published key names."""
    out = {}
    for key, value in training.averages(work, stage).items():
        layer, side, part = key.rsplit(".", 2)
        site, _, target = layer.rpartition(".to_")
        target = f"to_{'qkv'[int(part)]}" if target == "qkv" else "to_out"
        out[f"{site}.processor.{target}_lora.{side}.weight"] = value
    return out


def dusk_lora_state(work: pathlib.Path, unet_config: dict, to_diffusers: Callable[[dict], dict]) -> dict[str, torch.Tensor]:
    """The trained dusk LoRA under the key names of kohya's scripts."""
    published = {ours: theirs for theirs, ours in to_diffusers(unet_config).items()}
    sizes = {k: v.shape for k, v in training.averages(work, "unet").items()}
    out = {}
    for key, value in training.averages(work, "dusk").items():
        layer, side, _ = key.rsplit(".", 2)
        name = "lora_unet_" + published[f"{layer}.weight"].removesuffix(".weight").replace(".", "_")
        shape = sizes[f"unet.{layer}.weight"]
        value = value if len(shape) == 2 else value.view(-1, *shape[1:]) if side == "down" else value[:, :, None, None]
        out[f"{name}.lora_{side}.weight"] = value
        out[f"{name}.alpha"] = torch.tensor(float(DUSK_RANK))
    return out
