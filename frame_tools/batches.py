"""Frames in the shapes ComfyUI has them in, taken out of and put into a batch alike.

IMAGE (F, H, W, C), MASK (F, H, W) or (H, W), LATENT {"samples": (F, C, H, W) of image models or (B, C, F, H,
W) of video models, "noise_mask", "batch_index", ...}. A latent's noise mask follows its frames, and so does
the number of the noise that each frame is sampled with (batch_index), as in ComfyUI's own nodes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..memory import check_memory
from .selection import interleaved, repeated

Frames = torch.Tensor | dict
BATCH_AXIS, TIME_AXIS = 0, 2
RESIZE = "bring them to one size before, for example with Upscale Image"


def kind_of(frames: Frames) -> str:
    """IMAGE, MASK or LATENT; ValueError for anything else."""
    if isinstance(frames, dict) and "samples" in frames:
        return "LATENT"
    if isinstance(frames, torch.Tensor) and frames.ndim in (2, 3, 4):
        return "IMAGE" if frames.ndim == 4 else "MASK"
    raise ValueError(
        f"frames must be an IMAGE, a MASK or a LATENT; this is a {type(frames).__name__}. Wire one of those."
    )


def count_frames(frames: Frames) -> int:
    """F. ValueError for what has no frames."""
    kind = kind_of(frames)
    if kind == "LATENT":
        samples = frames["samples"]
        count = samples.shape[frame_axis(samples)]
    else:
        count = 1 if frames.ndim == 2 else len(frames)
    if count == 0:
        raise ValueError(f"this {kind} has no frames; wire one that has at least one.")
    return count


def frame_size(frames: Frames) -> tuple[int, int]:
    """(H, W) in pixels, of latents in latent cells."""
    kind = kind_of(frames)
    return tuple(
        frames.shape[1:3]
        if kind == "IMAGE"
        else (frames["samples"] if kind == "LATENT" else frames).shape[-2:]
    )


def check_frames(frames: torch.Tensor, what: str) -> None:
    """Raises ValueError for frames (F, H, W, C) or (F, H, W)
    of which there are none, or that have no pixels.
    """
    if len(frames) == 0:
        raise ValueError(f"{what} has no frames; wire one that has at least one.")
    if 0 in frames.shape:
        raise ValueError(
            f"{what} has shape {tuple(frames.shape)}, frames without pixels; wire one with pixels."
        )


def take_frames(frames: Frames, numbers: list[int], same_noise: bool = True) -> Frames:
    """The frames with these numbers, in this order. A range is not copied.

    same_noise: a latent's frame keeps the number of its noise, so that sampling it gives what it would give
    in its place; otherwise copies of a frame get noise of their own.
    """
    if kind_of(frames) != "LATENT":
        return _take(frames[None] if frames.ndim == 2 else frames, numbers, BATCH_AXIS)
    samples, count = frames["samples"], count_frames(frames)
    axis = frame_axis(samples)
    taken = {**frames, "samples": _take(samples, numbers, axis)}
    if "noise_mask" in frames:
        mask = _frame_mask(frames["noise_mask"], axis, count)
        taken["noise_mask"] = mask if mask.shape[axis] == 1 else _take(mask, numbers, axis)
    if axis == BATCH_AXIS:
        _number_noise(taken, frames.get("batch_index"), numbers, same_noise)
    return taken


def join_frames(first: Frames, second: Frames, crossfade: int = 0) -> Frames:
    """One clip after the other;
    the last `crossfade` frames of the first turn into the first ones of the second.

    F = first + second - crossfade. ValueError when the two are
    of different kinds or sizes, or shorter than the cross-fade.
    """
    _check_pair(first, second)
    shorter = min(count_frames(first), count_frames(second))
    if not 0 <= crossfade <= shorter:
        raise ValueError(
            f"crossfade={crossfade} frames do not fit: the shorter clip has {shorter}; 0 joins the clips"
            " without a transition."
        )
    if kind_of(first) != "LATENT":
        first, second = (clip[None] if clip.ndim == 2 else clip for clip in (first, second))
        return _join(first, second, BATCH_AXIS, crossfade)
    axis = frame_axis(first["samples"])
    joined = {**first, "samples": _join(first["samples"], second["samples"], axis, crossfade)}
    if "noise_mask" in first or "noise_mask" in second:
        one, other = full_mask(first), full_mask(second)
        if other.shape[-2:] != one.shape[-2:]:
            other = _resize(other, (*other.shape[2:-2], *one.shape[-2:]))
        joined["noise_mask"] = _join(one, other, axis, crossfade)
    if axis == BATCH_AXIS and ("batch_index" in first or "batch_index" in second):
        one, other = (list(clip.get("batch_index", range(count_frames(clip)))) for clip in (first, second))
        joined["batch_index"] = one + other[crossfade:]
    return joined


def interleave_frames(first: Frames, second: Frames) -> Frames:
    """One frame of the first, one of the second in turn;
    what is left of the longer one follows. ValueError as join_frames.
    """
    _check_pair(first, second)
    if kind_of(first) == "LATENT":
        tensor, axis = first["samples"], frame_axis(first["samples"])
    else:
        tensor, axis = first[None] if first.ndim == 2 else first, BATCH_AXIS
    _check_memory(tensor, count_frames(first) + count_frames(second), axis, copies=2)  # joined, then in turn
    joined = join_frames(first, second)
    return take_frames(joined, interleaved(count_frames(first), count_frames(second)))


def repeat_frames(frames: Frames, times: int, each_frame: bool) -> Frames:
    """The clip `times` times over, or every frame `times` times in a row;
    copies of latents get noise of their own.
    """
    return take_frames(frames, repeated(count_frames(frames), times, each_frame), same_noise=False)


def frame_axis(samples: torch.Tensor) -> int:
    """The axis of a latent's samples that holds the frames."""
    if getattr(samples, "is_nested", False) or samples.ndim not in (4, 5):
        what = (
            "several tensors, as of video with sound"
            if getattr(samples, "is_nested", False)
            else f"shape {tuple(samples.shape)}"
        )
        raise ValueError(
            f"latents must be (F, C, H, W) or (B, C, F, H, W); these have {what}. Separate the video from the"
            " sound before."
        )
    return BATCH_AXIS if samples.ndim == 4 else TIME_AXIS


