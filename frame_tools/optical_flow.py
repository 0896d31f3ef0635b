"""Dense optical flow between two frames and its picture, without a network.

The flow is Lucas and Kanade's (1981): in a window around every pixel, the displacement that explains the
change of brightness best. It is found on a pyramid from coarse to fine (Bouguet 2000), warping the second
frame by what is known so far; a ridge keeps it at what the coarser level says where a window has no texture.
Colours are those of Baker et al. 2011 (the Middlebury benchmark, IJCV 92): the hue says where to, the
strength of the colour how far. Letters: F frames, H height, W width; a flow (2, H, W) holds x to the right
and y downwards, in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as nn

from ..memory import check_memory
from .batches import check_frames

COARSEST = 12  # pixels of the shorter side at the top of the pyramid
STEPS = 5  # of warping and solving at each level
WINDOW = 2.5  # standard deviation of the Gaussian window, pixels
RIDGE = 1e-4  # of the structure tensor; brightness is 0..1
# of the pyramid; on coarser ones a place without texture is taken to stand still,
# on these it follows what is around
FINE_LEVELS = 1
CLEARLY = 1e-6  # squared brightness by which one flow must be better than another
BRIGHTNESS = (0.299, 0.587, 0.114)
WHEEL = (
    (15, 0, 1, False),
    (6, 1, 0, True),
    (4, 1, 2, False),
    (11, 2, 1, True),
    (13, 2, 0, False),
    (6, 0, 2, True),
)
"""Baker et al.'s transitions red, yellow, green, cyan, blue, magenta, red:
(colours, full channel, changing channel, falling).
"""


def flow_between(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Where each pixel of the first frame (H, W, C) is in the second, as its displacement (2, H, W) in
    pixels; values of frames 0..1.
    """
    one, other = (_pyramid(_brightness(frame)) for frame in (first, second))
    flow = torch.zeros(1, 2, *one[0].shape[-2:], device=first.device)
    for level, (image, later) in enumerate(zip(one, other, strict=True)):
        coarser = _enlarge(flow, image.shape[-2:])
        found = [coarser, _refine(image, later, coarser)]
        if level < len(one) - FINE_LEVELS:
            found.insert(0, torch.zeros_like(coarser))
        flow = _blur(_best(image, later, found), 1.0)
    return flow[0]


