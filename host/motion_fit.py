"""Which checkpoints a motion module fits, and where their blocks have no transformer."""

from __future__ import annotations

import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, UNetModel

from ..foreign_text import printable
from .motion_models import MotionModule


def unet_that_fits(model, motion_module: MotionModule) -> UNetModel:
    """The UNet of a MODEL. Raises ValueError saying why the motion module does not fit it."""
    unet = model.get_model_object("diffusion_model")
    if not isinstance(unet, UNetModel):
        raise ValueError(
            f"a motion module needs a Stable Diffusion UNet, this MODEL is a {type(unet).__name__}; load an "
            "SD1.x checkpoint (or SDXL for an SDXL module) with Load Checkpoint."
        )
    if wrong := _what_does_not_fit(unet, motion_module):
        raise ValueError(
            f"the motion module '{printable(motion_module.name)}' ({motion_module.config.version}) does not "
            f"fit this checkpoint: {wrong}. Use a motion module that was made for this kind of checkpoint."
        )
    return unet


def blocks_without_transformer(unet: UNetModel) -> frozenset[tuple[str, int]]:
    """The blocks, as ("input" | "middle" | "output", index), behind whose ResBlock a motion module runs."""
    return frozenset(
        key
        for key, block in _blocks(unet).items()
        if not any(isinstance(layer, SpatialTransformer) for layer in block)
    )


def _what_does_not_fit(unet: UNetModel, motion_module: MotionModule) -> str:
    config, sites = motion_module.config, motion_module.patcher.model
    levels = len(unet.channel_mult)
    kinds = {3: "SDXL", 4: "SD1.x"}
    if levels != config.num_levels:
        return (
            f"it was made for a UNet of {config.num_levels} levels "
            f"({kinds.get(config.num_levels, 'unknown')}), this checkpoint has {levels} "
            f"({kinds.get(levels, 'unknown')})"
        )
    blocks = _blocks(unet)
    for block in sites.sites:
        have, need = _out_channels(blocks.get(block)), sites.channels_at(block)
        if have != need:
            have = have or "no such block"
            return f"at {block[0]} block {block[1]} it has {need} channels, this checkpoint has {have}"
    if config.has_mid and ("middle", 0) in blocks_without_transformer(unet):
        return "it follows the spatial transformer of the middle block, this checkpoint has none there"
    return ""


def _blocks(unet: UNetModel) -> dict[tuple[str, int], torch.nn.Module]:
    blocks = {("input", i): b for i, b in enumerate(unet.input_blocks)}
    blocks |= {("output", i): b for i, b in enumerate(unet.output_blocks)}
    if unet.middle_block is not None:
        blocks["middle", 0] = unet.middle_block
    return blocks


def _out_channels(block) -> int | None:
    if block is None:
        return None
    return next((layer.out_channels for layer in block if isinstance(layer, ResBlock)), None)
