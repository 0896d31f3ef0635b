"""A coarse video from one picture, as if a camera moved over it: what a video model then makes good.

Source: Molad et al. 2023 (Dreamix), arXiv 2302.01329, "image-to-video": frames are transforms of the image,
then degraded and denoised. No code of it was published. How a move is given here is ours: the picture is a
plane that fills the view at first, and the camera goes along and turns in front of it, so that frames are
homographies of the picture (Hartley and Zisserman 2004, section 13.1).

Letters: F frames, H height, W width, C channels.
Axes: x to the right, y down, z into the picture; the plane is at z = 1, the camera begins at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ..foreign_text import printable
from ..memory import check_memory
from .batches import check_frames
from .resizing import resized

OUTSIDE = {"edge": "border", "mirror": "reflection", "black": "zeros"}
"""What is seen past the picture's edges -> padding_mode of torch's grid_sample."""
PATHS: dict[str, Callable[[float], float]] = {
    "linear": lambda time: time,
    "ease": lambda time: time * time * (3 - 2 * time),
    "there and back": lambda time: (1 - math.cos(2 * math.pi * time)) / 2,
}
"""Name -> share of the move that is done, from the time 0..1 in the clip."""
LARGEST_ANGLE = 80.0


@dataclass(frozen=True)
class MoveSettings:
    """Where the camera is at the end of the move; at the first frame it sees the picture as it is.

    num_frames: F. zoom: how much larger the picture is, 0.1..10. pan_x, pan_y: how far the camera goes right
    and down, in widths and heights of the picture. roll, turn, tilt: degrees, clockwise, to the right, down.
    field_of_view: degrees over the width, for turn and tilt. path: one of PATHS. outside: one of OUTSIDE.
    Raises ValueError for values out of range.
    """

    num_frames: int = 16
    zoom: float = 1.0
    pan_x: float = 0.0
    pan_y: float = 0.0
    roll: float = 0.0
    turn: float = 0.0
    tilt: float = 0.0
    field_of_view: float = 50.0
    path: str = "linear"
    outside: str = "mirror"

    def __post_init__(self) -> None:
        for name, choices in (("path", PATHS), ("outside", OUTSIDE)):
            if (value := getattr(self, name)) not in choices:
                raise ValueError(
                    f"{name}='{printable(value)}' must be one of {', '.join(choices)}; choose one of these."
                )
        ranges = {
            "num_frames": (1, math.inf),
            "zoom": (0.1, 10),
            "pan_x": (-10, 10),
            "pan_y": (-10, 10),
            "roll": (-3600, 3600),
            "turn": (-LARGEST_ANGLE, LARGEST_ANGLE),
            "tilt": (-LARGEST_ANGLE, LARGEST_ANGLE),
            "field_of_view": (5, 120),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:  # NaN compares as false
                raise ValueError(
                    f"{name}={getattr(self, name):g} must be {low:g} to {high:g}; set it in between."
                )

    def at(self, share: float) -> MoveSettings:
        """The move up to a share of it; a zoom goes on by equal factors."""
        moved = {name: share * getattr(self, name) for name in ("pan_x", "pan_y", "roll", "turn", "tilt")}
        return replace(self, **moved, zoom=self.zoom**share)

    def shares(self) -> list[float]:
        """How much of the move is done at every frame; a move there and back comes to its start again
        where the next round would begin.
        """
        last = self.num_frames if self.path == "there and back" else max(1, self.num_frames - 1)
        return [PATHS[self.path](frame / last) for frame in range(self.num_frames)]


def coarse_video(
    image: torch.Tensor, settings: MoveSettings, progress: Callable[[], None] = lambda: None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames (F, H, W, C) and masks (F, H, W), 1 where a frame shows what is past the picture's edges.

    image: (1, H, W, C), values 0..1. Raises ValueError for several images, and where there is not the memory.
    """
    check_frames(image, "the image")
    if len(image) != 1:
        raise ValueError(
            f"{len(image)} images are given, and a coarse video is made from 1; take one of them with Select"
            " Frames."
        )
    _, height, width, channels = image.shape
    check_memory(
        4 * settings.num_frames * height * width * (channels + 1),
        f"{settings.num_frames} frames of {width}x{height}",
        "take fewer frames or a smaller image",
    )
    frames = image.new_empty(settings.num_frames, height, width, channels)
    masks = torch.empty(settings.num_frames, height, width, dtype=torch.float32, device=image.device)
    for frame, share in enumerate(settings.shares()):
        frames[frame], masks[frame] = seen(image[0], settings.at(share))
        progress()
    return frames, masks


