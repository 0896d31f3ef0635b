"""One forward of an image network, as layers that add time see it:
how many frames, at which noise level, which part of the video.

A batch of images is read as videos here and nowhere else. Core stacks the chunks of a call (positive,
negative, windows), each holds whole videos, and the frames of a video are adjacent:

    batch of 12 images, cond_or_uncond [0, 1]       2 chunks of 6 images
    frames_per_video 3                              2 videos in each chunk: num_videos 4, num_frames 3

Letters: N images of the batch, B videos, F frames of a video in this call, N = B*F.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..frame_values import Placed, ScaledKeys

Attention = Callable[..., torch.Tensor]
"""attention(q, k, v, heads, mask=None) -> out, all (batch, F, C). mask: added to the scores, float
(1 or batch, heads, F, F).
"""

Views = Callable[[torch.Tensor, Callable[[torch.Tensor, list[int]], torch.Tensor]], torch.Tensor]
"""views(tokens (batch, F, C), layers) -> the same: layers(tokens of a window (batch, f, C), its f frames) for
each window of the frames, fused.
"""


STREAMS = "zoetrope_streams"
"""The key of transformer_options that says how many images belong to each frame: 1 without it. 2 images:
every video is twice in the batch, the content of its F frames and then their motion.
"""
SINGLE_FRAMES = "zoetrope_single_frames"
"""The key of transformer_options that says that every image of the batch is a video of one frame, also for
video networks.
"""


def streams_in(transformer_options: Mapping) -> int:
    """How many images of a batch belong to each frame of a video."""
    return transformer_options.get(STREAMS, 1)


def frames_in_call(batch_size: int, transformer_options: Mapping) -> int:
    """Images of a batch that belong to one chunk of it:
    the frames of one video, or of several of equal length.

    A stored number would be wrong in context windows, whose length differs from the latent's.
    Raises ValueError when the batch is empty or not a whole number of chunks.
    """
    chunks = max(1, len(transformer_options.get("cond_or_uncond", (0,))))
    if batch_size == 0 or batch_size % chunks:
        raise ValueError(
            f"a batch of {batch_size} images cannot be {chunks} conditionings of equally many frames; give at"
            " least one frame, and remove the node that changes the batch between the sampler and the model."
        )
    return batch_size // chunks


@dataclass(frozen=True)
class Forward:
    """What is the same for every method in one forward of a network.

    num_frames: images of a chunk. options: core's transformer_options
    of this forward, the same dict that core writes to. size: (H, W) of its latents.
    """

    network: torch.nn.Module
    num_images: int
    num_frames: int
    options: dict
    size: tuple[int, int] = (1, 1)
    calls: dict = field(default_factory=dict, compare=False)
    """What each method has made of this forward: made once, read at every point."""

    @property
    def sigma(self) -> float | None:
        """The highest noise level of the batch, or None where none is told."""
        sigmas = self.options.get("sigmas")
        return None if sigmas is None else float(sigmas.max())

    @property
    def is_windowed(self) -> bool:
        return self.options.get("context_window") is not None

    @property
    def frames_of_run(self) -> int:
        """Images of a chunk in the whole run, of which a context window holds some."""
        window = self.options.get("context_window")
        return self.num_frames if window is None else window.total_frames

    def frame_numbers(self) -> list[int]:
        """The place of every image (N,) among the frames of its latent: 0, 1, 2, ... without context windows.

        Two windows of one call, frames 0-3 and 2-5, with two kinds of conditioning each -> 0123 0123 2345
        2345, as core stacks them.
        """
        window = self.options.get("context_window")
        chunks = self.num_images // self.num_frames
        windows = getattr(window, "windows", None) or [window] * chunks
        numbers = [list(range(self.num_frames)) if w is None else _frames_of_window(w) for w in windows]
        return [number for frames in numbers for number in frames]


def _frames_of_window(window) -> list[int]:
    """The frames of a context window; core's causal_window_fix puts one more in front of them."""
    before = getattr(window, "causal_anchor_index", None)
    return list(window.index_list) if before is None or before < 0 else [before, *window.index_list]


