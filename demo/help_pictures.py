"""Makes the pictures of the help pages with the pack's own code:
plans of windows, curves, and frame tools on the demo's world.

    python dev.py run demo.help_pictures

Each lies in the folder of its page in web/docs.
"""

from __future__ import annotations

import pathlib
import random

import torch
import torch.nn.functional as F

from ..frame_tools.camera_path import draw_camera_path
from ..frame_tools.grids import SheetSettings, compare_clips, contact_sheet
from ..frame_tools.labels import label_bar, to_image
from ..frame_tools.optical_flow import draw_flow, far_movement, flow_frames
from ..frame_tools.plots import frame_differences, plot_differences, plot_values
from ..frame_tools.sparse_places import AT_FRAMES, PLACES, frames_of_images
from ..frame_values import frame_values
from ..host.controlnets.over_time import OverTimeSettings
from ..motion_modules.animatediff.layers import sinusoidal_table
from ..motion_modules.camera.moves import continued, moved
from ..motion_modules.pia import mask_values
from ..motion_modules.positions import PositionChange
from ..samplers.context_fusion import fuse_weights
from ..samplers.context_plan import draw_plan
from ..samplers.context_schedules import create_context_windows
from ..samplers.frame_guidance import GuidanceSettings, guidance_of_frames
from ..samplers.freeinit import LOW_PASS_FILTERS
from ..samplers.oscillating_guidance import OscillationSettings, guidance_of_step
from ..samplers.over_frames.curves import CURVES
from ..samplers.over_frames.prompts import PromptSettings, prompt_plan
from ..samplers.over_frames.values import ValueSettings, schedule_values
from . import world

FOLDER = pathlib.Path(__file__).parents[1] / "web" / "docs"
WIDTH = 560  # pixels: twice the width of the panel
BAR = 26  # pixels of a line of text
SCHEDULES = ("standard_static", "standard_uniform", "looped_uniform", "batched")
FUSE_METHODS = ("pyramid", "relative", "flat", "overlap-linear")
PLANNED = {"num_frames": 28, "context_length": 12, "context_overlap": 4}


def plan_of(schedule: str, steps: range, cell: int) -> torch.Tensor:
    """The plan of a few steps (H, W, 3), fused with pyramid."""
    frames, length, overlap = PLANNED.values()
    bands = []
    for step in steps:
        windows = create_context_windows(schedule, frames, length, overlap, step=step)
        bands.append((windows, [fuse_weights("pyramid", window, frames, overlap) for window in windows]))
    return draw_plan(bands, frames, cell)


def schedules() -> torch.Tensor:
    """Two steps of every schedule, one below the other under their names."""
    cell = WIDTH // PLANNED["num_frames"]
    parts = []
    for schedule in SCHEDULES:
        plan = plan_of(schedule, range(1, 3), cell)
        parts += [label_bar(schedule, plan.shape[1], BAR), plan]
    return torch.cat(parts)


def weights() -> torch.Tensor:
    """How much each frame of a window counts, as parts of the most, by every fuse method."""
    curves = [fuse_weights(method, range(6, 22), 28, 4) for method in FUSE_METHODS]
    parts = [[weight / max(curve) for weight in curve] for curve in curves]
    return plot_differences(
        parts, list(FUSE_METHODS), WIDTH, 300, "Weight of a frame in its window, as a part of the largest"
    )[0]


def guidance() -> torch.Tensor:
    """The guidance of every frame of 25, from 1 to 3, by shape."""
    shapes = ("linear", "triangle", "trapezoid", "multi_period")
    curves = [guidance_of_frames(GuidanceSettings(shape), 25, 3.0).tolist() for shape in shapes]
    return plot_differences(curves, list(shapes), WIDTH, 300, "cfg of a frame: min 1, max 3")[0]


def camera_path() -> torch.Tensor:
    """Into the picture, then around what is in front."""
    poses = continued(moved("zoom in", 16, 1.0, 0.5, 16 / 9), moved("orbit left", 17, 1.0, 0.5, 16 / 9))
    return draw_camera_path(poses.to_world(), 0.5 / poses.lens[:, :2])[0]


def prompt_curves() -> torch.Tensor:
    """The weight of a prompt at frame 4 that goes over into one at frame 12, by curve."""
    plans = [prompt_plan(PromptSettings('"4": "a", "12": "b"', curve=curve)) for curve in CURVES]
    curves = [weights for ((_, _, weights), _) in (plan.weights for plan in plans)]
    title = "Weight of the first of two prompts, at the frames 4 and 12"
    return plot_values(curves, [name.split(" ")[0] for name in CURVES], WIDTH, 300, title)[0]


