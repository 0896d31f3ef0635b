"""Values over frames, place and time: what a node takes where it would take one number.

A `FrameValues` is what a person wires: numbers for frames, times a mask, by parts of the noise schedule, and
factors for blocks of a UNet. `Placed` is what one forward of a network makes of it: a value for each image,
and each place of it at the size of any layer.

Source: what AnimateDiff-Evolved calls multival; its arithmetic (a shorter mask is repeated by its last frame,
bilinear resizing) is kept where it says anything.

Letters: V values listed, F frames of a video, N images of a forward, H height, W width, T tokens of an image,
C channels, B videos.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as nnf

from .foreign_text import printable


@dataclass(frozen=True)
class Key:
    """Values that hold from a part of the noise schedule on, 0 to 1.

    values: (V, H, W); V is 1 or the frames of the video, H and W are 1 without a mask.
    """

    values: torch.Tensor
    start_percent: float = 0.0


@dataclass(frozen=True)
class FrameValues:
    """keys: by rising start_percent. blocks: factors by name, such as "down", "up 3" or "up 3.1"."""

    keys: tuple[Key, ...]
    blocks: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def least(self) -> float:
        return min(float(key.values.min()) for key in self.keys) * min((1.0, *self.blocks.values()))

    def check_length(self, num_frames: int, name: str) -> None:
        """Raises ValueError where a key has neither one value nor one for each of num_frames frames."""
        for key in self.keys:
            if len(key.values) not in (1, num_frames):
                raise ValueError(
                    f"{name} has values for {len(key.values)} frames, the video has {num_frames}; give one "
                    "value, or one for each frame."
                )

    def at(self, holds: Callable[[float], bool]) -> torch.Tensor:
        """The values (V, H, W) of the last key whose start_percent has been reached, by `holds`."""
        reached = [key for key in self.keys if holds(key.start_percent)]
        return (reached or self.keys[:1])[-1].values

    def factor_at(self, names: Sequence[str]) -> float:
        """The factor of a block by its names, widest first: that of the narrowest which is listed."""
        listed = [self.blocks[name] for name in names if name in self.blocks]
        return listed[-1] if listed else 1.0


def frame_values(
    numbers: Sequence[float],
    mask: torch.Tensor | None = None,
    outside: float = 0.0,
    start_percent: float = 0.0,
    before: FrameValues | None = None,
    stretch_mask: bool = False,
) -> FrameValues:
    """Values of one key, or one key more behind those of `before`.

    numbers: one, or one for each frame. mask: (V, H, W) of 0..1; where it is 0 the value is `outside`, where
    it is 1 the number; stretch_mask: its least and largest over all frames become 0 and 1 first. Of numbers
    and mask the shorter one keeps its last. Raises ValueError for no numbers, for values that are not finite,
    and for a mask of one value that should be stretched.

    >>> key = frame_values([2.0, 4.0], torch.tensor([[[0.0, 1.0]]]), outside=1.0).keys[0]
    >>> key.values.tolist()
    [[[1.0, 2.0]], [[1.0, 4.0]]]
    """
    values = torch.tensor(list(numbers), dtype=torch.float32)[:, None, None]
    if len(values) == 0:
        raise ValueError("values over frames need at least one number; wire or type one.")
    if mask is not None:
        length = max(len(values), len(mask))
        mask = _extended(_stretched(mask.float()) if stretch_mask else mask.float(), length)
        values = outside + mask * (_extended(values, length) - outside)
    if not bool(values.isfinite().all()):
        raise ValueError("values over frames must be finite numbers; correct the list or the mask.")
    keys = {key.start_percent: key for key in before.keys} if before else {}
    keys[start_percent] = Key(values, start_percent)
    return FrameValues(tuple(keys[start] for start in sorted(keys)), dict(before.blocks) if before else {})


def _stretched(mask: torch.Tensor) -> torch.Tensor:
    least, largest = mask.amin(), mask.amax()
    if least == largest:
        raise ValueError(
            f"stretch_mask needs a mask of different values, this one is {float(least):g} everywhere; turn"
            " stretch_mask off, or give another mask."
        )
    return (mask - least) / (largest - least)


def _extended(values: torch.Tensor, length: int) -> torch.Tensor:
    return values[torch.arange(length).clamp(max=len(values) - 1)]


GROUPS = ("down", "mid", "up")


def parse_blocks(text: str) -> dict[str, float]:
    """Factors by block out of "down 0: 0.5, up 3.1: 1.2". Raises ValueError naming the part that is wrong.

    >>> parse_blocks("down: 0.5, up 3.1: 1.2")
    {'down': 0.5, 'up 3.1': 1.2}
    """
    factors = {}
    for part in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        name, separator, number = part.partition(":")
        words = name.lower().split()
        try:
            factor = float(number)
        except ValueError:
            factor = math.nan
        if not separator or not _is_block(words) or not math.isfinite(factor):
            raise ValueError(
                f"blocks: '{printable(part)}' must be a block and a factor, such as 'down 0: 0.5', 'mid: 0' "
                "or 'up 3.1: 1.2'; correct that part."
            )
        factors[" ".join(words)] = factor
    return factors


def _is_block(words: list[str]) -> bool:
    if not words or words[0] not in GROUPS or len(words) > 2:
        return False
    return len(words) == 1 or (words[0] != "mid" and all(w.isdecimal() for w in words[1].split(".", 1)))


@dataclass(frozen=True)
class Placed:
    """Values of the images of one forward.

    values: (N, H, W), H = W = 1 without a mask. size: (H, W) of the latents, of which layers with tokens have
    halves, quarters and so on.
    """

    values: torch.Tensor
    size: tuple[int, int]
    resized: dict = field(default_factory=dict, compare=False)
    """What was resized in this forward already, by size, device and dtype."""

    def times(self, factor: float) -> Placed:
        return self if factor == 1 else replace(self, values=self.values * factor, resized={})

    def of_stream(self, stream: int, streams: int, num_frames: int) -> Placed:
        """The values of the images of one of a video's streams, which follow each other in the batch."""
        values = self.values.unflatten(0, (-1, streams, num_frames))[:, stream].flatten(0, 1)
        return replace(self, values=values, resized={})

    def of_frames(self, frames: Sequence[int], num_frames: int) -> Placed:
        """The values of some frames of each video of num_frames."""
        values = self.values.unflatten(0, (-1, num_frames))[:, list(frames)].flatten(0, 1)
        return replace(self, values=values, resized={})

    def beside(self, x: torch.Tensor) -> torch.Tensor:
        """What to multiply x with: images (N, C, H, W), tokens (N, T, C), or vectors (N, C), which get the
        mean over the mask.

        x may hold tiles of the images, one after another, where there is no mask. Raises ValueError for a
        mask beside tokens of tiles.
        """
        if self.values.shape[1:] == (1, 1):
            values = self.values.to(x).reshape(-1, *[1] * (x.ndim - 1))
            return values.repeat_interleave(x.shape[0] // values.shape[0], 0)
        if x.ndim == 2:
            return self.values.mean((1, 2))[:, None].to(x)
        if x.ndim == 4:
            return self._at_size(tuple(x.shape[2:]), x)[:, None]
        return self._at_size(self._size_of(x.shape[1]), x).flatten(1)[..., None]

    def beside_sequences(self, x: torch.Tensor) -> torch.Tensor:
        """What to multiply sequences over frames x (B*T, F, C) with: (B*T, F, 1)."""
        videos = len(self.values) // x.shape[1]
        places = x.shape[0] // videos
        if self.values.shape[1:] == (1, 1):
            values = self.values.view(videos, 1, -1).expand(-1, places, -1)
        else:
            resized = self._at_size(self._size_of(places), x).flatten(1)
            values = resized.unflatten(0, (videos, -1)).transpose(1, 2)
        return values.reshape(x.shape[0], x.shape[1], 1).to(x)

    def _at_size(self, size: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
        key = size, like.device, like.dtype
        if key not in self.resized:
            resized = nnf.interpolate(self.values[:, None], size=size, mode="bilinear")[:, 0]
            self.resized[key] = resized.to(like)
        return self.resized[key]

    def _size_of(self, tokens: int) -> tuple[int, int]:
        """(H, W) of a layer by its number of tokens."""
        height, width = self.size
        while height * width > tokens and max(height, width) > 1:
            height, width = (height + 1) // 2, (width + 1) // 2
        if height * width != tokens:
            raise ValueError(
                f"a mask of values cannot be placed on {tokens} tokens of latents of {self.size}: a node "
                "such as HyperTile or Token Merging gives layers parts of the picture; take out that node or "
                "the mask."
            )
        return height, width


@dataclass(frozen=True)
class ScaledKeys:
    """An attention over frames whose keys are multiplied: it looks more (above 1) or less (below) closely.

    Keys in front of those of the frames are no frames, and are left as they are.
    """

    attention: Callable[..., torch.Tensor]
    scale: float | Placed

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, **kwargs
    ) -> torch.Tensor:
        others, k = k.split((k.shape[1] - q.shape[1], q.shape[1]), 1)
        scale = self.scale.beside_sequences(k) if isinstance(self.scale, Placed) else self.scale
        return self.attention(q, torch.cat((others, k * scale), 1), v, heads, **kwargs)


def unscaled(attention: Callable) -> Callable:
    """An attention without the scale of its keys, for keys that are not over frames."""
    return unscaled(attention.attention) if isinstance(attention, ScaledKeys) else attention


def of_stream(attention: Callable, stream: int, streams: int, num_frames: int) -> Callable:
    """An attention over the frames of one stream, where each video has several in the batch."""
    if not isinstance(attention, ScaledKeys):
        return attention
    inner, scale = of_stream(attention.attention, stream, streams, num_frames), attention.scale
    return ScaledKeys(
        inner, scale.of_stream(stream, streams, num_frames) if isinstance(scale, Placed) else scale
    )


def of_frames(attention: Callable, frames: Sequence[int], num_frames: int) -> Callable:
    """An attention over num_frames frames for some of them."""
    if not isinstance(attention, ScaledKeys):
        return attention
    inner, scale = of_frames(attention.attention, frames, num_frames), attention.scale
    return ScaledKeys(inner, scale.of_frames(frames, num_frames) if isinstance(scale, Placed) else scale)


def treats_places_alike(attention: Callable) -> bool:
    """Whether an attention may be asked for some places of a forward alone: no mask scales its keys."""
    if not isinstance(attention, ScaledKeys):
        return True
    return not isinstance(attention.scale, Placed) and treats_places_alike(attention.attention)


def scaled_as(attention: Callable, own: Callable) -> Callable:
    """A method's own attention with keys scaled as those of the call's attention are."""
    if isinstance(attention, ScaledKeys):
        return replace(attention, attention=scaled_as(attention.attention, own))
    return own
