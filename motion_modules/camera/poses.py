"""Camera poses over frames, and what the networks read of them: Pluecker rays, and matrices in a row.

Source: He et al. 2024, CameraCtrl, arXiv 2404.02101; github.com/hehao13/CameraCtrl (inference.py) fixes the
details: half pixels, poses relative to the first one, how a video of other proportions is cut.
Axes as in OpenCV and RealEstate10K: x to the right, y down, z into the picture.

Letters: F frames, H height, W width in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class CameraPoses:
    """Where a camera stands in each frame, and what it sees of the width and height.

    to_camera: (F, 4, 4) float64, from the coordinates of the world to those of the camera; its length unit is
    that of the scene. lens: (F, 4) float64, fx and cx as shares of the width, fy and cy of the height.
    aspect: width divided by height of the video that the poses belong to.
    """

    to_camera: torch.Tensor
    lens: torch.Tensor
    aspect: float = 1280 / 720

    def __len__(self) -> int:
        return len(self.to_camera)

    def of_frames(self, frames: list[int] | tuple[int, ...]) -> CameraPoses:
        """The poses of these frames."""
        return CameraPoses(self.to_camera[list(frames)], self.lens[list(frames)], self.aspect)

    def to_world(self) -> torch.Tensor:
        """From the camera of each frame to the coordinates of the first one's: (F, 4, 4) float64."""
        return self.to_camera[:1] @ torch.linalg.inv(self.to_camera)

    def matrices(self) -> torch.Tensor:
        """What MotionCtrl reads: rows of [R|t] from the first camera to each one: (F, 12) float32."""
        relative = self.to_camera @ torch.linalg.inv(self.to_camera[:1])
        return relative[:, :3].flatten(1).float()

    def pixels(self, width: int, height: int) -> torch.Tensor:
        """fx, fy, cx, cy in pixels of a video that is cut out of the middle: (F, 4) float64."""
        fx, fy, cx, cy = self.lens.unbind(-1)
        across = width if self.aspect <= width / height else height * self.aspect
        up = height if self.aspect >= width / height else width / self.aspect
        return torch.stack((fx * across, fy * up, cx * width, cy * height), -1)

    def rays(self, width: int, height: int) -> torch.Tensor:
        """The Pluecker ray of every pixel, (o x d, d), seen from the first camera: (F, 6, H, W) float32."""
        fx, fy, cx, cy = (values[:, None, None] for values in self.pixels(width, height).float().unbind(-1))
        across, up = (torch.arange(size) + 0.5 for size in (width, height))
        x = ((across - cx) / fx).expand(-1, height, -1)
        y = ((up[:, None] - cy) / fy).expand(-1, -1, width)
        directions = torch.nn.functional.normalize(torch.stack((x, y, torch.ones_like(x)), -1), dim=-1)
        to_world = self.to_world().float()
        directions = directions.flatten(1, 2) @ to_world[:, :3, :3].transpose(1, 2)
        origins = to_world[:, None, :3, 3].expand_as(directions)
        # The reference crosses along the first axis of length 3: another one for 3 frames.
        rays = torch.cat((torch.linalg.cross(origins, directions, dim=-1), directions), -1)
        return rays.unflatten(1, (height, width)).permute(0, 3, 1, 2)
