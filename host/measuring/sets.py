"""Measures two sets of clips, each in one pass, a clip at a time. F frames, H height, W width."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import replace

import comfy.utils
import torch

from ...foreign_text import printable
from ...metrics.metric import CLIP, PAIR, SET, TWO_SETS, Clip, Metric, Score, SetFeatures, check_finite
from ...metrics.moments import Moments
from ..media.video import stop
from .features import CHUNK, in_chunks
from .measure import Instruments, metrics_to_measure
from .video_sets import SetClip, VideoSet

MOST_WARNINGS = 4


def measure_sets(a: VideoSet, b: VideoSet | None, metrics: str, instruments: Instruments) -> list[Score]:
    """The scores of a set, and of it against another one. Metrics of one clip are means over a set's clips;
    metrics of a pair compare the clips of both sets in their order. Where no metrics are listed, pairs are
    only compared of two sets of one clip, and optical flow, which takes long, is only found by a network
    that is wired.

    Raises ValueError as `metrics_to_measure`, the sets and the metrics do.
    """
    there = instruments.there | ({"reference"} if b is not None else set())
    kinds = {CLIP, SET} if b is None else {CLIP, SET, PAIR, TWO_SETS}
    if not metrics.strip():
        there -= set() if instruments.optical_flow else {"flow"}
        kinds -= set() if b is not None and len(a) == len(b) == 1 else {PAIR}
    frames = 1 if a.of_pictures or (b is not None and b.of_pictures) else 2
    chosen = metrics_to_measure(metrics, kinds, there, frames, "wire set b too")
    _check_sizes(a, b, chosen)
    bar = comfy.utils.ProgressBar(len(a) + len(b or ()))
    features = instruments.features(chosen)
    measured = [_SetMeasure(video_set, name, chosen, instruments, features, bar)
                for video_set, name in ((a, "a"), (b, "b")) if video_set is not None]  # fmt: skip
    pairs = [metric for metric in chosen if metric.of == PAIR]
    paired = _pairs(a, b, pairs) if pairs else {}
    scores = []
    for metric in chosen:
        if metric.of == TWO_SETS:
            scores.append(metric.measure(*(part.features for part in measured)))
        elif metric.of == SET:
            scores += [replace(metric.measure(part.features), of=part.name) for part in measured]
        elif metric.of == PAIR:
            scores.append(mean_score(metric.name, paired[metric.name], "a, b"))
        else:
            scores += [mean_score(metric.name, part.scores[metric.name], part.name) for part in measured]
    return scores


def _check_sizes(a: VideoSet, b: VideoSet | None, chosen: list[Metric]) -> None:
    """Raises ValueError, before any work, for sets that are too small or too different."""
    for metric in chosen:
        if metric.of == PAIR and len(a) != len(b):
            raise ValueError(
                f"{metric.name} compares the clips of both sets in their order; set a has {len(a)}, set b"
                f" {len(b)}: bring both to the same number."
            )
        for name, video_set in (("a", a), ("b", b)):
            if metric.name == "fvd" and len(video_set) < 2:
                raise ValueError(
                    f"fvd needs at least 2 videos in each set, set {name} has {len(video_set)}; add more."
                )


def _pairs(a: VideoSet, b: VideoSet, metrics: list[Metric]) -> dict[str, list[Score]]:
    scores = {metric.name: [] for metric in metrics}
    for one, other in zip(a.clips(), b.clips(), strict=True):
        with _named(f"{one.name} and {other.name}"):
            clip = Clip(one.frames, one.fps, other.frames, progress=stop)
            for metric in metrics:
                scores[metric.name].append(metric.measure(clip))
    return scores


class _named:
    """What is wrong with a clip is told with its name."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, ValueError):
            raise ValueError(f"{self.name}: {printable(error, 600)}") from error


