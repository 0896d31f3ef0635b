"""How the learning rate goes over a run: a factor for each update."""

from __future__ import annotations

import math
from collections.abc import Callable

RATE_SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 + 0.5 * math.cos(math.pi * done),
}
"""name -> (part of the run that is over, 0..1) -> factor of the rate."""


def rate_factor(schedule: str, step: int, steps: int, warmup_steps: int) -> float:
    """The factor of update `step` (from 0) of `steps`: rises over the first updates, then as scheduled.

    >>> [rate_factor("linear", step, 6, 2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return RATE_SCHEDULES[schedule]((step - warmup_steps) / max(1, steps - warmup_steps))
