"""How many frames of the latents of a run are one video."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...motion_modules.call import streams_in


def frames_of_video(shape: torch.Size, model_options: Mapping, frames_per_video: int, node: str) -> int:
    """Frames of one video of latents (N, C, H, W) or (B, C, F, H, W).

    frames_per_video: what was set, 0 = all, or as many as Context Windows says; node: for the messages.
    Raises ValueError for latents of other dimensions, and for a batch that is no whole number of videos.
    """
    if len(shape) not in (4, 5):
        raise ValueError(
            f"frames of latents of shape {tuple(shape)} cannot be told apart, they need 4 or 5 dimensions;"
            f" leave {node} out."
        )
    if len(shape) == 5:
        frames, streams, images = shape[2], 1, shape[2]
    else:
        windows = getattr(model_options.get("context_handler"), "settings", None)
        images, streams = shape[0], streams_in(model_options.get("transformer_options", {}))
        frames = getattr(windows, "frames_per_video", 0) or images // streams
    frames = frames_per_video or frames
    if frames == 0 or images % (streams * frames) or (len(shape) == 5 and images != frames):
        raise ValueError(
            f"{images} frames are not a whole number of videos of frames_per_video={frames}; set it to the"
            " frames of one video, or to 0."
        )
    return frames