def values() -> torch.Tensor:
    """The numbers of the text on the page."""
    numbers = schedule_values(ValueSettings("0: (0), 8: (1.5), max_f-1: (0.25)"))
    return plot_values([numbers], ["value"], WIDTH, 300, "Value of each frame")[0]


def oscillation() -> torch.Tensor:
    """The guidance of every step of 20."""
    scales = [guidance_of_step(OscillationSettings(), step, 15.0) for step in range(20)]
    return plot_values([scales], ["cfg 15 in the sampler, low_cfg 1"], WIDTH, 220, "cfg of a step", "step")[0]


def freeinit_filters() -> torch.Tensor:
    """What each filter keeps of the frequencies over 64 frames, at cut-offs of 0.25."""
    curves = [keep((64, 1, 1), 0.25, 0.25)[:33, 0, 0].tolist() for keep in LOW_PASS_FILTERS.values()]
    title = "Part kept of a frequency: d_t 0.25, 64 frames"
    return plot_values(curves, list(LOW_PASS_FILTERS), WIDTH, 300, title, "periods in the video")[0]


def reused_blocks() -> torch.Tensor:
    """Four steps, one below the other, of an SD1.x network: blocks that are computed are coloured, those
    whose work comes from the last whole step are dark.
    """
    cell, gap, parts = 22, 4, []
    colours = torch.tensor([[0.35, 0.6, 0.95], [0.75, 0.55, 0.95], [0.95, 0.62, 0.3]])
    kinds = torch.tensor([0] * 12 + [1] + [2] * 12)
    for interval, depth in ((2, 1), (3, 3)):
        rows = []
        for step in range(4):
            outer = (torch.arange(25) < depth) | (torch.arange(25) >= 25 - depth)
            shown = torch.where((outer | (step % interval == 0))[:, None], colours[kinds], torch.tensor(0.2))
            row = shown.repeat_interleave(cell, 0)[None].repeat(cell - gap, 1, 1)
            row[:, cell - 2 :: cell] = row[:, cell - 1 :: cell] = 0.12
            rows += [F.pad(row, (0, 0, 0, WIDTH - row.shape[1], 0, gap), value=0.12)]
        text = f"steps 0 to 3, interval {interval}, depth {depth}"
        parts += [label_bar(text, WIDTH, BAR), *rows]
    names = "blue: input blocks    violet: middle    orange: output blocks"
    return torch.cat([*parts, label_bar(names, WIDTH, BAR)])


def values_by_place() -> torch.Tensor:
    """Strength of eight frames: 0 to 1, where a mask is white; outside of it 0."""
    mask = torch.zeros(1, 96, 96)
    mask[..., 48:] = 1.0
    placed = frame_values([frame / 7 for frame in range(8)], mask).keys[0].values
    return contact_sheet(placed[..., None].expand(-1, -1, -1, 3), SheetSettings(8, 4, 128))[0]


def guidance_of_steps() -> torch.Tensor:
    """8, and 3 from 0.4 of the schedule on."""
    held = frame_values([3.0], start_percent=0.4, before=frame_values([8.0]))
    scales = [float(held.at(lambda start, part=part: start <= part / 100)) for part in range(101)]
    title = "cfg: Vary Value 8, then 3 with start_percent 0.4"
    return plot_values([scales], ["cfg"], WIDTH, 220, title, "percent of the noise schedule")[0]


def stretched_positions() -> torch.Tensor:
    """A slow channel of a table as the file has it, and the first 16 of its rows over 24."""
    table = sinusoidal_table(32, 320)
    tables = [table, PositionChange(cap=16, length=24).of(table)]
    curves = [rows[0, :, 80].tolist() for rows in tables]
    labels = ["of the file", "cap 16, length 24"]
    return plot_values(curves, labels, WIDTH, 260, "One channel of the position table", "row")[0]


def soft_weights() -> torch.Tensor:
    """What the layers of an SD1.5 ControlNet are multiplied by."""
    kinds = {"0.825": OverTimeSettings(soft_weights=0.825), "flipped": OverTimeSettings(1.0, 0.825, True)}
    curves = [[kind.of_layer("output", i, 12, False) for i in range(12)] for kind in kinds.values()]
    title = "Factor of a layer, soft_weights 0.825"
    return plot_values(curves, list(kinds), WIDTH, 260, title, "layer, 0 = finest")[0]


