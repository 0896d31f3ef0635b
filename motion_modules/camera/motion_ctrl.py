"""MotionCtrl's camera part: every motion module reads a matrix of the camera between its two attentions.

Source: Wang et al. 2023, arXiv 2312.03641; github.com/TencentARC/MotionCtrl (branch animatediff) fixes the
details: the matrix is the same for every pixel, zeros for the negative prompt, where the layer still runs;
the second attention and its norm are trained too. Its object part (trajectories) is not here.

Letters: N images, C channels. Names are those of the motion module, and
`<site>.temporal_transformer.transformer_blocks.0.cc_projection`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from einops import repeat
from torch import nn

from .. import animatediff
from ..animatediff.files import is_motion_module, read_motion_module, to_model_names
from ..animatediff.layers import MotionConfig, MotionModel, TemporalTransformer, TemporalTransformerBlock
from ..call import Attention, Call
from ..file_tensors import StateDict, refuse_broken_numbers
from ..points import Act, Acts
from ..unet_places import UNetPlaces
from .condition import NEEDS, CameraCondition
from .sites import check_sites, site_of

MATRIX = 12
_PROJECTION, _TABLE = ".cc_projection.", ".pos_encoder.pe"
_TRAINED = (".attention_blocks.1.", ".norms.1.")
"""Layers of the motion module that a file of MotionCtrl has its own of."""


class SteeredBlock(TemporalTransformerBlock):
    """A transformer block over frames that reads the camera behind its first attention."""

    def __init__(self, channels: int, config: MotionConfig, operations=nn, device=None, dtype=None):
        super().__init__(channels, config, operations, device, dtype)
        self.cc_projection = operations.Linear(channels + MATRIX, channels, device=device, dtype=dtype)
        if self.cc_projection.weight.device.type != "meta":
            nn.init.eye_(self.cc_projection.weight)
            nn.init.zeros_(self.cc_projection.bias)

    def attend(
        self, number: int, tokens: torch.Tensor, attention: Attention, camera: torch.Tensor, strength: float
    ) -> torch.Tensor:
        """camera: (pixels, F, 12)."""
        tokens = super().attend(number, tokens, attention)
        if number or not strength:
            return tokens
        return torch.lerp(tokens, self.cc_projection(torch.cat((tokens, camera), -1)), strength)


class MotionCtrl(MotionModel):
    """Motion modules that read the camera."""

    block_class = SteeredBlock


def acts(network: MotionCtrl, places: UNetPlaces) -> Acts:
    """The motion modules, each with the camera's matrices."""
    return {places.blocks[block].last: _steered(network.at(block)) for block in network.sites}


def _steered(temporal: TemporalTransformer) -> Act:
    def add_motion(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        camera: CameraCondition = call.inputs
        pixels = x.shape[2] * x.shape[3]
        matrices = camera.matrices(call).to(x)
        tokens = repeat(matrices, "(b f) c -> (b p) f c", f=call.num_frames, p=pixels)
        steering = {"camera": tokens, "strength": camera.strength, "views": call.views}
        return call.add(x, temporal(x, call.num_frames, call.attention, call.join_norms, **steering))

    return add_motion


def claims(keys: frozenset[str]) -> bool:
    """Whether a file with these keys holds motion modules and MotionCtrl on them, as this pack saves it."""
    return is_motion_module(keys) and any(_PROJECTION in key for key in keys) and _has_module(keys)


def is_control(keys: frozenset[str]) -> bool:
    """Whether a file with these keys is MotionCtrl's camera part alone."""
    return any(_PROJECTION in key for key in keys) and not _has_module(keys)


def _has_module(keys: frozenset[str]) -> bool:
    return any(".attention_blocks.0.to_q." in key for key in keys)


def read(tensors: StateDict, file_name: str) -> tuple[MotionConfig, StateDict]:
    """Config and weights of a file that holds both. Raises ValueError for one that is damaged."""
    own = {key: value for key, value in tensors.items() if _PROJECTION in key}
    rest = {key: value for key, value in tensors.items() if key not in own}
    config, weights = read_motion_module(rest, file_name)
    return config, weights | _own_weights(own, (_PROJECTION,), config, file_name)


def read_control(tensors: StateDict, motion: MotionConfig, file_name: str) -> tuple[MotionConfig, StateDict]:
    """Config of a module of config `motion` with MotionCtrl, and the weights that this puts in or adds.

    tensors: of MotionCtrl alone; the module keeps its position tables, which are a formula. Sites that it
    lacks read no camera. Raises ValueError for a module of other sites or widths, and for a damaged file.
    """
    own = {key: value for key, value in tensors.items() if is_part(key)}
    return motion, _own_weights(own, (_PROJECTION, *_TRAINED), motion, file_name)


def is_part(key: str) -> bool:
    """Whether a key of a module with MotionCtrl, here or in a file, is MotionCtrl's."""
    trained = any(part in key for part in _TRAINED) and not key.endswith(_TABLE)
    return site_of(key) is not None and (trained or _PROJECTION in key)


def _own_weights(own: StateDict, parts: tuple[str, ...], config: MotionConfig, file_name: str) -> StateDict:
    check_sites(own, "cc_projection.weight", config, file_name)
    steered = {site_of(key) for key in own}
    new = MotionCtrl(config, device="meta").state_dict()
    expected = {
        key: value
        for key, value in new.items()
        if site_of(key) in steered and any(part in key for part in parts) and not key.endswith(_TABLE)
    }
    refuse_broken_numbers(own, file_name)
    return _unsteered(new, steered) | to_model_names(own, expected, file_name)


def _unsteered(new: Mapping[str, torch.Tensor], steered: set[str | None]) -> StateDict:
    """Projections that pass everything on, of the sites that a file does not steer."""
    absent = {key: value for key, value in new.items() if _PROJECTION in key and site_of(key) not in steered}
    return {
        key: torch.eye(*value.shape) if value.ndim == 2 else torch.zeros(value.shape)
        for key, value in absent.items()
    }


METHOD = replace(
    animatediff.METHOD,
    name="MotionCtrl",
    claims=claims,
    read=read,
    build=MotionCtrl,
    acts=acts,
    title=lambda config: f"{animatediff.METHOD.title(config)} with MotionCtrl",
    needs=NEEDS,
)
