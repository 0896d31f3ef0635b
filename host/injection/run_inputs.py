"""What a temporal method needs besides weights, such as an image, from the node to a sampling run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import comfy.model_patcher
import torch


class RunInputs(Protocol):
    """What was wired into a module besides its weights, where its method `needs` something.

    With an attribute `context_guidance` that is not 1, what for_run gives has a method `unseen` that gives
    the same without what the video is to follow. Inputs that show frames of the video have `of_clip`, see
    `inputs_in_forward`.
    """

    def for_run(self, model: comfy.model_patcher.ModelPatcher, shape: torch.Size, num_frames: int) -> Any:
        """What the method's acts read as `call.inputs` while latents of this shape are sampled.

        num_frames: F of one video. Raises ValueError where that does not fit.
        """


TRAINED_CLIP = "zoetrope_trained_clip"
"""The key of transformer_options under which training says its `TrainedClip`."""


@dataclass(frozen=True)
class TrainedClip:
    """The clip that a module is trained on in a forward.

    latents: its frames (F, C, h, w) in the scale of the network, None where single pictures are seen. shows:
    whether a module sees what is known of it.
    """

    latents: torch.Tensor | None
    shows: bool = True


def inputs_in_forward(inputs: Any, ready: Any, transformer_options: Mapping) -> Any:
    """What a method's acts read as `call.inputs` in a forward.

    ready: what `inputs.for_run` gave. In training, inputs with a method `of_clip(ready, latents)` show the
    frames of the clip itself: it gives what `for_run` would have given for those.
    """
    clip: TrainedClip | None = transformer_options.get(TRAINED_CLIP)
    if clip is None or not hasattr(inputs, "of_clip"):
        return ready
    found = ready if clip.latents is None else inputs.of_clip(ready, clip.latents)
    return found if clip.shows or not hasattr(found, "unseen") else found.unseen()
