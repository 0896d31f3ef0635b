"""Cross-Frame Attention on a MODEL: the acts of motion_modules/cross_frame_attention.py, which have no
weights, with the settings and checks of every temporal method.
"""

from __future__ import annotations

from dataclasses import dataclass

import comfy.model_patcher
import torch
from comfy.patcher_extension import WrappersMP

from ...foreign_text import printable
from ...frame_tools.selection import check_expression, select_frames
from ...motion_modules.call import SINGLE_FRAMES, Call, Forward
from ...motion_modules.cross_frame_attention import CHOSEN, FIRST, METHOD, SOURCES, ChosenFrames, acts
from ...motion_modules.unet_places import UNetPlaces
from ..node_notes import current_node, say
from .apply import KEY, apply_method
from .block_factors import block_factors
from .motion import MotionCalls, refuse_second_keys
from .places import places_in
from .run_checks import sigma_range
from .settings import MotionSettings

NODE = "Cross-Frame Attention"


@dataclass(frozen=True)
class CrossFrames:
    """What frames read. keys_from: one of SOURCES. frames: the chosen ones, as select_frames takes them.

    Raises ValueError for another choice, and for a text that names no frames.
    """

    keys_from: str = FIRST
    frames: str = "0"

    def __post_init__(self) -> None:
        if self.keys_from not in SOURCES:
            known = ", ".join(SOURCES)
            raise ValueError(f"keys_from='{printable(self.keys_from)}' is not known; choose one of {known}.")
        if self.keys_from == CHOSEN:
            check_expression(self.frames)

    def of_video(self, num_frames: int) -> ChosenFrames | None:
        """The chosen frames of a video; None where none are chosen. Raises ValueError for one it lacks."""
        if self.keys_from != CHOSEN:
            return None
        return ChosenFrames(tuple(dict.fromkeys(select_frames(self.frames, num_frames))), num_frames)

    def for_run(self, model, shape: torch.Size, num_frames: int) -> ChosenFrames | None:
        """As a motion module's inputs are made ready for a sampling run."""
        return self.of_video(num_frames)


@dataclass(frozen=True)
class CrossFrameModule:
    """What MotionCalls and messages look at, as of a motion module."""

    inputs: CrossFrames
    method = METHOD
    config = None
    name = node = NODE


class CrossFrameCalls(MotionCalls):
    """As a motion module's, and idle where every image is a video of its own."""

    def wrap_outer_sample(self, executor, *args, **kwargs):
        if SINGLE_FRAMES in executor.class_obj.model_options["transformer_options"]:
            return executor(*args, **kwargs)
        return super().wrap_outer_sample(executor, *args, **kwargs)

    def __call__(self, forward: Forward) -> Call | None:
        return None if SINGLE_FRAMES in forward.options else super().__call__(forward)


def apply_cross_frame_attention(
    model: comfy.model_patcher.ModelPatcher, frames: CrossFrames, settings: MotionSettings
) -> comfy.model_patcher.ModelPatcher:
    """A clone of model whose self-attentions read other frames; model itself is not changed.

    strength 0 returns a plain clone. Raises ValueError for a MODEL without such attentions, and where another
    method decides already what they read.
    """
    places = places_in(model, NODE)
    refuse_without_attention(places, "MODEL")
    module = CrossFrameModule(frames)
    refuse_second_keys(model, module)
    if settings.strength == 0:
        say(f"{NODE} is off: its strength is 0.", current_node())
        return model.clone()
    factors = block_factors((settings.strength, 1.0), places)
    calls = CrossFrameCalls(module, settings, sigma_range(model, settings), factors)
    patched = apply_method(model, acts(places, frames.keys_from), calls)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, calls.wrap_outer_sample)
    return patched


def refuse_without_attention(places: UNetPlaces, kind: str) -> None:
    """Raises ValueError for a network that has no self-attentions. kind: of its link."""
    if not any(block.attentions for block in places.blocks.values()):
        raise ValueError(
            f"{NODE} needs self-attentions, this {kind} has none; take one of SD1.x, SD2.x or SDXL."
        )
