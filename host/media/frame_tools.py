"""The frame tools that take a while,
with ComfyUI's progress bar (which also ends them on cancel), and RAFT through core's loader.
"""

from __future__ import annotations

import comfy.model_management
import comfy.utils
import torch
import torch.nn.functional as F

from ...frame_tools import grids, plots
from ...frame_tools.coarse_video import MoveSettings, coarse_video
from ...frame_tools.degrading import DegradeSettings, degraded
from ...frame_tools.flicker import FlickerSettings, even_colours
from ...frame_tools.optical_flow import draw_flow, far_movement, flow_between, flow_frames
from ...samplers.text2video_zero.motion_fields import FlowField, field_of_flows

RAFT_SMALLEST_SIDE, RAFT_MULTIPLE = 128, 8


def _progress(total: int):
    bar = comfy.utils.ProgressBar(total)
    return lambda: bar.update(1)


def remove_flicker(images: torch.Tensor, settings: FlickerSettings) -> torch.Tensor:
    """Images (F, H, W, C) with evened colours; see frame_tools.flicker."""
    return even_colours(images, settings, _progress(len(images)))


def make_coarse_video(image: torch.Tensor, settings: MoveSettings) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames (F, H, W, C) of a moving camera and masks (F, H, W); see frame_tools.coarse_video."""
    return coarse_video(image, settings, _progress(settings.num_frames))


def degrade(images: torch.Tensor, settings: DegradeSettings) -> torch.Tensor:
    """Images (F, H, W, C) without their details; see frame_tools.degrading."""
    return degraded(images, settings, _progress(len(images)))


def compare(clips: dict[str, torch.Tensor], labels: str, settings: grids.GridSettings) -> torch.Tensor:
    """Clips in a grid (F, H, W, 3), a line of `labels` above each; see frame_tools.grids."""
    images = list(clips.values())
    progress = _progress(settings.num_frames(images))
    return grids.compare_clips(images, label_lines(labels), settings, progress=progress)


def contact_sheet(frames: torch.Tensor, settings: grids.SheetSettings) -> torch.Tensor:
    """Frames of a clip on one sheet (1, H, W, 3); see frame_tools.grids."""
    frames = frames[None] if frames.ndim == 2 else frames
    progress = _progress(min(settings.count or len(frames), len(frames)))
    return grids.contact_sheet(frames, settings, progress=progress)


def optical_flow_image(
    images: torch.Tensor, full_colour: float, optical_flow=None
) -> tuple[torch.Tensor, str]:
    """The movement of each frame (F, H, W, C) to the next as colours (F-1, H, W, 3),
    and how far it goes in words.

    full_colour: pixels that are drawn in full colour, 0 = what 99 of 100 pixels stay below. optical_flow: a
    ModelPatcher around RAFT from core's loader; without it the flow is found without a network.
    """
    find = flow_between if optical_flow is None else raft_between(optical_flow)
    flows = flow_frames(images, find, _progress(len(images) - 1))
    full_colour = full_colour or far_movement(flows)
    mean = sum(float(torch.hypot(*flow).mean()) for flow in flows) / len(flows)
    text = (
        f"{len(flows)} steps, mean movement {mean:.2f} pixels a frame, full colour = {full_colour:.2f} pixels"
    )
    return draw_flow(flows, full_colour), text


def motion_field(images: torch.Tensor, amount: float, optical_flow=None) -> FlowField:
    """The motion of a video's frames (F, H, W, C) as a motion field; optical_flow: as optical_flow_image."""
    find = flow_between if optical_flow is None else raft_between(optical_flow)
    to_the_frame_before = flow_frames(images.flip(0), find, _progress(len(images) - 1)).flip(0)
    return field_of_flows(to_the_frame_before, amount)


def raft_between(patcher):
    """A function like flow_between that asks torchvision's RAFT; frames are brought to a size that RAFT
    takes, and the flow back.
    """
    comfy.model_management.load_models_gpu([patcher])
    device = patcher.load_device

    @torch.inference_mode()
    def find(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        height, width = first.shape[:2]
        size = [
            max(RAFT_SMALLEST_SIDE, -(-side // RAFT_MULTIPLE) * RAFT_MULTIPLE) for side in (height, width)
        ]
        pair = (
            torch.stack([grids.rgb(frame[None])[0] for frame in (first, second)])
            .movedim(-1, 1)
            .to(device, torch.float32)
        )
        pair = F.interpolate(pair, size=size, mode="bilinear") * 2 - 1
        flow = F.interpolate(patcher.model(pair[:1], pair[1:])[-1], size=(height, width), mode="bilinear")[0]
        return (flow * torch.tensor([width / size[1], height / size[0]], device=device).view(2, 1, 1)).cpu()

    return find


def difference_plot(
    clips: dict[str, torch.Tensor], labels: str, width: int, height: int
) -> tuple[torch.Tensor, str]:
    """The changes from frame to frame of each clip as curves (1, height, width, 3),
    and a line of text for each.
    """
    images = list(clips.values())
    names = label_lines(labels)
    if len(names) > len(images):
        raise ValueError(
            f"{len(names)} labels for {len(images)} clips; write one line for each clip, in their order."
        )
    names = [names[i] if i < len(names) and names[i] else f"clip {i + 1}" for i in range(len(images))]
    progress = _progress(sum(len(clip) - 1 for clip in images))
    series = [plots.frame_differences(clip, progress) for clip in images]
    text = "\n".join(plots.describe(values, name) for values, name in zip(series, names, strict=True))
    return plots.plot_differences(series, names, width, height), text


def label_lines(labels: str) -> list[str]:
    """One label a line; lines in the middle may be empty."""
    return [line.strip() for line in labels.strip("\n").split("\n")] if labels.strip() else []
