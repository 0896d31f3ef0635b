"""The strength of any ControlNet over frames, places, steps and layers.

A CONTROL_NET of core stays what it is: its class gets `OverTime` in front, which multiplies what the
ControlNet gives to the UNet. So *Apply ControlNet*, chains, hooks and context windows see core's object.

Source: Zhang et al. 2023, arXiv 2302.05543 (soft weights: github.com/lllyasviel/ControlNet, guess mode, 0.825
a layer); ComfyUI-Advanced-ControlNet's "scaled soft weights" fix the exponents, also those of T2I-Adapters.

Letters: N images of a batch, H height, W width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import comfy.controlnet
import torch

from ...frame_values import FrameValues, Placed
from ...motion_modules.call import Forward, frames_in_call
from ..injection.run_values import RunValues
from ..sampling.video_frames import frames_in_batch
from ..windows.controls import selects_frames_itself

_T2I_EXPONENTS = (0, 1, 2, 7)
"""Of the four sizes of a T2I-Adapter's features, the smallest first, as core lists them."""
_T2I_SHARE = 3
"""Places of each size."""


@dataclass(frozen=True)
class OverTimeSettings:
    """Factors of what a ControlNet gives.

    strength: a number, or values over frames, places and steps. soft_weights: of each layer that of the one
    below it, 0..1; 1 = all alike. flip_weights: the other way round. negative_strength: for the negative
    prompt. frames_per_video: where a batch holds several videos; 0 = the whole batch is one. Raises
    ValueError for values by block.
    """

    strength: float | FrameValues = 1.0
    soft_weights: float = 1.0
    flip_weights: bool = False
    negative_strength: float = 1.0
    frames_per_video: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.strength, FrameValues) and self.strength.blocks:
            raise ValueError(
                "strength of ControlNet over Time takes no values by block; take out Vary Value by Block, and"
                " set soft_weights for its layers."
            )

    def placed(self, forward: Forward, sigma_at: Callable[[float], float]) -> Placed:
        """The factors of a forward's images. Raises ValueError for values of another number of frames."""
        strength = self._strength(forward, sigma_at)
        kinds = forward.options.get("cond_or_uncond", [0])
        sides = torch.tensor([self.negative_strength if kind == 1 else 1.0 for kind in kinds])
        rows = sides.repeat_interleave(forward.num_images // len(kinds))
        return replace(strength, values=strength.values * rows[:, None, None])

    def _strength(self, forward: Forward, sigma_at: Callable[[float], float]) -> Placed:
        if not isinstance(self.strength, FrameValues):
            return Placed(torch.full((forward.num_images, 1, 1), float(self.strength)), forward.size)
        length = frames_in_batch(forward.frames_of_run, forward.options, self.frames_per_video)
        self.strength.check_length(length, "strength of ControlNet over Time")
        sigmas = {key.start_percent: float(sigma_at(key.start_percent)) for key in self.strength.keys}
        return RunValues(self.strength, sigmas, length, forward.size).placed(forward)

    def of_layer(self, side: str, index: int, layers: int, is_t2i: bool) -> float:
        """The soft weight of a layer. side: "input", "middle" or "output" of core; layers: of that side."""
        if self.soft_weights == 1:
            return 1.0
        return self.soft_weights ** self._exponent(side, index, layers, is_t2i)

    def _exponent(self, side: str, index: int, layers: int, is_t2i: bool) -> int:
        if side == "middle":
            return layers if self.flip_weights else 0
        if is_t2i:
            exponents = _T2I_EXPONENTS[::-1] if self.flip_weights else _T2I_EXPONENTS
            return exponents[min(index // _T2I_SHARE, len(exponents) - 1)]
        exponent = index + 1 if side == "input" else layers - index
        return layers - exponent if self.flip_weights else exponent


class OverTime:
    """Stands in front of a control object's class. over_time: the settings of each node, which multiply."""

    over_time: tuple[OverTimeSettings, ...]

    def copy(self):
        return _with(super().copy(), self.over_time)

    def pre_run(self, model, percent_to_timestep_function) -> None:
        super().pre_run(model, percent_to_timestep_function)
        self.sigma_at = percent_to_timestep_function

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        """As core's. Where all factors of a call are 0, its network does not run."""
        if x_noisy.ndim != 4:
            raise ValueError(
                f"ControlNet over Time needs the latents of images, 4 dimensions (frames, channels, height, "
                f"width); these have {x_noisy.ndim}. Take it out, and set strength in 'Apply ControlNet'."
            )
        frames = frames_in_call(len(x_noisy), transformer_options)
        forward = Forward(None, len(x_noisy), frames, transformer_options, tuple(x_noisy.shape[2:]))
        self.placed = [settings.placed(forward, self.sigma_at) for settings in self.over_time]
        if all(placed.values.any() for placed in self.placed):
            return super().get_control(x_noisy, t, cond, batched_number, transformer_options)
        previous = self.previous_controlnet
        return previous and previous.get_control(x_noisy, t, cond, batched_number, transformer_options)

    def control_merge(self, control, control_prev, output_dtype):
        own = super().control_merge(control, None, output_dtype)
        scaled = {
            side: [None if x is None else self._scaled(x, side, i, own) for i, x in enumerate(layers)]
            for side, layers in own.items()
        }
        return comfy.controlnet.ControlBase().control_merge(scaled, control_prev, None)

    def _scaled(self, x: torch.Tensor, side: str, index: int, own: dict) -> torch.Tensor:
        is_t2i = isinstance(self, comfy.controlnet.T2IAdapter)
        layers = len(own["output"] or own["input"]) if side == "middle" else len(own[side])
        for settings, placed in zip(self.over_time, self.placed, strict=True):
            x = x.expand(len(placed.values), *x.shape[1:])  # one hint for all frames
            x = x * placed.times(settings.of_layer(side, index, layers, is_t2i)).beside(x)
        return x


@functools.cache
def _class_over_time(base: type) -> type:
    # Named as part of core's module where base is: context windows know those to treat images one by one.
    return type(f"{base.__name__}OverTime", (OverTime, base), {"__module__": base.__module__})


def _with(control, settings: tuple[OverTimeSettings, ...]):
    if not isinstance(control, OverTime):
        control.__class__ = _class_over_time(type(control))
    control.over_time = settings
    return control


def over_time(control_net, settings: OverTimeSettings):
    """A copy of a CONTROL_NET whose strength goes by the settings, on top of those it has already.

    Raises ValueError for a CONTROL_NET of Advanced-ControlNet.
    """
    if selects_frames_itself(control_net):
        raise ValueError(
            "this CONTROL_NET is one of Advanced-ControlNet, which has strengths of its own; load the "
            "ControlNet with ComfyUI's 'Load ControlNet Model'."
        )
    return _with(control_net.copy(), (*getattr(control_net, "over_time", ()), settings))
