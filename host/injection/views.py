"""Windows inside temporal layers ("views"): all frames go through the network in one call, and each temporal
layer sees windows of them, whose results are fused.

Source: AnimateDiff-Evolved's view options, whose choice is kept: the attentions of a transformer block with
their norms and residuals are done window by window, the weighted mean of that goes into its feed-forward.
FreeNoise's published code (Qiu et al. 2023, arXiv 2310.15169) fuses single attentions. Positions count from
the first frame of each window. FreeLong's blend (samplers/freelong.py) is of the same attentions together.

Letters: F frames of a video, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from ...foreign_text import printable
from ...motion_modules.call import Forward
from ...motion_modules.method import TemporalMethod
from ...samplers.context_fusion import FUSE_METHODS, FusionPlan, WindowFusion, fuse_weights
from ...samplers.context_schedules import check_context, create_context_windows
from ...samplers.freelong import blend, slow_part
from ..sampling.steps import step_of

VIEWS = "zoetrope_views"
"""The key of transformer_options that holds the ViewSettings of a MODEL."""


@dataclass(frozen=True)
class ViewSettings:
    """What a person chooses; lengths are frames. Raises ValueError for settings that make no sense."""

    view_length: int = 16
    view_overlap: int = 4
    view_schedule: str = "standard_static"
    view_stride: int = 1
    closed_loop: bool = False
    fuse_method: str = "pyramid"
    global_until: float = 0.0
    """Part of the steps in which slow changes come from attention over all frames (FreeLong)."""

    def __post_init__(self) -> None:
        if not 0 <= self.global_until <= 1:
            raise ValueError(
                f"global_until={self.global_until} must be 0..1, a part of the steps; 0 is windows alone."
            )
        check_context(self.view_schedule, self.view_length, self.view_overlap, self.view_stride, "view")
        if self.fuse_method not in FUSE_METHODS:
            raise ValueError(
                f"fuse_method='{printable(self.fuse_method)}' must be one of {', '.join(FUSE_METHODS)}; "
                "choose one of these."
            )

    def longest(self, num_frames: int) -> int:
        """The most frames that a layer sees at once of a video of num_frames frames."""
        return num_frames if self.global_until else min(num_frames, self.view_length)

    def windows(self, num_frames: int, step: int) -> list[list[int]]:
        """The windows of a sampling step of a video of num_frames frames."""
        return create_context_windows(
            self.view_schedule,
            num_frames,
            self.view_length,
            self.view_overlap,
            self.view_stride,
            self.closed_loop,
            step,
        )

    def check_plans(self, lengths: Iterable[set[int]]) -> None:
        """Raises ValueError where the windows of one of the steps of a run cannot be made or weighed.

        lengths: how many frames the layers get at each step, of all frames or of a context window.
        """
        names = self.view_schedule, self.fuse_method
        changes_by_step = any("AnimateDiff-Evolved" in name for name in names)
        known: set[int] = set()
        for step, of_step in enumerate(lengths):
            for num_frames in of_step if changes_by_step else of_step - known:
                Views(self, num_frames, step)
            known |= of_step


class Views:
    """The windows of one forward at a sampling step of noise level sigma, for every temporal layer in it."""

    def __init__(
        self, settings: ViewSettings, num_frames: int, step: int, sigma: float = 0.0, steps: int = 1
    ) -> None:
        self.windows = settings.windows(num_frames, step)
        overlap, method = settings.view_overlap, settings.fuse_method if len(self.windows) > 1 else "flat"
        weights = [fuse_weights(method, window, num_frames, overlap, sigma) for window in self.windows]
        self._plan_on = lambda device: FusionPlan(self.windows, weights, num_frames, device)
        self._plan: FusionPlan | None = None
        self._slow = slow_part(num_frames) if step < settings.global_until * steps else None

    def __call__(
        self, tokens: torch.Tensor, layers: Callable[[torch.Tensor, list[int]], torch.Tensor]
    ) -> torch.Tensor:
        """tokens (batch, F, C) through layers(tokens of a window, its frames), fused: (batch, F, C)."""
        self._plan = self._plan or self._plan_on(tokens.device)
        fusion = WindowFusion(self._plan, tokens, 1)
        for frames in self.windows:
            fusion.add(layers(tokens[:, frames], frames))
        if self._slow is None:
            return fusion.result()
        self._slow = self._slow.to(tokens.device)
        whole = layers(tokens, list(range(tokens.shape[1])))
        return blend(whole, fusion.result(), self._slow)


def views_in(forward: Forward, num_frames: int) -> Views | None:
    """The views of a forward of videos of num_frames frames; None where one view holds them all."""
    settings: ViewSettings | None = forward.options.get(VIEWS)
    if settings is None or num_frames <= settings.view_length:
        return None
    sigmas = forward.options.get("sigmas")
    step = 0 if sigmas is None else step_of(sigmas, {"transformer_options": forward.options})
    steps = len(forward.options.get("sample_sigmas", (1, 0))) - 1
    return Views(settings, num_frames, step, forward.sigma or 0.0, steps)


def refuse_without_views(method: TemporalMethod, name: str) -> None:
    """Raises ValueError for a method whose layers see all frames at once, whatever is chosen."""
    if not (method.takes_views or method.per_frame):
        raise ValueError(
            f"'{printable(name)}' is a module of {method.name}, whose layers take no windows inside; use the "
            "node 'Context Windows' in place of 'Windows inside Layers'."
        )
