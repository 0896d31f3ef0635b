"""How many frames the layers of a motion module see at once, and whether it knows so many."""

from __future__ import annotations

from collections.abc import Sequence

from ...foreign_text import printable
from .motion_models import MotionModule
from .views import VIEWS, ViewSettings


def window_lengths(context_handler, num_frames: int, sampling, sigmas: Sequence[float]) -> list[set[int]]:
    """How many frames the layers see at once at each step of these noise levels: num_frames, those of one
    video, or those of Context Windows. Nothing where windows of another node cut the video.

    Raises ValueError where Context Windows has no windows for a step.
    """
    if context_handler is None:
        return [{num_frames}] * len(sigmas)
    parts = getattr(context_handler, "parts", None)
    plans = parts.plans_of_run(num_frames, sampling, sigmas) if parts else ()
    return [set(map(len, windows)) for windows, _ in plans]


def check_run(
    module: MotionModule, model, num_frames: int, sigmas: Sequence[float], at_once: int | None = None
) -> None:
    """Raises ValueError where a step of a run on a MODEL gives the layers frames that they cannot take.

    num_frames: of one video. sigmas: the noise level of each step. at_once: frames of the windows that the
    sampler itself makes, in place of all others.
    """
    sampling, handler = model.get_model_object("model_sampling"), model.model_options.get("context_handler")
    views = model.model_options["transformer_options"].get(VIEWS)
    lengths = window_lengths(handler, num_frames, sampling, sigmas)
    if at_once is not None:
        lengths = [{at_once}] * len(sigmas)
    for length in sorted({length for of_step in lengths for length in of_step}):
        check_frames(module, length, at_once is not None or length < num_frames, views)
    if views is not None:
        views.check_plans(lengths)


def check_frames(module: MotionModule, frames: int, windowed: bool, views: ViewSettings | None) -> None:
    """Raises ValueError where frames are more than the module knows. windowed: whether they are a window."""
    if views is None or module.method.per_frame:
        _check_length(module, frames, windowed)
    else:
        _check_views(module, views.longest(frames), bool(views.global_until))


def _check_views(module: MotionModule, frames: int, are_all: bool) -> None:
    longest = module.method.longest(module.config)
    if longest is None or frames <= longest:
        return
    if are_all:
        raise ValueError(
            f"with global_until the layers see all {frames} frames at once, the motion module "
            f"'{printable(module.name)}' knows {longest}; set global_until to 0, or stretch its table with "
            "'Adjust Position Table'."
        )
    raise ValueError(
        f"windows of {frames} frames inside the layers are more than the {longest} that the motion "
        f"module '{printable(module.name)}' knows; lower view_length to at most {longest}."
    )


def _check_length(module: MotionModule, frames: int, windowed: bool) -> None:
    longest = module.method.longest(module.config)
    if longest is None or frames <= longest:
        return
    known = f"the {longest} that the motion module '{printable(module.name)}' knows"
    if windowed:
        raise ValueError(
            f"windows of {frames} frames are more than {known}; lower context_length of the context"
            f" windows to at most {longest} (16 is usual)."
        )
    raise ValueError(
        f"{frames} frames are more than {known}; add the node 'Context Windows' (for example"
        f" context_length=16) behind 'Apply Motion Module', or make at most {longest} frames."
    )
