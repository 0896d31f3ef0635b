"""Dynamic degree: whether a clip moves, by its optical flow.

Source: Huang et al. 2023 (VBench, arXiv 2311.17982): at 8 frames a second, a step moves where the mean of the
5 % longest flows is above 6 pixels at a shorter side of 256; a clip moves where 4 of 16 steps do.
"""

from __future__ import annotations

import torch

from .metric import CLIP, Clip, Metric, Protocol, Score, check_length

RATE = 8.0
LONGEST = 0.05
PIXELS, SIDE = 6.0, 256


def step_movement(flow: torch.Tensor) -> float:
    """Mean length of the 5 % longest displacements of a flow (2, H, W), in pixels."""
    lengths = torch.hypot(*flow.float()).flatten()
    return float(lengths.topk(max(1, int(len(lengths) * LONGEST))).values.mean())


def dynamic_degree(clip: Clip) -> Score:
    """1 = it moves, 0 = not; the curve is the movement of each step in pixels, placed at its second frame.

    Of a set of clips the mean is VBench's number. Raises ValueError for fewer than two frames at 8 a second.
    """
    every = max(1, round(clip.fps / RATE)) if clip.fps else 1
    frames = clip.frames[::every]
    check_length(frames, 2, f"dynamic_degree at {RATE:g} frames a second")
    values = []
    for first, second in zip(frames[:-1], frames[1:], strict=True):
        values.append(step_movement(clip.flow(first, second)))
        clip.progress()
    least = PIXELS * min(frames.shape[1:3]) / SIDE
    moving, wanted = sum(value > least for value in values), max(1, round(4 * len(frames) / 16))
    rule = f"it moves where {wanted} of {len(values)} steps are above {least:g} pixels"
    protocol = Protocol(clip.flow.name, f"{len(frames)} frames", clip.fps / every, rule=rule)
    untold = "the frame rate is not told; VBench takes 8 frames a second, set fps."
    warnings = () if clip.fps else (untold,)
    curve = tuple(value for value in values for _ in range(every))
    return Score(
        "dynamic_degree", float(moving >= wanted), protocol, per_frame=curve, first=1, warnings=warnings
    )


METRIC = Metric(
    name="dynamic_degree",
    title="Dynamic degree",
    of=CLIP,
    better="",
    needs=("flow",),
    least_frames=2,
    measure=dynamic_degree,
)
