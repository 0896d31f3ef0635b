"""What a temporal method needs besides weights, such as an image, from the node to a sampling run."""

from __future__ import annotations

from typing import Any, Protocol

import comfy.model_patcher
import torch


class RunInputs(Protocol):
    """What was wired into a module besides its weights, where its method `needs` something.

    With an attribute `context_guidance` that is not 1, what for_run gives has a method `unseen` that gives
    the same without what the video is to follow.
    """

    def for_run(self, model: comfy.model_patcher.ModelPatcher, shape: torch.Size, num_frames: int) -> Any:
        """What the method's acts read as `call.inputs` while latents of this shape are sampled.

        num_frames: F of one video. Raises ValueError where that does not fit.
        """