def _take(tensor: torch.Tensor, numbers: list[int], axis: int) -> torch.Tensor:
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    if step > 0 and numbers == list(range(numbers[0], numbers[-1] + 1, step)):
        return tensor[(slice(None),) * axis + (slice(numbers[0], numbers[-1] + 1, step),)]
    _check_memory(tensor, len(numbers), axis)
    return tensor.index_select(axis, torch.tensor(numbers, device=tensor.device))


def _join(first: torch.Tensor, second: torch.Tensor, axis: int, crossfade: int) -> torch.Tensor:
    _check_memory(first, first.shape[axis] + second.shape[axis] - crossfade, axis)
    second = second.to(first)
    if not crossfade:
        return torch.cat([first, second], axis)
    before, ending = first.split([first.shape[axis] - crossfade, crossfade], axis)
    beginning, after = second.split([crossfade, second.shape[axis] - crossfade], axis)
    share = torch.arange(1, crossfade + 1, device=first.device, dtype=torch.float32) / (crossfade + 1)
    share = share.to(first.dtype).view([-1 if place == axis else 1 for place in range(first.ndim)])
    return torch.cat([before, torch.lerp(ending, beginning, share), after], axis)


def _check_memory(tensor: torch.Tensor, count: int, axis: int, copies: int = 1) -> None:
    """Raises ValueError where `count` frames like those on the tensor's axis do not fit into memory."""
    size = tensor.element_size() * tensor.numel() // max(1, tensor.shape[axis])
    what = f"{count} frames of {size / 2**20:.2f} MiB"
    check_memory(copies * count * size, what, "take fewer or smaller frames")


def _number_noise(taken: dict, noise_numbers: list[int] | None, numbers: list[int], same_noise: bool) -> None:
    if same_noise:
        taken["batch_index"] = (
            list(numbers) if noise_numbers is None else [noise_numbers[number] for number in numbers]
        )
    elif noise_numbers is not None:
        span, seen = max(noise_numbers) - min(noise_numbers) + 1, {}
        taken["batch_index"] = []
        for number in numbers:
            seen[number] = copies = seen.get(number, -1) + 1
            taken["batch_index"].append(noise_numbers[number] + copies * span)


def _frame_mask(mask: torch.Tensor, axis: int, count: int) -> torch.Tensor:
    """A noise mask with one entry for each frame, or one for all, as ComfyUI's samplers read it."""
    if axis == BATCH_AXIS:
        mask = mask.reshape(-1, 1, *mask.shape[-2:])
        return mask if len(mask) in (1, count) else mask.repeat(-(-count // len(mask)), 1, 1, 1)[:count]
    if mask.ndim < 5:
        mask = mask.reshape(1, 1, -1, *mask.shape[-2:])
    return mask if mask.shape[axis] in (1, count) else _resize(mask, (count, *mask.shape[-2:]))


def full_mask(latent: dict) -> torch.Tensor:
    """A noise mask with one entry for each frame;
    1 = sampled, which is what a latent without a mask means.
    """
    samples, count = latent["samples"], count_frames(latent)
    axis = frame_axis(samples)
    if "noise_mask" not in latent:
        return (
            samples.new_ones(count, 1, *samples.shape[-2:])
            if axis == BATCH_AXIS
            else samples.new_ones(1, 1, *samples.shape[2:])
        )
    mask = _frame_mask(latent["noise_mask"], axis, count)
    return mask.expand(*mask.shape[:axis], count, *mask.shape[axis + 1 :])


def _resize(mask: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    return F.interpolate(mask.float(), size=size, mode="trilinear" if mask.ndim == 5 else "bilinear").to(
        mask.dtype
    )


def _check_pair(first: Frames, second: Frames) -> None:
    kinds = kind_of(first), kind_of(second)
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"both clips must be of one kind; the first is {kinds[0]}, the second {kinds[1]}. Wire two"
            f" {kinds[0]}s."
        )
    shapes = [_shape_of_a_frame(clip) for clip in (first, second)]
    if shapes[0] != shapes[1]:
        names = {"IMAGE": "height, width, channels", "MASK": "height, width", "LATENT": "all but the frames"}[
            kinds[0]
        ]
        raise ValueError(
            f"both clips must have frames of one size; the first has {shapes[0]}, the second {shapes[1]}"
            f" ({names}); {RESIZE}."
        )


def _shape_of_a_frame(frames: Frames) -> tuple[int, ...]:
    if kind_of(frames) == "LATENT":
        shape = list(frames["samples"].shape)
        shape.pop(frame_axis(frames["samples"]))
        return tuple(shape)
    return tuple(frames.shape[-2:] if kind_of(frames) == "MASK" else frames.shape[1:])
