"""Measures a clip, or two sets of clips, by the metrics that are asked for and can be computed.

F frames, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import comfy.utils
import torch

from ...metrics.metric import CLIP, NEEDS, PAIR, SET, TWO_SETS, Clip, Metric, Named, Score
from ...metrics.metrics import METRICS, chosen_metrics
from ..media.video import stop
from .features import aesthetic_head, flow_finder, image_encoder, subject_encoder, text_features
from .networks import MetricNetwork, check_kind

WIRED = {
    "reference": "reference",
    "image_encoder": "clip_vision",
    "text": "text and clip",
    "subject_encoder": "subject_vision",
    "aesthetic_head": "aesthetic",
    "inception": "inception",
    "i3d": "i3d",
}
"""What a metric needs -> the inputs that give it."""


@dataclass(frozen=True)
class Instruments:
    """What a person has wired to measure with; None or empty where it is not there."""

    clip_vision: object = None
    subject_vision: object = None
    clip: object = None
    text: str = ""
    optical_flow: object = None
    aesthetic: MetricNetwork | None = None
    inception: MetricNetwork | None = None
    i3d: MetricNetwork | None = None

    def __post_init__(self):
        for name, kind in (("aesthetic", "aesthetic head"), ("inception", "inception"), ("i3d", "i3d")):
            check_kind(getattr(self, name), kind, name)

    @property
    def there(self) -> set[str]:
        """The keys of NEEDS that can be met, but for the reference."""
        return {"flow"} | {
            need
            for need, has in (
                ("image_encoder", self.clip_vision),
                ("subject_encoder", self.subject_vision),
                ("text", self.clip and self.text.strip()),
                ("aesthetic_head", self.aesthetic),
                ("inception", self.inception),
                ("i3d", self.i3d),
            )
            if has
        }

    def features(self, metrics: list[Metric]) -> dict[str, Named | torch.Tensor]:
        """Fields of Clip for what these metrics need."""
        makers = {
            "image_encoder": lambda: image_encoder(self.clip_vision),
            "subject_encoder": lambda: subject_encoder(self.subject_vision),
            "text": lambda: text_features(self.clip, self.text),
            "flow": lambda: flow_finder(self.optical_flow),
            "aesthetic_head": lambda: aesthetic_head(self.aesthetic),
        }
        needed = dict.fromkeys(need for metric in metrics for need in metric.needs)
        return {need: makers[need]() for need in needed if need in makers}


def metrics_to_measure(
    text: str, kinds: set[str], there: set[str], frames: int, elsewhere: str
) -> list[Metric]:
    """The metrics that are listed, or for an empty list all of these kinds that can be computed.

    frames: of the shortest clip. elsewhere: where the other kinds are measured. Raises ValueError for
    what is not known or cannot be computed.
    """
    chosen = chosen_metrics(text)
    for metric in chosen:
        if metric.of not in kinds:
            raise ValueError(f"metrics: {metric.name} measures {_measures(metric)}; {elsewhere}.")
        for need in metric.needs:
            if need not in there:
                raise ValueError(
                    f"metrics: {metric.name} needs {NEEDS[need]}; wire {WIRED[need]}, or leave"
                    f" {metric.name} out."
                )
    if chosen:
        return chosen
    found = [
        metric
        for metric in METRICS.values()
        if metric.of in kinds and set(metric.needs) <= there and metric.least_frames <= frames
    ]
    if not found:
        raise ValueError("nothing can be measured with what is wired; wire a network, or list metrics.")
    return found


def _measures(metric: Metric) -> str:
    return {CLIP: "one clip", PAIR: "a clip and its reference", SET: "a set of clips", TWO_SETS: "two sets"}[
        metric.of
    ]


def measure_clip(
    images: torch.Tensor, reference: torch.Tensor | None, fps: float, metrics: str, instruments: Instruments
) -> list[Score]:
    """The scores of a clip (F, H, W, C), against a reference of the same shape where there is one.

    metrics: names, empty = all that can be computed. Raises ValueError as `metrics_to_measure` and the
    metrics.
    """
    there = instruments.there | ({"reference"} if reference is not None else set())
    chosen = metrics_to_measure(
        metrics, {CLIP, PAIR}, there, len(images), "take Measure Set for sets of clips"
    )
    bar = comfy.utils.ProgressBar(len(images) * len(chosen))
    progress = _ticking(bar)
    clip = Clip(images, fps, reference, **instruments.features(chosen), progress=progress)
    return [metric.measure(clip) for metric in chosen]


def _ticking(bar) -> Callable[[], None]:
    def progress() -> None:
        stop()
        bar.update(1)

    return progress
