"""CameraCtrl: an encoder of camera rays whose features steer the first attention of every motion module.

Source: He et al. 2024, arXiv 2404.02101; github.com/hehao13/CameraCtrl fixes the details: the input of the
attention, position included, gets `qkv_merge` of itself plus the features; features stay on for the negative
prompt; the encoder knows 16 positions. Odd sizes of features are rounded up, where the
reference fails (ours).

Letters: B videos, F frames, N = B*F images, C channels, H height, W width of the latents.
Names are those of the motion module and of CameraCtrl_pruned.safetensors: `encoder_*`, and
`<site>.temporal_transformer.transformer_blocks.0.attention_blocks.0.processor.qkv_merge`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from ...frame_values import unscaled
from .. import animatediff
from ..animatediff.files import is_motion_module, read_motion_module, to_model_names, to_original_names
from ..animatediff.layers import (
    MotionConfig,
    MotionModel,
    TemporalAttention,
    TemporalTransformer,
    TemporalTransformerBlock,
    config_for,
)
from ..call import Attention, Call
from ..file_tensors import StateDict, refuse_broken_numbers
from ..frame_features import Encode, FeatureBlock, Frames, Levels, before_features
from ..points import Act, Acts
from ..unet_places import UNetPlaces
from ..zero_layers import start_at_zero
from .condition import NEEDS, CameraCondition
from .sites import check_sites, site_of

PIXELS = 8
"""On the side of a latent: the encoder starts from rays of pixels."""
RAY = 6
BLOCKS_PER_LEVEL = 2
_MERGE, _ENCODER, _PREFIX = ".processor.qkv_merge.", "encoder_", "pose_encoder."


@dataclass(frozen=True)
class CameraCtrlConfig(MotionConfig):
    """pose_length: rows of the encoder's position table."""

    pose_length: int = 16

    @property
    def of_encoder(self) -> MotionConfig:
        """What the encoder's blocks over frames are made from: one attention each."""
        return MotionConfig(self.version, {}, self.pose_length, num_attention_blocks=1)


class SteeredAttention(TemporalAttention):
    """Attention over frames whose input a camera changes; a new one leaves it as it is."""

    def __init__(self, channels: int, config: MotionConfig, operations=nn, device=None, dtype=None):
        super().__init__(channels, config.heads, config.position_length, operations, device, dtype)
        self.processor = nn.Module()
        self.processor.qkv_merge = operations.Linear(channels, channels, device=device, dtype=dtype)
        start_at_zero(self.processor.qkv_merge)

    def forward(
        self, tokens: torch.Tensor, attention: Attention, camera: torch.Tensor, strength: float
    ) -> torch.Tensor:
        """tokens, camera (pixels, F, C) -> (pixels, F, C)."""
        tokens = self.pos_encoder(tokens)
        if strength:
            tokens = tokens + strength * self.processor.qkv_merge(tokens + camera)
        q, k, v = self.to_qkv(tokens).chunk(3, dim=-1)
        return self.to_out(attention(q, k, v, self.heads))


class SteeredBlock(TemporalTransformerBlock):
    """A transformer block over frames whose first attention is steered."""

    def __init__(self, channels: int, config: MotionConfig, operations=nn, device=None, dtype=None):
        super().__init__(channels, config, operations, device, dtype)
        self.attention_blocks[0] = SteeredAttention(channels, config, operations, device, dtype)

    def attend(
        self, number: int, tokens: torch.Tensor, attention: Attention, camera: torch.Tensor, strength: float
    ) -> torch.Tensor:
        if number:
            return super().attend(number, tokens, attention)
        return tokens + self.attention_blocks[0](self.norms[0](tokens), attention, camera, strength)


