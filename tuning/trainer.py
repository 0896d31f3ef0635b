"""The loop: gradients, updates, the average of the weights, states that a killed run goes on from.

All chance comes from the seed and the number of the clip (`generator_of`), so a run that was stopped goes on
with what it would have had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from .optimisers import OPTIMISERS
from .rates import rate_factor
from .recipe import Recipe
from .run_state import RunFolder

SAVE_SECONDS = 120
"""Between two states of a run that are written while it goes on."""


@dataclass(frozen=True)
class Progress:
    """What is told after each update. step: updates made so far. loss: of this one."""

    step: int
    steps: int
    loss: float


class NotFinite(ValueError):
    """A loss or a gradient that is no number; the weights are those before it."""


@dataclass
class Trainer:
    """Trains parameters by a recipe. folder: where its state is kept; None = nowhere.

    The parameters are float32, need gradients, and are changed in place.
    """

    parameters: Mapping[str, nn.Parameter]
    recipe: Recipe
    folder: RunFolder | None = None
    losses: list[float] = field(default_factory=list)

    def __post_init__(self):
        if not self.parameters:
            raise ValueError("there is nothing to train: no weight was chosen; choose other layers.")
        self.step = 0
        self.optimiser = OPTIMISERS[self.recipe.optimizer](
            list(self.parameters.values()),
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
        )
        self.average = {k: p.detach().clone() for k, p in self.parameters.items()} if self.recipe.ema else {}
        if self.folder is not None and (state := self.folder.read()) is not None:
            self._go_on(state)

    def run(
        self, loss_of: Callable[[int], torch.Tensor], after: Callable[[Progress], None] = lambda _: None,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:  # fmt: skip
        """Makes the updates that are left. loss_of(number): the loss of the clip of this number, from 0 on.

        after may raise to stop: the state is written then too. scaler: for networks in float16.
        Raises NotFinite where a loss or a gradient is no number.
        """
        written = time.monotonic()
        try:
            while self.step < self.recipe.steps:
                loss = self._update(loss_of, scaler)
                self.step += 1
                self.losses.append(loss)
                if self.folder is not None and time.monotonic() - written > SAVE_SECONDS:
                    self._write()
                    written = time.monotonic()
                after(Progress(self.step, self.recipe.steps, loss))
        except BaseException:
            self._clear()
            if self.folder is not None and self.step:
                self._write()
            raise
        if self.folder is not None:
            self._write()

    def _update(self, loss_of: Callable[[int], torch.Tensor], scaler) -> float:
        recipe, total = self.recipe, 0.0
        for part in range(recipe.clips_per_step):
            loss = loss_of(self.step * recipe.clips_per_step + part) / recipe.clips_per_step
            self._check(loss.detach(), "the loss")
            (loss if scaler is None else scaler.scale(loss)).backward()
            total += float(loss.detach())
        if scaler is not None:
            scaler.unscale_(self.optimiser)
        if not any(p.grad is not None for p in self.parameters.values()):
            raise ValueError(
                "the loss does not depend on the weights that are trained; choose layers that the model uses."
            )
        found = torch.nn.utils.clip_grad_norm_(
            self.parameters.values(), recipe.clip_norm or torch.inf, error_if_nonfinite=False
        )
        if scaler is None:  # a scaler leaves such an update out, and scales less
            self._check(found, "a gradient")
        factor = rate_factor(recipe.rate_schedule, self.step, recipe.steps, recipe.warmup_steps)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * factor
        if scaler is None:
            self.optimiser.step()
        else:
            scaler.step(self.optimiser)
            scaler.update()
        self._clear()
        with torch.no_grad():
            kept = min(recipe.ema, (1 + self.step) / (10 + self.step))
            for key, value in self.average.items():
                value.lerp_(self.parameters[key].detach(), 1 - kept)
        return total

    def _check(self, value: torch.Tensor, what: str) -> None:
        if not torch.isfinite(value):
            raise NotFinite(
                f"{what} of step {self.step + 1} is {float(value)}, no finite number: training stops, with"
                f" the weights after step {self.step}. Lower learning_rate, and look for a damaged clip."
            )

    def _clear(self) -> None:
        self.optimiser.zero_grad(set_to_none=True)

    @torch.no_grad()
    def finish(self) -> None:
        """Puts the average of the weights in their place, where one is kept."""
        for key, value in self.average.items():
            self.parameters[key].copy_(value)

    def _write(self) -> None:
        self.folder.write(
            {
                "step": self.step,
                "losses": self.losses,
                "weights": {k: p.detach() for k, p in self.parameters.items()},
                "average": self.average,
                "optimiser": self.optimiser.state_dict(),
            }
        )

    @torch.no_grad()
    def _go_on(self, state: dict) -> None:
        self.step, self.losses = state["step"], state["losses"]
        for key, parameter in self.parameters.items():
            parameter.copy_(state["weights"][key])
        for key, value in self.average.items():
            value.copy_(state["average"][key])
        self.optimiser.load_state_dict(state["optimiser"])


def generator_of(seed: int, number: int) -> torch.Generator:
    """The chance of the clip of a number: its own, whatever was drawn before."""
    return torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)


def draw_sigma(
    levels: torch.Tensor | None, least: float, most: float, generator: torch.Generator
) -> torch.Tensor:
    """A noise level for a clip, a tensor of one number: a step of the trained schedule, each as likely, as
    the references draw it; of a network without steps (levels None), EDM's log-normal one.

    Source: Karras et al. 2022, arXiv 2206.00364, table 1; Blattmann et al. 2023, arXiv 2311.15127, section D.
    """
    if levels is None:
        spread = torch.randn((), generator=generator) * EDM_SPREAD + EDM_MEAN
        return spread.exp().clamp(least, most)
    return levels[int(torch.randint(len(levels), (), generator=generator))]


EDM_MEAN, EDM_SPREAD = 0.7, 1.6
"""Of the logarithm of the noise level: Stable Video Diffusion's when it was trained at 576x320."""
