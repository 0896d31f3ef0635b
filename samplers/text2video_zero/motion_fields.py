"""Motion fields: where each place of a frame lies in the first frame of its video.

Source: Khachatryan et al. 2023, arXiv 2303.13439, section 4.1 (motion dynamics); the canvas of 512 pixels is
that of github.com/Picsart-AI-Research/Text2Video-Zero. Ours: zoom, rotation, and fields of a video's optical
flow.

A field goes with the camera: what a camera that moves to the right sees moves to the left. Letters: F frames,
H height, W width of latents; a displacement is (2, H, W), x and y in places of the latents.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as nnf

from ...memory import check_memory

CANVAS = 512
"""Pixels of the published canvas, whatever the size of the picture is."""
FARTHEST = 10.0
"""Canvases that a frame may move by: more is a slip of the finger."""


class MotionField(Protocol):
    """What travels on a MOTION_FIELD link."""

    def displacements(self, num_frames: int, size: tuple[int, int]) -> Iterator[torch.Tensor]:
        """For frames 1 to F-1 where each place of latents of this size (H, W) lies in frame 0, as its
        displacement (2, H, W). Raises ValueError for more frames than it has.
        """


@dataclass(frozen=True)
class CameraField:
    """The camera moves evenly: each frame as far as the one before.

    delta_x, delta_y: pixels a frame to the right and down, of a canvas of 512. zoom: factor a frame, above 1
    = closer. rotation: degrees a frame, clockwise. Raises ValueError for values out of range.
    """

    delta_x: float = 12.0
    delta_y: float = 12.0
    zoom: float = 1.0
    rotation: float = 0.0

    def __post_init__(self) -> None:
        for name in ("delta_x", "delta_y"):
            value = getattr(self, name)
            if not abs(value) <= FARTHEST * CANVAS:  # NaN compares as false
                raise ValueError(
                    f"{name}={value} must be a number of pixels of a canvas of {CANVAS}; 12 is usual."
                )
        if not 0.1 <= self.zoom <= 10:
            raise ValueError(f"zoom={self.zoom} must be between 0.1 and 10; 1 = none, 1.05 comes closer.")
        if not math.isfinite(self.rotation):
            raise ValueError(f"rotation={self.rotation} must be a number of degrees; 0 = none.")

    def displacements(self, num_frames: int, size: tuple[int, int]) -> Iterator[torch.Tensor]:
        height, width = size
        y, x = torch.meshgrid(_from_centre(height), _from_centre(width), indexing="ij")
        for k in range(1, num_frames):
            angle = math.radians(self.rotation * k)
            turn, lean = math.cos(angle) / self.zoom**k - 1, math.sin(angle) / self.zoom**k
            yield torch.stack((
                turn * x - lean * y + self.delta_x * k * width / CANVAS,
                lean * x + turn * y + self.delta_y * k * height / CANVAS,
            ))  # fmt: skip


def _from_centre(length: int) -> torch.Tensor:
    return torch.arange(length, dtype=torch.float64) - (length - 1) / 2


@dataclass(frozen=True)
class FlowField:
    """The motion of a video. parts: displacements of its frames 1, 2, ... (F-1, 2, H', W') in parts of its
    width and height.
    """

    parts: torch.Tensor

    def displacements(self, num_frames: int, size: tuple[int, int]) -> Iterator[torch.Tensor]:
        known = len(self.parts) + 1
        if num_frames > known:
            raise ValueError(
                f"the motion field is of a video of {known} frames, num_frames={num_frames} are more; lower "
                "num_frames or take a longer video."
            )
        height, width = size
        for part in self.parts[: num_frames - 1]:
            resized = nnf.interpolate(part[None].double(), size, mode="bilinear", antialias=True)[0]
            yield resized * resized.new_tensor([width, height])[:, None, None]


def field_of_flows(flows: torch.Tensor, amount: float = 1.0) -> FlowField:
    """The field of a video by its flows (F-1, 2, H, W), pixels: where each place of frame k+1 is in frame k.

    amount: factor of all displacements; 1 = as in the video. They are chained: a place of frame 2 is looked
    up in frame 1, and from there in frame 0. Raises ValueError for flows that are not finite.
    """
    if not math.isfinite(amount) or not bool(flows.isfinite().all()):
        raise ValueError(
            f"a motion field needs finite numbers, amount={amount} or the flow of the video has others; "
            "set amount to 1, or take another video."
        )
    check_memory(2 * flows.numel() * 4, f"the motion field of {len(flows)} steps", "take a smaller video")
    total, found = torch.zeros_like(flows[0]), []
    for flow in flows:
        total = flow + _read_at(total, flow)
        found.append(total)
    size = flows.new_tensor([flows.shape[-1], flows.shape[-2]])
    return FlowField(amount * torch.stack(found) / size[:, None, None])


def _read_at(values: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Values (2, H, W) where the flow (2, H, W) leads to; beyond the border the border's."""
    height, width = values.shape[-2:]
    x = torch.arange(width) + flow[0]
    y = torch.arange(height)[:, None] + flow[1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)[None]
    return nnf.grid_sample(values[None], grid, padding_mode="border", align_corners=False)[0]