def flow_frames(
    frames: torch.Tensor,
    find: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = flow_between,
    progress: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """The flow of every frame (F, H, W, C) to the one after it:
    (F-1, 2, H, W). ValueError for fewer than two frames.
    """
    if len(frames) < 2:
        raise ValueError(f"movement needs at least 2 frames, got {len(frames)}; wire a longer clip.")
    check_frames(frames, "the clip")
    steps, (height, width) = len(frames) - 1, frames.shape[1:3]
    needed = steps * height * width * 4 * (2 + 3)  # the flows, and their pictures later
    what = f"the flows of {steps} steps of {width}x{height} and their pictures"
    check_memory(needed, what, "take fewer or smaller frames")
    flows = torch.empty(steps, 2, height, width)
    for flow, first, second in zip(flows, frames[:-1], frames[1:], strict=True):
        flow.copy_(find(first, second))
        progress()
    return flows


def draw_flow(flows: torch.Tensor, full_colour: float) -> torch.Tensor:
    """Flows (F, 2, H, W) as pictures (F, H, W, 3), values 0..1;
    white = still, full colour = `full_colour` pixels, darker = beyond.
    """
    wheel = colour_wheel().to(flows.device)
    images = torch.empty(len(flows), *flows.shape[2:], 3, device=flows.device)
    for image, (x, y) in zip(images, flows, strict=True):  # one by one, as there is much in between
        length = (torch.hypot(x, y) / max(full_colour, 1e-6))[..., None]
        place = (torch.atan2(-y, -x) / math.pi + 1) / 2 * (len(wheel) - 1)
        before = place.floor().long().clamp(0, len(wheel) - 1)
        colour = torch.lerp(wheel[before], wheel[(before + 1) % len(wheel)], (place - before)[..., None])
        image.copy_(torch.where(length <= 1, 1 - length * (1 - colour), colour * 0.75).clamp(0, 1))
    return images


def colour_wheel() -> torch.Tensor:
    """The 55 colours of Baker et al.'s wheel, (55, 3) in 0..1."""
    colours = []
    for count, full, changing, falling in WHEEL:
        for i in range(count):
            colour = [0.0, 0.0, 0.0]
            colour[full] = 1.0
            colour[changing] = 1 - i / count if falling else i / count
            colours.append(colour)
    return torch.tensor(colours)


def far_movement(flows: torch.Tensor) -> float:
    """The length that 99 of 100 pixels' flows (F, 2, H, W) stay below, at least 1 pixel:
    what full colour is drawn at by itself.
    """
    lengths = torch.hypot(flows[:, 0], flows[:, 1]).flatten()
    lengths = lengths[:: max(1, len(lengths) // 1_000_000)]
    return max(1.0, float(lengths.kthvalue(max(1, round(0.99 * len(lengths)))).values))


def _brightness(frame: torch.Tensor) -> torch.Tensor:
    """(H, W, C) -> (1, 1, H, W)."""
    frame = frame.float()
    grey = (
        frame[..., :3] @ torch.tensor(BRIGHTNESS, device=frame.device)
        if frame.shape[-1] >= 3
        else frame[..., 0]
    )
    return grey[None, None]


def _pyramid(image: torch.Tensor) -> list[torch.Tensor]:
    """The picture at half size again and again, the smallest first."""
    levels = [image]
    while min(levels[-1].shape[-2:]) >= 2 * COARSEST:
        height, width = levels[-1].shape[-2:]
        levels.append(
            nn.interpolate(_blur(levels[-1], 1.0), size=(-(-height // 2), -(-width // 2)), mode="bilinear")
        )
    return levels[::-1]


def _enlarge(flow: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    growth = torch.tensor([size[1] / flow.shape[-1], size[0] / flow.shape[-2]], device=flow.device).view(
        1, 2, 1, 1
    )
    return nn.interpolate(flow, size=size, mode="bilinear") * growth


def _best(image: torch.Tensor, later: torch.Tensor, found: list[torch.Tensor]) -> torch.Tensor:
    """At every pixel the flow that explains its window best;
    one that comes later must be clearly better than those before.
    """
    best = found[0]
    least = _blur((warped(later, best) - image) ** 2, WINDOW)
    for flow in found[1:]:
        error = _blur((warped(later, flow) - image) ** 2, WINDOW)
        better = error < least - CLEARLY
        best, least = torch.where(better, flow, best), torch.where(better, error, least)
    return best


def _refine(image: torch.Tensor, later: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    for _ in range(STEPS):
        moved = warped(later, flow)
        slope_x, slope_y = _slopes((image + moved) / 2)
        change = moved - image
        products = torch.cat(
            [slope_x * slope_x, slope_x * slope_y, slope_y * slope_y, slope_x * change, slope_y * change], 1
        )
        xx, xy, yy, xt, yt = _blur(products, WINDOW).split(1, 1)
        xx, yy = xx + RIDGE, yy + RIDGE
        determinant = xx * yy - xy * xy
        step = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], 1) / determinant
        flow = _blur(flow + step.clamp(-2, 2), 1.0)
    return flow


def warped(image: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """The picture (1, C, H, W) read where the flow leads to; beyond its border the border's value."""
    height, width = image.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    return nn.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _slopes(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Central differences to the right and downwards, per pixel."""
    padded = nn.pad(image, (1, 1, 1, 1), mode="replicate")
    return (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2, (
        padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    ) / 2


def _blur(maps: torch.Tensor, sigma: float) -> torch.Tensor:
    """Each map of (1, C, H, W) with a Gaussian."""
    reach = math.ceil(3 * sigma)
    row = torch.exp(-(torch.arange(-reach, reach + 1, device=maps.device) ** 2) / (2 * sigma * sigma))
    row = (row / row.sum()).to(maps.dtype)
    channels = maps.shape[1]
    padded = nn.pad(maps, (reach, reach, reach, reach), mode="replicate")
    across = nn.conv2d(padded, row.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return nn.conv2d(across, row.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
