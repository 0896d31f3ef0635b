"""SparseCtrl's network: core's ControlNet, with motion modules as acts around its layers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import comfy.cldm.cldm
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import TimestepEmbedSequential

from ...frame_values import ScaledKeys
from ...motion_modules.animatediff.layers import MotionModel, motion_acts
from ...motion_modules.animatediff.sparsectrl import EncoderConfig, SparseCtrlFile
from ...motion_modules.call import Call, Forward, in_forward
from ...motion_modules.points import inject
from ..injection.apply import attention_with
from ..injection.places import places_of


@dataclass(frozen=True)
class SparseMotion:
    """What the motion modules need of one forward. num_frames: F of one video. options: core's
    transformer_options, which say how many chunks the batch holds. attention_scale: a factor of the keys.
    """

    num_frames: int
    strength: float
    options: dict
    attention_scale: float = 1.0

    def resolve(self, forward: Forward) -> Call | None:
        if not self.strength:
            return None
        # As the ControlNet's own layers, they get no options of other packs.
        attention = attention_with({})
        if self.attention_scale != 1:
            attention = ScaledKeys(attention, self.attention_scale)
        return Call(forward, self.num_frames, self.strength, attention)


class SparseControlNet(comfy.cldm.cldm.ControlNet):
    """A ControlNet with its motion modules as `motion`. takes_latents: one convolution sees the hint, in
    place of ControlNet's stack.
    """

    def __init__(self, config: EncoderConfig, file: SparseCtrlFile, operations, dtype, device):
        factory_kwargs = {"dtype": dtype, "device": device}
        super().__init__(
            image_size=32,
            num_heads=8,
            use_spatial_transformer=True,
            legacy=False,
            operations=operations,
            **factory_kwargs,
            **asdict(config),
        )
        self.motion = MotionModel(file.motion, operations=operations, **factory_kwargs)
        self.takes_latents = file.takes_latents
        if file.takes_latents:
            sizes = config.hint_channels, config.model_channels, 3
            first = operations.Conv2d(*sizes, padding=1, **factory_kwargs)
            self.input_hint_block = TimestepEmbedSequential(first)

    def forward(self, x: torch.Tensor, *args, motion: SparseMotion, **kwargs) -> dict:
        """As core's; what is sampled, x (N, C, H, W), is not looked at."""
        acts = motion_acts(self.motion, places_of(self))
        with in_forward(self, len(x), motion.options), inject(self, acts, motion.resolve):
            return super().forward(torch.zeros_like(x), *args, **kwargs)
