"""What a score is: its number with the protocol it was measured by, and what a metric has to be told.

Letters: F frames, H height, W width, D features.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .moments import Moments

CLIP, PAIR, SET, TWO_SETS = "clip", "pair", "set", "two sets"
"""What a metric measures: one clip, a clip against its reference, a set of clips, one set against another."""
NEEDS = {
    "reference": "another clip to compare with",
    "image_encoder": "a CLIP image encoder",
    "text": "a text, and the CLIP text encoder that belongs to the image encoder",
    "subject_encoder": "a DINO image encoder",
    "flow": "optical flow",
    "aesthetic_head": "an aesthetic head and the CLIP-L/14 image encoder that it was trained on",
    "inception": "the Inception network of FID",
    "i3d": "the I3D network of FVD",
}
"""What a metric may need besides frames -> what that is, for a message."""


@dataclass(frozen=True)
class Protocol:
    """What a number depends on besides the frames. Empty fields do not matter to it.

    network: whose features. frames: which. fps: frames a second, 0 = not told. resize: of frames for the
    network. values: range of what is measured. n: how many were measured, for each set. ddof: what a
    covariance or a spread is divided by, n - ddof.
    """

    network: str = ""
    frames: str = ""
    fps: float | None = None
    resize: str = ""
    values: str = ""
    n: tuple[int, ...] = ()
    ddof: int | None = None
    rule: str = ""

    def __str__(self) -> str:
        told = [self.rule, self.network, self.frames]
        if self.fps is not None:
            told.append(f"{self.fps:g} fps" if self.fps else "fps not told")
        told += [self.resize, f"values {self.values}" if self.values else ""]
        told.append("n " + " and ".join(map(str, self.n)) if self.n else "")
        told.append("" if self.ddof is None else f"ddof {self.ddof}")
        return "; ".join(part for part in told if part)


@dataclass(frozen=True)
class Score:
    """A number. metric: a key of METRICS. of: "a", "b" or "a, b" of two sets; empty for a clip. spread:
    standard deviation. per_frame: its curve, whose first value belongs to frame `first`. warnings: why it may
    mean little, each a sentence.
    """

    metric: str
    value: float
    protocol: Protocol
    of: str = ""
    spread: float | None = None
    per_frame: tuple[float, ...] = ()
    first: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Named:
    """A function that computes features, and what people call it."""

    name: str
    function: Callable
    resize: str = ""

    def __call__(self, *arguments):
        return self.function(*arguments)


@dataclass(frozen=True)
class Clip:
    """A clip, and what it is measured with; features are computed once, when a metric asks for them.

    frames: (F, H, W, 3), values 0..1. fps: 0 = not told. reference: frames of the same shape. image_encoder,
    subject_encoder: frames -> (F, D). text: (D,), of the same space as image_encoder's. flow(a, b): frames
    (H, W, C) -> (2, H, W) in pixels. aesthetic_head: (F, D) -> (F,). progress: called after each step of
    work; may raise. Raises ValueError for frames that are not finite.
    """

    frames: torch.Tensor
    fps: float = 0.0
    reference: torch.Tensor | None = None
    image_encoder: Named | None = None
    text: torch.Tensor | None = None
    subject_encoder: Named | None = None
    flow: Named | None = None
    aesthetic_head: Named | None = None
    progress: Callable[[], None] = lambda: None

    def __post_init__(self):
        check_finite(self.frames, "the clip")
        if self.reference is not None:
            check_finite(self.reference, "the reference")

    @functools.cached_property
    def embeddings(self) -> torch.Tensor:
        """(F, D) of the image encoder."""
        return _checked_features(self.image_encoder, self.frames)

    @functools.cached_property
    def subject_embeddings(self) -> torch.Tensor:
        """(F, D) of the subject encoder."""
        return _checked_features(self.subject_encoder, self.frames)

    def protocol(self, **more) -> Protocol:
        """The protocol of a number of all frames."""
        return Protocol(**{"frames": f"{len(self.frames)} frames", **more})


@dataclass(frozen=True)
class SetFeatures:
    """What two sets are compared by. n: clips. images, videos: moments of Inception's and I3D's features.
    logits: (images, classes) of Inception. frames, fps, size: of each clip, in words.
    """

    n: int
    images: Moments | None = None
    videos: Moments | None = None
    logits: torch.Tensor | None = None
    frames: str = ""
    fps: float | None = None
    size: str = ""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One way to measure. A new one is a file that ends in METRIC = Metric(...) and a line in metrics.py."""

    name: str
    """What people type; the key of METRICS."""
    title: str
    of: str
    """CLIP, PAIR, SET or TWO_SETS."""
    better: str
    """"higher", "lower", or "" where neither is."""
    needs: tuple[str, ...] = ()
    """Keys of NEEDS."""
    least_frames: int = 1
    """Of a clip; shorter ones are refused."""
    measure: Callable[..., Score]
    """measure(Clip), measure(SetFeatures) or measure(SetFeatures, SetFeatures) -> Score."""


def curve_score(metric: str, values: list[float], protocol: Protocol, first: int = 0, **more) -> Score:
    """A score that is the mean of a curve over frames."""
    spread = statistics.pstdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None
    mean = sum(values) / len(values)
    return Score(metric, mean, protocol, spread=spread, per_frame=tuple(values), first=first, **more)


def check_finite(frames: torch.Tensor, what: str) -> None:
    """Raises ValueError naming the first frame (F, H, W, C) that holds a NaN or an infinity."""
    for number, frame in enumerate(frames):
        if not bool(frame.isfinite().all()):
            raise ValueError(
                f"frame {number} of {what} holds numbers that are not finite (NaN or infinity), so nothing"
                " can be measured; mend what made it."
            )


def check_length(frames: torch.Tensor, least: int, metric: str) -> None:
    """Raises ValueError for a clip that is too short to be measured."""
    if len(frames) < least:
        raise ValueError(f"{metric} needs at least {least} frames, got {len(frames)}; wire a longer clip.")


def _checked_features(encoder: Named, frames: torch.Tensor) -> torch.Tensor:
    features = encoder(frames)
    if not bool(features.isfinite().all()):
        raise ValueError(
            f"the features of {encoder.name} are not finite; its file is damaged or of another kind, load"
            " another one."
        )
    return features