def seen(image: torch.Tensor, place: MoveSettings) -> tuple[torch.Tensor, torch.Tensor]:
    """An image (H, W, C) as the camera sees it from a place (H, W, C), and where that is past it (H, W)."""
    height, width, _ = image.shape
    points = plane_points(height, width, place).to(image.device)
    outside = ~(points.abs() <= 1).all(-1)  # NaN, where it looks away, is outside too
    if place == place.at(0):
        return image, outside.float()
    source = image
    if place.zoom < 1:  # the picture gets smaller: averaged before, or it would flicker
        source = resized(image, max(1, round(height * place.zoom)), max(1, round(width * place.zoom)))
    grid = points.nan_to_num(nan=0.0).float()[None]
    mode = OUTSIDE[place.outside]
    planes = source.movedim(-1, 0)[None].float()
    view = F.grid_sample(planes, grid, mode="bicubic", padding_mode=mode, align_corners=False)
    view = view[0].movedim(0, -1).clamp(0, 1)
    view[points.isnan().any(-1)] = 0
    return view.to(image.dtype), outside.float()


def plane_points(height: int, width: int, place: MoveSettings) -> torch.Tensor:
    """Where on the picture each pixel of the view looks: (H, W, 2), -1..1 inside; NaN where it looks away.

    A camera at (pan_x, pan_y, 1 - 1 / zoom) of the plane's size, turned, then tilted, then rolled.
    """
    half_x = math.tan(math.radians(place.field_of_view) / 2)
    half_y = half_x * height / width
    across = (torch.arange(width, dtype=torch.float64) + 0.5) / width * 2 - 1
    down = (torch.arange(height, dtype=torch.float64) + 0.5) / height * 2 - 1
    y, x = torch.meshgrid(half_y * down, half_x * across, indexing="ij")
    rays = torch.stack((x, y, torch.ones_like(x)), -1) @ rotation(place.turn, place.tilt, place.roll).T
    distance = (1 / place.zoom) / rays[..., 2:]
    distance = torch.where(rays[..., 2:] > 0, distance, torch.nan)
    centre = torch.tensor([2 * half_x * place.pan_x, 2 * half_y * place.pan_y], dtype=torch.float64)
    return (centre + distance * rays[..., :2]) / torch.tensor([half_x, half_y], dtype=torch.float64)


def rotation(turn: float, tilt: float, roll: float) -> torch.Tensor:
    """From the camera's axes to the plane's: (3, 3), angles in degrees."""
    (sin_turn, cos_turn), (sin_tilt, cos_tilt), (sin_roll, cos_roll) = (
        (math.sin(math.radians(angle)), math.cos(math.radians(angle))) for angle in (turn, tilt, roll)
    )
    about_y = [[cos_turn, 0, sin_turn], [0, 1, 0], [-sin_turn, 0, cos_turn]]
    about_x = [[1, 0, 0], [0, cos_tilt, sin_tilt], [0, -sin_tilt, cos_tilt]]
    about_z = [[cos_roll, -sin_roll, 0], [sin_roll, cos_roll, 0], [0, 0, 1]]
    one, two, three = (torch.tensor(rows, dtype=torch.float64) for rows in (about_y, about_x, about_z))
    return one @ two @ three
