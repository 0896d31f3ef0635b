"""The windows of a MODEL as a picture, without sampling: what Show Context Windows shows."""

from __future__ import annotations

import torch
from comfy.model_management import throw_exception_if_processing_interrupted

from ...samplers.context_plan import check_cells, draw_plan
from .handler import ContextWindowHandler


def window_plan(model, num_frames: int, steps: int) -> tuple[torch.Tensor, str]:
    """The windows that a MODEL with context windows uses on a video:
    a picture (1, H, W, 3) of every step, and their cost in words.

    Raises ValueError when the MODEL has no windows of this pack, and on a video without frames or steps.
    """
    handler = model.model_options.get("context_handler")
    if not isinstance(handler, ContextWindowHandler):
        raise ValueError(
            "this MODEL has no context windows of Zoetrope; put the node Context Windows in front of this"
            " one."
        )
    if steps < 1:
        raise ValueError(f"steps={steps} must be at least 1; 1 shows the first sampling step.")
    plans, num_windows, sampling = [], 0, model.get_model_object("model_sampling")
    sigmas = [float(sampling.percent_to_sigma(step / steps)) for step in range(steps)]
    for step, part in enumerate(handler.parts.of_steps(sampling, sigmas)):
        plans.append(part.plan(num_frames, step, sigmas[step]))
        num_windows += len(plans[-1][0])
        check_cells(num_windows, num_frames, step + 1, steps)
        throw_exception_if_processing_interrupted()
    count = sum(len(windows) for windows, _ in plans) / steps
    cost = sum(len(window) for windows, _ in plans for window in windows) / steps / num_frames
    words = (
        f"{num_frames} frames: {count:.1f} windows per step, {cost:.2f} times the work of computing each"
        " frame once."
    )
    return draw_plan(plans, num_frames).unsqueeze(0), words
