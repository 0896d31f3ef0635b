"""Several Context Windows on one MODEL, each of which rules a part of the noise schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ...samplers.context_parts import parts_of_steps
from ..sampling.steps import step_of
from .settings import ContextSettings

OF_THE_VIDEO = {"noise_type": "default", "frame_axis": "auto", "frames_per_video": 0, "pieces": ()}
"""Settings that are the same from the first step to the last, and what stands for "as before"."""

Plan = tuple[list[list[int]], list[list[float]]]


@dataclass(frozen=True)
class ContextParts:
    """settings: by rising start_percent; the first rule until the next begin."""

    settings: tuple[ContextSettings, ...]

    def and_then(self, later: ContextSettings) -> tuple[ContextSettings, ...]:
        """The settings of these and of one part more. Raises ValueError where that contradicts them."""
        first, last = self.settings[0], self.settings[-1]
        if later.start_percent <= last.start_percent:
            raise ValueError(
                f"start_percent={later.start_percent:g} must be above {last.start_percent:g}, that of the"
                " Context Windows in front; wire these nodes in the order of their start_percent."
            )
        for name, as_before in OF_THE_VIDEO.items():
            if (value := getattr(later, name)) not in (as_before, getattr(first, name)):
                raise ValueError(
                    f"{name}={value} contradicts {getattr(first, name)} of the first Context Windows: it is"
                    f" the same in a whole run; set it to {as_before} here, or change it there."
                )
        of_the_video = {name: getattr(first, name) for name in OF_THE_VIDEO}
        return (*self.settings, replace(later, **of_the_video))

    def of_steps(self, sampling, sigmas: Sequence[float]) -> list[ContextSettings]:
        """The settings that rule each step of these noise levels. sampling: the MODEL's model_sampling."""
        starts = [float(sampling.percent_to_sigma(part.start_percent)) for part in self.settings]
        numbers = parts_of_steps(sigmas, starts, [part.guarantee_steps for part in self.settings])
        return [self.settings[number] for number in numbers]

    def at(self, model, timestep: torch.Tensor, model_options: Mapping) -> ContextSettings:
        """The settings that rule the step of a noise level (B,); outside of a run those of the level.
        model: core's BaseModel.
        """
        if len(self.settings) == 1:
            return self.settings[0]
        sigmas = model_options.get("transformer_options", {}).get("sample_sigmas")
        steps = timestep[:1] if sigmas is None or len(sigmas) < 2 else sigmas[:-1]
        step = min(step_of(timestep, model_options), len(steps) - 1)
        return self.of_steps(model.model_sampling, steps.tolist())[step]

    def plans_of_run(self, num_frames: int, sampling, sigmas: Sequence[float]) -> Iterator[Plan]:
        """The windows of a video at each step, and their weights at noise level 0; made again only where they
        may fail at one step and not at another. Raises ValueError where a step has none.
        """
        known: dict[ContextSettings, Plan] = {}
        for step, part in enumerate(self.of_steps(sampling, sigmas)):
            if part not in known or part.changes_by_step:
                known[part] = part.plan(num_frames, step, 0.0)
            yield known[part]
