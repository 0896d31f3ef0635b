"""Conditioning of a context window: the part of every cond that belongs to the window's frames.

Frames are either the batch (axis 0: image latents, (F, C, H, W)) or the time axis of video latents (axis 2:
(B, C, F, H, W)). For frames in the batch the rule is what ComfyUI does without windows: a cond with n rows is
repeated over the batch, so frame i has row i % n. For the time axis only tensors as long as the video are
cut; others belong to the whole video.
"""

from __future__ import annotations

import comfy.conds
import torch
from comfy.context_windows import IndexListContextWindow
from comfy.samplers import add_area_dims

BATCH_AXIS = 0
TIME_AXIS = 2


def take_frames(tensor: torch.Tensor, frames: list[int], dim: int = 0) -> torch.Tensor:
    """The given frames of a tensor along dim; frame i is entry i % size, as ComfyUI repeats short batches.

    Frames [4, 5, 6] of a tensor of 3 entries are its entries [1, 2, 0].
    """
    size = tensor.shape[dim]
    if size == 1:
        return tensor
    return tensor.index_select(dim, torch.tensor([frame % size for frame in frames], device=tensor.device))


def _cut_batch_value(value, frames: list[int], num_frames: int):
    if isinstance(value, comfy.conds.CONDList):
        return value._copy_with([take_frames(item, frames) for item in value.cond])
    if not isinstance(getattr(value, "cond", None), torch.Tensor) or value.cond.ndim == 0:
        return value
    # A constant is not repeated over the batch by ComfyUI,
    # so only a length equal to the video's says that its rows are frames.
    if isinstance(value, comfy.conds.CONDConstant) and value.cond.shape[0] != num_frames:
        return value
    return value._copy_with(take_frames(value.cond, frames))


def _cut_time_value(value, frames: list[int], num_frames: int):
    tensor = getattr(value, "cond", None)
    # The third axis of a text embedding is its width, even where that happens to equal the number of frames.
    if not isinstance(tensor, torch.Tensor) or isinstance(value, comfy.conds.CONDCrossAttn):
        return value
    dim = 0 if tensor.ndim == 1 else TIME_AXIS
    if dim >= tensor.ndim or tensor.shape[dim] != num_frames:
        return value
    return value._copy_with(take_frames(tensor, frames, dim))


def _cut_model_cond(key: str, value, window: IndexListContextWindow, x_in: torch.Tensor, model):
    if model is not None:
        own = model.resize_cond_for_context_window(key, value, window, x_in, None)
        if own is not None:
            return own
    if key == "num_video_frames":  # Stable Video Diffusion splits the batch by it
        return value._copy_with(len(window.index_list))
    cut = _cut_batch_value if window.dim == BATCH_AXIS else _cut_time_value
    return cut(value, window.index_list, window.total_frames)


def _cut_mask(mask: torch.Tensor, window: IndexListContextWindow, num_frames: int) -> torch.Tensor:
    """Masks arrive at the size of the latents: (n, H, W), or (n, F, H, W) for video latents."""
    if window.dim == BATCH_AXIS:
        return take_frames(mask, window.index_list)
    if mask.ndim == 4 and mask.shape[1] == num_frames:
        return take_frames(mask, window.index_list, 1)
    return mask


def _areas_in_window(area, window: IndexListContextWindow, x_in: torch.Tensor) -> list[tuple]:
    """An area of video latents, (frames, height, width, first frame, y, x), as areas of the window:
    one for each unbroken run.

    The area of frames 2..5 in a window of frames [6, 5, 4, 0, 1, 2] is at its places 1, 2 and 5:
    two areas, 2 frames long from place 1 and 1 frame long from place 5.
    """
    dims = x_in.ndim - 2
    area = add_area_dims(list(area), dims)
    length, start = area[0], area[dims]
    inside = [start <= frame < start + length for frame in window.index_list]
    areas = []
    for place, is_inside in enumerate(inside):
        if is_inside and (place == 0 or not inside[place - 1]):
            areas.append((0, *area[1:dims], place, *area[dims + 1 :]))
        if is_inside:
            areas[-1] = (areas[-1][0] + 1, *areas[-1][1:])
    return areas


def window_conds(
    conds: list[dict], window: IndexListContextWindow, x_in: torch.Tensor, model=None
) -> list[dict]:
    """The conds of one list (positive, negative, ...) for one window of a video of
    window.total_frames frames; x_in are the latents at hand. Nothing given is changed.

    A model (BaseModel) may know better how its own conds are cut. ControlNets are left as they are. A cond
    whose area holds none of the window's frames is left out.
    """
    num_frames = window.total_frames
    result = []
    for cond in conds:
        cut = dict(cond)
        for key, value in cond.items():
            if key == "mask":
                cut[key] = _cut_mask(value, window, num_frames)
            elif (
                isinstance(value, torch.Tensor)
                and value.ndim > window.dim
                and value.shape[window.dim] == num_frames
            ):
                cut[key] = take_frames(value, window.index_list, window.dim)
        cut["model_conds"] = {
            key: _cut_model_cond(key, value, window, x_in, model)
            for key, value in cond["model_conds"].items()
        }
        if window.dim == TIME_AXIS and "area" in cond:
            result += [{**cut, "area": area} for area in _areas_in_window(cond["area"], window, x_in)]
        else:
            result.append(cut)
    return result
