"""Context Windows: videos longer than a network was trained for."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.windows import FRAME_AXES, ContextSettings, apply_context_windows
from ...samplers.context_fusion import FUSE_METHODS
from ...samplers.context_schedules import CONTEXT_SCHEDULES
from ...samplers.noise import NOISE_TYPES
from ..base import ZoetropeNode
from ..stories.inputs import storyboard
from ..videos_in_batch import frames_per_video


class ApplyContextWindows(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeApplyContextWindows",
            display_name="Context Windows",
            category="Zoetrope/Sampling",
            description=(
                "Samples videos longer than a network was trained for, in overlapping windows that are fused"
                " at every step."
            ),
            search_aliases=[
                "context options",
                "sliding window",
                "uniform context options",
                "long video",
                "freenoise",
                "animatediff",
                "ADE",
                "looped uniform",
                "closed loop",
                "standard static",
                "batched context options",
                "repeated_context",
                "长视频",
                "上下文",
                "滑动窗口",
                "循环",
                "动画",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="Any MODEL; for AnimateDiff the one from Apply Motion Module."
                ),
                *_length_inputs(),
                *_schedule_inputs(),
                *_fusion_inputs(),
                *_batch_inputs(),
                *_part_inputs(),
                storyboard("No window goes over its cuts and fades.", optional=True),
                _anchor_frames(),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="The MODEL with windows; goes into any sampler.")],
        )

    @classmethod
    def execute(cls, model, storyboard=None, **settings) -> io.NodeOutput:
        pieces = tuple(storyboard.pieces()) if storyboard else ()
        return io.NodeOutput(apply_context_windows(model, ContextSettings(**settings, pieces=pieces)))


def _length_inputs() -> list[io.Input]:
    """How long windows are."""
    return [
        io.Int.Input(
            "context_length",
            default=16,
            min=1,
            max=4096,
            tooltip=(
                "Frames of one window (frames of latents). 16 for AnimateDiff; a video that is not"
                " longer is sampled as if this node were not there."
            ),
        ),
        io.Int.Input(
            "context_overlap",
            default=4,
            min=0,
            max=4095,
            tooltip=(
                "Frames that neighbouring windows share at least; smaller than context_length. 0 ="
                " none, 4 is usual; more is smoother and slower."
            ),
        ),
    ]


def _schedule_inputs() -> list[io.Input]:
    """Which frames are windows of a step."""
    return [
        io.Combo.Input(
            "context_schedule",
            options=list(CONTEXT_SCHEDULES),
            default="standard_static",
            tooltip=(
                "standard_static: the same evenly spread windows at every step, the fastest with"
                " overlap. standard_uniform: seams move from step to step. looped_uniform: windows"
                " also wrap from the last frame to the first, for loops. batched: pieces without"
                " overlap. standard_static_exact: shorter windows that share exactly context_overlap frames."
                " first_frame_batched: batched, with the first frame in every window, for Cross-Frame"
                " Attention."
                " (AnimateDiff-Evolved): that pack's windows, for old seeds."
            ),
        ),
        io.Int.Input(
            "context_stride",
            default=1,
            min=1,
            max=16,
            advanced=True,
            tooltip=(
                "Uniform schedules only: 2 adds windows of every 2nd frame, 3 also of every 4th, and"
                " so on, for agreement over long times. 1 = neighbouring frames only."
            ),
        ),
        io.Boolean.Input(
            "closed_loop",
            default=False,
            advanced=True,
            tooltip=(
                "looped_uniform only: overlap also from the last frame to the first, for a video"
                " played in a loop. Off = no."
            ),
        ),
    ]


def _fusion_inputs() -> list[io.Input]:
    """How windows become one video."""
    return [
        io.Combo.Input(
            "fuse_method",
            options=list(FUSE_METHODS),
            default="pyramid",
            tooltip=(
                "How much each frame of a window counts where windows overlap. pyramid: more towards"
                " the middle; relative: like pyramid, but the ends hardly count; flat: all the same;"
                " overlap-linear: cross-fade over context_overlap frames. (AnimateDiff-Evolved): that"
                " pack's weights, for old seeds."
            ),
        ),
        io.Combo.Input(
            "noise_type",
            options=list(NOISE_TYPES),
            default="default",
            tooltip=(
                "Start noise of the frames. default: as the sampler makes it. freenoise: later frames"
                " reuse earlier noise in shuffled order, which keeps the content together. repeated:"
                " the first window's noise over and over. constant: the first frame's noise in all frames."
                " empty: none."
            ),
        ),
    ]


def _batch_inputs() -> list[io.Input]:
    """How windows lie in the batch."""
    return [
        io.Int.Input(
            "windows_per_batch",
            display_name="windows_per_batch (0 = auto)",
            default=0,
            min=0,
            max=1024,
            advanced=True,
            tooltip=(
                "Most windows that are computed in one call of the network. 0 = as many as memory"
                " allows, 1 = one after another. The result is the same but for rounding."
            ),
        ),
        io.Combo.Input(
            "frame_axis",
            options=list(FRAME_AXES),
            default="auto",
            advanced=True,
            tooltip=(
                "Where the latents have their frames: batch for image models and AnimateDiff, time"
                " for video latents of 5 dimensions; auto looks at the latents."
            ),
        ),
        frames_per_video(
            "Frames of one video when the latents hold several videos one after another; 0 = all"
            " frames are one video. Each video gets its own windows; leave Apply Motion Module's"
            " at 0."
        ),
    ]


def _anchor_frames() -> io.String.Input:
    """Which frames all windows see."""
    return io.String.Input(
        "anchor_frames",
        default="",
        optional=True,
        advanced=True,
        tooltip=(
            "Frames that every window sees in front of its own, as a part of context_length, and does not"
            " change: 0 = the first, 0,::16 = also every 16th. Empty: none."
        ),
    )


def _part_inputs() -> list[io.Input]:
    """For which part of the steps, and for which videos."""
    return [
        io.Float.Input(
            "start_percent",
            default=0.0,
            min=0.0,
            max=0.999,
            step=0.001,
            optional=True,
            advanced=True,
            tooltip=(
                "0: windows for all steps, in place of any in front. Above 0: those of the Context Windows in"
                " front rule up to this part of the noise schedule, these from there on."
            ),
        ),
        io.Int.Input(
            "guarantee_steps",
            default=1,
            min=0,
            max=10000,
            optional=True,
            advanced=True,
            tooltip=(
                "With a start_percent above 0: steps that these windows rule at least, even where the next"
                " ones are due. 0 = none: they may be passed over."
            ),
        ),
        io.Boolean.Input(
            "use_on_equal_length",
            default=False,
            optional=True,
            advanced=True,
            tooltip=(
                "looped_uniform only: a video of exactly context_length frames has windows too, which turn"
                " it from step to step, for loops. Off = no."
            ),
        ),
    ]
