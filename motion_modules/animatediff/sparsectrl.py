"""SparseCtrl: a ControlNet whose hints lie at a few frames, with motion modules of its own.

Source: Guo et al. 2023, arXiv 2311.16933; github.com/guoyww/AnimateDiff (sparse_controlnet.py) fixes the
details: one motion module with one attention behind each layer of the down path and none in the middle; noisy
latents replaced by zeros; the hint beside a mask channel, both zeros at frames without an image. The rgb file
takes latents of images through one convolution, the scribble file pixels through ControlNet's own stack.

Letters: N images, F frames, N = B*F, C channels of the hint, H height, W width.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ...foreign_text import printable
from ..file_tensors import StateDict, describe_keys, plain_tensors, refuse_broken_numbers
from .files import CONDITION_EMBEDDING, is_motion_module, is_sparsectrl, read_sites
from .layers import MotionConfig

ROWS = 32
"""Of its position tables, which the published files may lack."""


@dataclass(frozen=True)
class SparseCtrlFile:
    """What a file holds. encoder: the ControlNet's weights under diffusers' names. motion, motion_weights:
    its motion modules under our names. takes_latents: whether hints are latents of images (rgb) and not
    pixels (scribble).
    """

    encoder: StateDict
    motion: MotionConfig
    motion_weights: StateDict
    takes_latents: bool


def read_sparsectrl(raw: Mapping, file_name: str) -> SparseCtrlFile:
    """What a SparseCtrl file holds. Raises ValueError saying what another or a damaged file is."""
    tensors = plain_tensors(raw)
    if not is_sparsectrl(frozenset(tensors)):
        raise ValueError(
            f"'{printable(file_name)}' is no SparseCtrl model but {_other_kind(tensors)}. Choose a file such "
            "as v3_sd15_sparsectrl_rgb.ckpt."
        )
    encoder = {key: value for key, value in tensors.items() if ".motion_modules." not in key}
    refuse_broken_numbers(encoder, file_name)
    motion, weights = read_sites(tensors, file_name, "v3", ("down_blocks",), ROWS)
    return SparseCtrlFile(encoder, motion, weights, f"{CONDITION_EMBEDDING}weight" in encoder)


def _other_kind(tensors: StateDict) -> str:
    keys = frozenset(tensors)
    if is_motion_module(keys):
        return "a motion module: put it into models/animatediff_models and use 'Load Motion Module'"
    if any(CONDITION_EMBEDDING in key or "zero_convs." in key or "lora_controlnet" in key for key in keys):
        return "a ControlNet without motion modules: use 'Load ControlNet Model'"
    return describe_keys(tensors)


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of a ControlNet's encoder, as core's ControlNet takes them; one entry a level or a layer."""

    in_channels: int
    model_channels: int
    hint_channels: int
    channel_mult: tuple[int, ...]
    num_res_blocks: list[int]
    transformer_depth: list[int]
    transformer_depth_middle: int
    context_dim: int


def encoder_config(file: SparseCtrlFile, file_name: str) -> EncoderConfig:
    """The sizes that an encoder's shapes tell. Raises ValueError where a weight that tells one is missing."""

    def shape(key: str, dims: int) -> torch.Size:
        value = file.encoder.get(key)
        if value is None or value.ndim != dims or not all(value.shape):
            raise ValueError(
                f"'{printable(file_name)}' lacks a whole '{printable(key)}'; the SparseCtrl model is"
                " incomplete, download it again."
            )
        return value.shape

    def count(prefix: str) -> int:
        found = {m[1] for key in file.encoder if (m := re.match(rf"{re.escape(prefix)}(\d+)\.", key))}
        return len(found)

    first, levels = shape("conv_in.weight", 4), count("down_blocks.")
    hint = f"{CONDITION_EMBEDDING}weight" if file.takes_latents else f"{CONDITION_EMBEDDING}conv_in.weight"
    layers = {level: count(f"{level}resnets.") for level in map("down_blocks.{}.".format, range(levels))}
    widths = [shape(f"{level}resnets.0.conv1.weight", 4)[0] for level in layers]
    attentions = [f"{level}attentions.{i}." for level, number in layers.items() for i in range(number)]
    middle = "mid_block.attentions.0."
    return EncoderConfig(
        in_channels=first[1],
        model_channels=first[0],
        hint_channels=shape(hint, 4)[1],
        channel_mult=tuple(width // first[0] for width in widths),
        num_res_blocks=list(layers.values()),
        transformer_depth=[count(f"{attention}transformer_blocks.") for attention in attentions],
        transformer_depth_middle=count(f"{middle}transformer_blocks."),
        context_dim=shape(f"{middle}transformer_blocks.0.attn2.to_k.weight", 2)[1],
    )


def sparse_hints(images: torch.Tensor, rows: Sequence[int | None], mask_value: float = 1.0) -> torch.Tensor:
    """What the encoder sees: row i is image rows[i] with a mask of ones (or of mask_value), or zeros without
    an image.

    images (n, C, H, W), rows of length N -> (N, C + 1, H, W). Rows [1, None] of 2 images: the second image
    at the first frame, nothing at the second.
    """
    hints = images.new_zeros(len(rows), images.shape[1] + 1, *images.shape[2:])
    for place, row in enumerate(rows):
        if row is not None:
            hints[place, :-1], hints[place, -1] = images[row], mask_value
    return hints
