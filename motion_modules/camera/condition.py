"""What CameraCtrl and MotionCtrl read in a sampling run.

In context windows poses count from the first frame of each window, and in a row of videos each begins anew:
both were trained on clips whose first pose is the origin (ours; the references know no windows).
Letters: B videos, F frames of a video in one call, N = B*F images, H height, W width of the latents.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..call import Call
from ..frame_features import FrameFeatures
from .poses import CameraPoses

NEEDS = "camera poses; put the node 'Move Camera' between Load Camera Control and Apply Motion Module"


@dataclass(frozen=True)
class CameraCondition:
    """poses: one for each frame of a video. size: (H, W) of the latents that are sampled. strength: of the
    camera's part, 1 = as trained, 0 = off.
    """

    poses: CameraPoses
    size: torch.Size
    strength: float = 1.0
    features: FrameFeatures = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", FrameFeatures(len(self.poses)))

    def matrices(self, call: Call) -> torch.Tensor:
        """MotionCtrl's twelve numbers of each image of a call, zeros for the negative prompt: (N, 12)."""
        videos = self.features.videos(call)
        rows = torch.stack([self.poses.of_frames(video).matrices() for video in videos])
        options, chunk = call.forward.options, call.forward.num_frames
        negative = [kind == 1 for kind in options.get("cond_or_uncond", (0,)) for _ in range(chunk)]
        return rows.flatten(0, 1).masked_fill(torch.tensor(negative)[:, None], 0.0)
