"""Refuses a run whose video has another number of frames than its prompts were made for."""

from __future__ import annotations

FRAMES_TOLD = "zoetrope_prompt_frames"
"""Key of a cond: the number of frames that its rows are for."""


def refuse_other_frames(guider, num_frames: int, num_videos: int = 1, are_batch: bool = True) -> None:
    """Raises ValueError where a cond of a guider is made for other frames than those of a video.

    Rows for each frame of all videos are fine too. are_batch: whether frames are the batch of the latents.
    """
    for conds in guider.conds.values():
        for told in {cond[FRAMES_TOLD] for cond in conds if FRAMES_TOLD in cond}:
            if not are_batch:
                raise ValueError(
                    "Prompts over Frames needs a MODEL whose frames are the batch, such as a checkpoint with"
                    " Apply Motion Module; video latents of 5 dimensions have one prompt: use CLIP Text"
                    " Encode."
                )
            if told not in (num_frames, num_videos * num_frames):
                raise ValueError(
                    f"the prompts are for {told} frames and the video has {num_frames}; set num_frames of"
                    f" Prompts over Frames to {num_frames}, or wire the latent into it."
                )
