"""What a training run is told: how many updates, how large, by which optimiser, and what the loss sees."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from ..foreign_text import printable
from .objectives import AS_TRAINED, LOSSES
from .optimisers import OPTIMISERS
from .rates import RATE_SCHEDULES

MAY_CHANGE = {"steps", "sample_every"}
"""What may be another number where a run goes on: it is then longer or shorter, and shows more or less."""


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """The numbers of a training run that are seldom changed. Defaults are AnimateDiff's for motion modules.

    clips_per_step: clips whose gradients one update takes the mean of, one after the other.
    clip_norm: the largest norm of all gradients together; 0 = without. ema: decay of the average of the
    weights that is kept in their place, 0 = without. text_dropout: part of the clips that are seen without
    their text. debias: weight of the appearance-debiased loss of MotionDirector. flip: part of the clips that
    are mirrored. single_frames: part of the clips that are seen as pictures, every frame on its own and the
    layers over frames without a say. image_frames: frames of another clip that are seen as pictures beside
    each clip, all frames counting alike. sample_every: steps between two clips that are sampled to be looked
    at, 0 = none. Raises ValueError with rule, value and remedy on settings that make no sense.

    Source: Guo et al. 2023, arXiv 2307.04725, and its published configuration (AdamW, 0.01, norm 1.0, text
    dropped one time in ten). Ho et al. 2022, arXiv 2204.03458, section 3 (pictures beside clips, each seeing
    itself alone in the attention over frames).
    """

    optimizer: str = "AdamW"
    rate_schedule: str = "constant"
    warmup_steps: int = 0
    weight_decay: float = 0.01
    clips_per_step: int = 1
    clip_norm: float = 1.0
    ema: float = 0.0
    loss: str = AS_TRAINED
    debias: float = 0.0
    text_dropout: float = 0.1
    flip: float = 0.0
    single_frames: float = 0.0
    sample_every: int = 0
    image_frames: int = 0

    def __post_init__(self):
        for name, least in (
            ("clips_per_step", 1),
            ("warmup_steps", 0),
            ("sample_every", 0),
            ("image_frames", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} must be {least} or larger; raise it.")
        for name in ("weight_decay", "clip_norm", "debias"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)} must be a finite number, 0 or larger.")
        for name in ("text_dropout", "flip", "single_frames"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must be between 0 and 1; 0 = never.")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema={self.ema} must be 0 or larger and smaller than 1; 0 = no average.")
        for name, known in (
            ("optimizer", OPTIMISERS), ("rate_schedule", RATE_SCHEDULES), ("loss", LOSSES),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}='{printable(getattr(self, name))}' must be one of {', '.join(known)}; choose one"
                    " of these."
                )


@dataclass(frozen=True, kw_only=True)
class Recipe(RecipeOptions):
    """The numbers of a training run. steps: updates. learning_rate: its highest."""

    steps: int = 300
    learning_rate: float = 1e-4
    seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        if self.steps < 1:
            raise ValueError(f"steps={self.steps} must be 1 or larger; raise it.")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(
                f"learning_rate={self.learning_rate} must be a finite number above 0; 0.0001 is usual."
            )

    def differences(self, other: dict) -> list[str]:
        """What differs from a recipe that was kept as a dict, in words; empty where a run may go on."""
        own = asdict(self)
        other = {field.name: field.default for field in fields(self)} | other  # an older state has fewer
        return [
            f"{printable(name)} was {printable(other.get(name))}, is {printable(own.get(name))}"
            for name in sorted(other.keys() - MAY_CHANGE)
            if own.get(name) != other.get(name)
        ]