_RUNNING: ContextVar[Forward | None] = ContextVar("zoetrope_forward", default=None)
_TRAINED: list[Forward] = []
"""The newest forward that records gradients: gradient checkpointing runs its
layers again in the backward pass, where no wrapper of ours stands and which is
another thread on a GPU. Empty again with the next forward that records none.
"""


def running_forward() -> Forward | None:
    """The forward that is running on this thread, or None outside of one."""
    forward = _RUNNING.get()
    if forward is None and _TRAINED and torch._C._current_graph_task_id() != -1:
        return _TRAINED[-1]
    return forward


def running_frames() -> int:
    """F of the forward that is running, for layers to which core hands nothing but their input; 1 where each
    image is a video.

    Raises RuntimeError outside of one."""
    forward = running_forward()
    if forward is None:
        raise RuntimeError(
            "a layer over frames ran outside of its network's forward; call the network itself."
        )
    return 1 if SINGLE_FRAMES in forward.options else forward.num_frames


@contextlib.contextmanager
def in_forward(
    network: torch.nn.Module, batch_size: int, options: dict, size: tuple[int, int] = (1, 1)
) -> Iterator[Forward]:
    """Everything inside is one forward of `network` on a batch of N images with core's transformer_options.

    size: (H, W) of the latents. Raises ValueError as frames_in_call does."""
    forward = Forward(network, batch_size, frames_in_call(batch_size, options), options, size)
    _TRAINED[:] = [forward] if torch.is_grad_enabled() else []
    token = _RUNNING.set(forward)
    try:
        yield forward
    finally:
        _RUNNING.reset(token)


@contextlib.contextmanager
def running_again(forward: Forward | None) -> Iterator[None]:
    """Everything inside belongs to a forward that ran before, such as layers that are computed again."""
    token = _RUNNING.set(forward)
    try:
        yield
    finally:
        _RUNNING.reset(token)


@dataclass(frozen=True)
class Call:
    """One forward as one method sees it.

    num_frames: F of one video, or of one of its streams. strength: a number, or values of the images and
    places. attention: of this forward. factors_at: factors of strength and of the attention's keys at a
    layer, by its path; None where all are 1. join_norms: whether the method's own norms see all frames of a
    video. image_frames: (B, F) bool, where training on videos and images at once has put an image of its own
    in place of a frame; VDM's attention reads it, no other method does.
    inputs: what the method `needs` besides its weights, made ready for this sampling run.
    """

    forward: Forward
    num_frames: int
    strength: float | Placed = 1.0
    attention: Attention | None = None
    join_norms: bool = False
    image_frames: torch.Tensor | None = None
    inputs: Any = None
    factors_at: Callable[[str], tuple[float, float]] | None = None
    views: Views | None = None
    """Windows inside the layers; None: they see all frames at once."""
    memory: dict = field(default_factory=dict, compare=False)
    """What an act leaves for a later one of the same method in this forward."""

    @property
    def num_videos(self) -> int:
        return self.forward.num_images // self.num_frames

    def at(self, path: str) -> Call:
        """The call as the layer at this path sees it."""
        if self.factors_at is None:
            return self
        strength, keys = self.factors_at(path)
        attention = self.attention if keys == 1 else ScaledKeys(self.attention, keys)
        return replace(self, strength=_times(self.strength, strength), attention=attention)

    def add(self, x: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        """x plus strength times change, both (N, ...): images (N, C, H, W) or tokens (N, T, C)."""
        if isinstance(self.strength, Placed):
            return torch.addcmul(x, change, self.strength.beside(x))
        return torch.add(x, change, alpha=self.strength)

    def replace(self, plain: Callable[[], torch.Tensor], changed: torch.Tensor) -> torch.Tensor:
        """The changed (N, ...) in place of the plain at strength 1, and that much of the way in between."""
        if not isinstance(self.strength, Placed):
            return changed if self.strength == 1 else torch.lerp(plain(), changed, self.strength)
        return torch.lerp(plain(), changed, self.strength.beside(changed))


def _times(values: float | Placed, factor: float) -> float | Placed:
    return values.times(factor) if isinstance(values, Placed) else values * factor