class PoseEncoder(nn.Module):
    """Rays of pixels -> features for each level of the UNet."""

    def __init__(self, config: CameraCtrlConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        settings = {"device": device, "dtype": dtype}
        widths = config.widths
        self.encoder_conv_in = operations.Conv2d(RAY * PIXELS**2, widths[0], 3, padding=1, **settings)
        self.encoder_down_conv_blocks = nn.ModuleList()
        self.encoder_down_attention_blocks = nn.ModuleList()
        before = widths[0]
        for level, channels in enumerate(widths):
            blocks = nn.ModuleList()
            for number in range(BLOCKS_PER_LEVEL):
                halves = level > 0 and number == 0
                blocks.append(FeatureBlock(before, channels, halves, operations, **settings))
                before = channels
            over_frames = [
                TemporalTransformerBlock(channels, config.of_encoder, operations, **settings) for _ in blocks
            ]
            self.encoder_down_conv_blocks.append(blocks)
            self.encoder_down_attention_blocks.append(nn.ModuleList(over_frames))

    def forward(self, rays: torch.Tensor, attention: Attention) -> Levels:
        """rays (F, 6, 8H, 8W) of the frames of one video."""
        x = self.encoder_conv_in(F.pixel_unshuffle(rays, PIXELS))
        features = []
        for blocks, over_frames in zip(
            self.encoder_down_conv_blocks, self.encoder_down_attention_blocks, strict=True
        ):
            for block, frames in zip(blocks, over_frames, strict=True):
                x = block(x)
                tokens = frames(rearrange(x, "f c h w -> (h w) f c"), attention)
                x = rearrange(tokens, "(h w) f c -> f c h w", h=x.shape[2])
            features.append(x)
        return features


class CameraCtrl(MotionModel):
    """Motion modules that a camera steers, and the encoder of its poses."""

    block_class = SteeredBlock

    def __init__(self, config: CameraCtrlConfig, operations=nn, device=None, dtype=None):
        super().__init__(config, operations, device, dtype)
        self.pose_encoder = PoseEncoder(config, operations, device, dtype)


def acts(network: CameraCtrl, places: UNetPlaces) -> Acts:
    """The motion modules, each steered by the features of its level."""
    found: dict[str, Act] = {
        places.blocks[block].last: _steered(network, network.at(block), _level(site, network.config))
        for block, site in network.sites.items()
    }

    def encoder(call: Call, x: torch.Tensor) -> Encode:
        camera: CameraCondition = call.inputs
        height, width = (PIXELS * size for size in camera.size)

        def encode(frames: Frames) -> Levels:
            rays = camera.poses.of_frames(list(frames)).rays(width, height)
            return network.pose_encoder(rays.to(x), unscaled(call.attention))

        return encode

    found[places.conv_in.path] = before_features("CameraCtrl", lambda call: call.inputs.size, encoder)
    return found


def _level(site: str, config: MotionConfig) -> int:
    """The level of the features at a site: down i -> i, up i -> mirrored, middle -> the last."""
    kind, number, *_ = site.split(".")
    last = config.num_levels - 1
    return {"down_blocks": int, "up_blocks": lambda i: last - int(i)}.get(kind, lambda _: last)(number)


def _steered(network: CameraCtrl, temporal: TemporalTransformer, level: int) -> Act:
    def add_motion(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        x = inner(x, *args, **kwargs)
        camera: CameraCondition = call.inputs
        feature = camera.features.at_level(call, level, x)
        tokens = rearrange(feature, "(b f) c h w -> (b h w) f c", f=call.num_frames)
        steering = {"camera": tokens, "strength": camera.strength}
        return call.add(x, temporal(x, call.num_frames, call.attention, call.join_norms, **steering))

    return add_motion


def is_own(key: str) -> bool:
    """Whether a key is CameraCtrl's, not the motion module's."""
    return _MERGE in key or key.startswith(_ENCODER)


def claims(keys: frozenset[str]) -> bool:
    """Whether a file with these keys holds motion modules and CameraCtrl on them, as this pack saves it."""
    return is_motion_module(keys) and any(_MERGE in key for key in keys)


def is_control(keys: frozenset[str]) -> bool:
    """Whether a file with these keys is CameraCtrl alone."""
    return any(_MERGE in key for key in keys) and not claims(keys)


def read(tensors: StateDict, file_name: str) -> tuple[CameraCtrlConfig, StateDict]:
    """Config and weights of a file that holds both. Raises ValueError for one that is damaged."""
    own = {key: value for key, value in tensors.items() if is_own(key)}
    rest = {key: value for key, value in tensors.items() if key not in own}
    motion, weights = read_motion_module(rest, file_name)
    config, steering = read_control(own, motion, file_name)
    return config, weights | steering


def read_control(
    tensors: StateDict, motion: MotionConfig, file_name: str
) -> tuple[CameraCtrlConfig, StateDict]:
    """Config of a module of config `motion` with CameraCtrl, and the weights that this adds.

    tensors: of CameraCtrl alone. Sites that it lacks are not steered. Raises ValueError for a module of other
    sites or widths, and for a damaged file.
    """
    own = {key: value for key, value in tensors.items() if is_own(key)}
    check_sites(own, "attention_blocks.0.processor.qkv_merge.weight", motion, file_name)
    config = with_poses(motion, own)
    new = CameraCtrl(config, device="meta").state_dict()
    named = {_PREFIX + key if key.startswith(_ENCODER) else key: value for key, value in own.items()}
    expected = {key: value for key, value in new.items() if is_own(key.removeprefix(_PREFIX))}
    steered = {site_of(key) for key in own}
    absent = {
        k: torch.zeros(v.shape) for k, v in expected.items() if _MERGE in k and site_of(k) not in steered
    }
    refuse_broken_numbers(own, file_name)
    return config, to_model_names(absent | named, expected, file_name)


def with_poses(motion: MotionConfig, tensors: StateDict) -> CameraCtrlConfig:
    """The config of a module with CameraCtrl. tensors: of the encoder, whose table says how many frames."""
    tables = [value for key, value in tensors.items() if key.startswith(_ENCODER) and key.endswith(".pe")]
    length = tables[0].shape[1] if tables and tables[0].ndim == 3 else CameraCtrlConfig.pose_length
    values = {field.name: getattr(motion, field.name) for field in fields(MotionConfig)}
    return CameraCtrlConfig(**values, pose_length=length)


def to_file(network: CameraCtrl) -> StateDict:
    """The weights under published names, module and camera in one file."""
    return {key.removeprefix(_PREFIX): value for key, value in to_original_names(network).items()}


METHOD = replace(
    animatediff.METHOD,
    name="CameraCtrl",
    claims=claims,
    read=read,
    build=CameraCtrl,
    acts=acts,
    new=lambda places: with_poses(config_for(places), {}),
    to_file=to_file,
    title=lambda config: f"{animatediff.METHOD.title(config)} with CameraCtrl",
    longest=lambda config: min(config.position_length, config.pose_length),
    takes_views=False,  # its encoder sees all frames of a video at once
    needs=NEEDS,
)
