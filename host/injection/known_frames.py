"""The frames of a video that are known before it is made, from the node to the first convolution of the UNet.

Source: the papers named in motion_modules/masked_frames.py.
Letters: K known frames, F frames, N images of the batch, H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ...foreign_text import printable
from ...frame_tools.selection import check_expression, select_frames
from ...motion_modules.image_condition import ImageCondition
from ...motion_modules.masked_frames import METHOD, known_frames
from .condition_images import encoded
from .motion_models import MotionModule, with_inputs

NODE = "Set Known Frames"


@dataclass(frozen=True)
class KnownFrames:
    """Images, and which frames of the video they are.

    images: IMAGE (K, H, W, C), values 0..1, in the order in which frames names them; of several videos one
    after another, or the same for all. frames: numbers and ranges as in Select Frames. context_guidance: s of
    context guidance, 0 or larger, 1 = as trained. Raises ValueError for a text that names no frames and for
    another number.
    """

    vae: Any
    images: torch.Tensor
    frames: str = "0"
    context_guidance: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.context_guidance < math.inf:
            raise ValueError(
                f"context_guidance={self.context_guidance} must be a finite number, 0 or larger; 1 is as "
                "trained."
            )
        check_expression(self.frames)

    def for_run(self, model, shape: torch.Size, num_frames: int) -> ImageCondition:
        """The known frames as latents of the size that is sampled, and their mask.

        shape: of the latents (N, 4, H, W). num_frames: of one video. Raises ValueError for a frame past the
        end, for one that is named twice, and for another number of images.
        """
        numbers = select_frames(self.frames, num_frames)
        if len(set(numbers)) < len(numbers):
            twice = next(number for number in numbers if numbers.count(number) > 1)
            raise ValueError(
                f'frames="{printable(self.frames)}" names frame {twice} of the {num_frames} twice; name each '
                "known frame once."
            )
        videos = max(1, shape[0] // num_frames)
        if len(self.images) not in (len(numbers), videos * len(numbers)):
            several = f" ({videos * len(numbers)} for {videos} videos)" if videos > 1 else ""
            raise ValueError(
                f'frames="{printable(self.frames)}" names {len(numbers)} of the {num_frames} frames'
                f"{several}, images holds {len(self.images)}; name as many frames as there are images."
            )
        return known_frames(encoded(self.images, self.vae, model, shape, NODE), numbers, num_frames)

    def of_clip(self, ready: ImageCondition, latents: torch.Tensor) -> ImageCondition:
        """The same frames of a clip that is trained on, latents (F, 4, H, W)."""
        numbers = select_frames(self.frames, len(latents))
        return known_frames(latents[numbers], numbers, len(latents))


def set_known_frames(motion_module: MotionModule, known: KnownFrames) -> MotionModule:
    """The masked-frames module with the frames that are known; motion_module is not changed.

    Raises ValueError for a module of another method.
    """
    return with_inputs(motion_module, METHOD, known, "known frames")
