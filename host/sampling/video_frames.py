"""How many frames of the latents of a run are one video: the one place that all who need to know it ask."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...motion_modules.call import streams_in

FRAMES_PER_VIDEO = "zoetrope_frames_per_video"
"""The key of transformer_options where Context Windows says it for all nodes of a MODEL; 0: all frames."""


def frames_of_video(
    shape: torch.Size, model_options: Mapping, frames_per_video: int = 0, node: str = "the node"
) -> int:
    """Frames of one video of latents (N, C, H, W) or (B, C, F, H, W).

    frames_per_video: what was set, 0 = all, or as many as Context Windows says; node: for the messages.
    Raises ValueError for latents of other dimensions, and for a batch that is no whole number of videos.
    """
    if len(shape) not in (4, 5):
        raise ValueError(
            f"frames of latents of shape {tuple(shape)} cannot be told apart, they need 4 or 5 dimensions;"
            f" leave {node} out."
        )
    if len(shape) == 4:
        return frames_in_batch(shape[0], model_options.get("transformer_options", {}), frames_per_video)
    frames = frames_per_video or shape[2]
    _refuse_parts(shape[2], frames, shape[2] == frames)
    return frames


def frames_in_batch(images: int, transformer_options: Mapping, frames_per_video: int = 0) -> int:
    """Frames of one video where a run has this many images in its batch: as frames_of_video, also inside of a
    forward, where `images` are those of the run and not those of a window.
    """
    streams = streams_in(transformer_options)
    frames = frames_per_video or transformer_options.get(FRAMES_PER_VIDEO, 0) or images // streams
    _refuse_parts(images, frames, bool(frames) and images % (streams * frames) == 0, streams)
    return frames


def _refuse_parts(images: int, frames: int, is_whole: bool, streams: int = 1) -> None:
    if not is_whole:
        twice = " with their motion" if streams > 1 else ""
        raise ValueError(
            f"{images} frames are not a whole number of videos of frames_per_video={frames}{twice}; make the"
            f" latents a multiple of {streams * frames} frames, or set frames_per_video to the frames of one"
            " video, or to 0."
        )