class _SetMeasure:
    """One pass over a set: scores of each clip, and features for what compares sets."""

    def __init__(self, video_set, name, metrics, instruments, features, bar):
        self.name = name
        self.of_clips = [metric for metric in metrics if metric.of == CLIP]
        needs = {need for metric in metrics for need in metric.needs}
        self.inception = instruments.inception if "inception" in needs else None
        self.i3d = instruments.i3d if "i3d" in needs else None
        self.scores: dict[str, list[Score]] = {metric.name: [] for metric in self.of_clips}
        self.images = self.videos = None
        self.logits: list[torch.Tensor] = []
        self.waiting: list[torch.Tensor] = []
        self.lengths: dict[int, str] = {}
        self.rates: set[float] = set()
        for clip in self._clips(video_set):
            with _named(clip.name):
                self._take(clip, features)
            bar.update(1)
        if self.waiting:
            self._see_images()
        self.features = self._features(len(video_set))

    def _clips(self, video_set: VideoSet) -> Iterator[SetClip]:
        for clip in video_set.clips():
            self.rates.add(clip.fps)
            self.lengths.setdefault(len(clip.frames), clip.name)
            if self.i3d is not None and len(self.lengths) > 1:
                (one, first), (other, second) = self.lengths.items()
                raise ValueError(
                    f"fvd compares clips of one length; in set {self.name} {first} has {one} frames and"
                    f" {second}"
                    f" {other}: set num_frames."
                )
            yield clip

    def _take(self, clip: SetClip, features: dict) -> None:
        if self.of_clips:
            material = Clip(clip.frames, clip.fps, **features, progress=stop)
            for metric in self.of_clips:
                self.scores[metric.name].append(metric.measure(material))
        else:
            check_finite(clip.frames, "the clip")
        if self.inception is not None:
            if self.waiting and self.waiting[0].shape[1:] != clip.frames.shape[1:]:
                self._see_images()
            self.waiting.append(clip.frames)
            if sum(map(len, self.waiting)) >= CHUNK:
                self._see_images()
        if self.i3d is not None:
            self.videos = _added(self.videos, self.i3d(clip.frames[None]))

    def _see_images(self) -> None:
        """Shows Inception what is waiting: pictures, of which each is a clip, come together."""
        frames, self.waiting = torch.cat(self.waiting), []
        for features, logits in in_chunks(self.inception, frames):
            self.images = _added(self.images, features)
            self.logits.append(logits)

    def _features(self, count: int) -> SetFeatures:
        logits = torch.cat(self.logits) if self.logits else None
        frames = f"{_range(self.lengths)} frames of each"
        if len(self.rates) > 1:
            frames += f", at {_range(self.rates)} fps"
        fps = self.rates.pop() if len(self.rates) == 1 else 0.0
        return SetFeatures(count, self.images, self.videos, logits, frames, fps)


def _added(before: Moments | None, features: torch.Tensor) -> Moments:
    new = Moments.of(features)
    return new if before is None else before + new


def _range(numbers) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def mean_score(metric: str, scores: list[Score], of: str) -> Score:
    """The mean of a metric over the clips of a set, and their standard deviation (divided by n)."""
    values = [score.value for score in scores]
    finite = all(map(math.isfinite, values))
    told = list(dict.fromkeys(warning for score in scores for warning in score.warnings))
    if len(told) > MOST_WARNINGS:
        told = [*told[:MOST_WARNINGS], f"{len(told) - MOST_WARNINGS} more warnings of single clips."]
    frames = list(dict.fromkeys(score.protocol.frames for score in scores))
    frames = frames[0] if len(frames) == 1 else f"{frames[0]} and other lengths"
    rule = scores[0].protocol.rule if len({score.protocol.rule for score in scores}) == 1 else ""
    rates = {score.protocol.fps for score in scores}
    frames += " of each clip" + ("" if len(rates) == 1 else ", at several frame rates")
    fps = rates.pop() if len(rates) == 1 else None
    protocol = replace(scores[0].protocol, n=(len(scores),), ddof=0, frames=frames, rule=rule, fps=fps)
    spread = statistics.pstdev(values) if finite and len(values) > 1 else None
    return Score(metric, sum(values) / len(values), protocol, of, spread, warnings=tuple(told))