def views() -> torch.Tensor:
    """Which frames a temporal layer sees at once: 32 frames, view_length 16, view_overlap 4."""
    windows = create_context_windows("standard_static", 32, 16, 4, step=0)
    weights = [fuse_weights("pyramid", window, 32, 4) for window in windows]
    return draw_plan([(windows, weights)], 32, WIDTH // 32)


def sparse_places() -> torch.Tensor:
    """Where three images lie in a video of 16 frames, by place."""
    parts = []
    for place in PLACES:
        frames = [[frame] for frame in frames_of_images(place, "0, 3, 12", 3, 16)]
        plan = draw_plan([(frames, [[1.0]] * 3)], 16, WIDTH // 32)
        parts += [label_bar(place + (": 0, 3, 12" if place == AT_FRAMES else ""), plan.shape[1], BAR), plan]
    return torch.cat(parts)


def likeness() -> torch.Tensor:
    """How much the frames are like PIA's image at the first of 16, by motion."""
    motions = ("small", "moderate", "large", "loop large")
    curves = [mask_values(motion, 16, 0).tolist() for motion in motions]
    title = "How much a frame is like the image, cond_frame 0"
    return plot_values(curves, list(motions), WIDTH, 300, title)[0]


def clip(seed: int, motion: str, num_frames: int = 16, **things: str) -> torch.Tensor:
    """A clip of the world (F, H, W, 3)."""
    return world.render_clip(
        world.random_scene(random.Random(seed), motion=motion, **things), num_frames
    ).movedim(1, -1)


def compared() -> torch.Tensor:
    """The middle frame of two clips beside each other."""
    clips = [
        clip(2, "bounce", shape="ball", colour=colour, background="meadow", size="big")
        for colour in ("red", "purple")
    ]
    return compare_clips(clips, ["a red ball", "a purple ball"])[8]


def sheet() -> torch.Tensor:
    frames = clip(5, "orbit", shape="ring", colour="purple", background="desert", size="big")
    return contact_sheet(frames, SheetSettings(8, 4, 128, fps=8.0))[0]


def flow() -> torch.Tensor:
    """A frame, and where its parts move."""
    frames = clip(5, "right", 3, shape="square", colour="red", background="gray", size="big")
    flows = flow_frames(frames)
    return torch.cat([frames[1], draw_flow(flows, far_movement(flows))[1]], 1)


def differences() -> torch.Tensor:
    """A clip that moves evenly, and the same with a frame lost."""
    even = clip(3, "right", 24, shape="ball", colour="orange", background="blue", size="small")
    jumping = torch.cat([even[:11], even[13:]])
    series = [frame_differences(frames) for frames in (even, jumping)]
    return plot_differences(series, ["even", "two frames are missing"], WIDTH, 300)[0]


PICTURES = {
    "ZoetropeApplyContextWindows/schedules.png": schedules,
    "ZoetropeApplyContextWindows/weights.png": weights,
    "ZoetropeShowContextWindows/plan.png": lambda: plan_of(
        "standard_uniform", range(4), WIDTH // PLANNED["num_frames"]
    ),
    "ZoetropeSetFrameGuidance/curves.png": guidance,
    "ZoetropeSchedulePrompts/curves.png": prompt_curves,
    "ZoetropeScheduleValues/curve.png": values,
    "ZoetropeOscillateGuidance/steps.png": oscillation,
    "ZoetropeApplyFreeInit/filters.png": freeinit_filters,
    "ZoetropeReuseDeepFeatures/blocks.png": reused_blocks,
    "ZoetropeMakeCameraPoses/path.png": camera_path,
    "ZoetropeVaryValue/values.png": values_by_place,
    "ZoetropeVaryGuidance/steps.png": guidance_of_steps,
    "ZoetropeAdjustPositionTable/table.png": stretched_positions,
    "ZoetropeControlNetOverTime/layers.png": soft_weights,
    "ZoetropeApplyLayerViews/views.png": views,
    "ZoetropePlaceSparseImages/places.png": sparse_places,
    "ZoetropeAnimateImagePIA/likeness.png": likeness,
    "ZoetropeCompareClips/compared.png": compared,
    "ZoetropeMakeContactSheet/sheet.png": sheet,
    "ZoetropeDrawOpticalFlow/flow.png": flow,
    "ZoetropePlotFrameDifferences/differences.png": differences,
}


def fitting(image: torch.Tensor) -> torch.Tensor:
    """A picture (H, W, 3) in its size, or made smaller so that it is no wider than WIDTH."""
    if image.shape[1] <= WIDTH:
        return image
    size = (round(image.shape[0] * WIDTH / image.shape[1]), WIDTH)
    return F.interpolate(image.movedim(-1, 0)[None], size, mode="bicubic", antialias=True)[0].movedim(0, -1)


def main() -> None:
    for name, make in PICTURES.items():
        to_image(fitting(make())).quantize(128).save(FOLDER / name, optimize=True)
        print(f"{name}: {(FOLDER / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
