"""What Video to Frames, Load Frames and Video to Latents have in common: which frames, and how large."""

from __future__ import annotations

from comfy_api.latest import io

from ...video_io.frame_presets import FRAME_PRESETS, LENGTH_RULES
from ...video_io.frame_size import RESIZE_MODES


def frame_options() -> list[io.Input]:
    """The widgets of FrameOptions, but for the preset."""
    return [*_span_inputs(), *_count_inputs(), *_size_inputs()]


def time_inputs() -> list[io.Input]:
    """Which part of a file."""
    return [
        io.Float.Input(
            "start_seconds",
            default=0.0,
            min=0.0,
            max=360000.0,
            step=0.01,
            tooltip="Where to start, in seconds from the beginning: 0 = at the beginning.",
        ),
        io.Float.Input(
            "duration_seconds",
            display_name="duration_seconds (0 = to the end)",
            default=0.0,
            min=0.0,
            max=360000.0,
            step=0.01,
            tooltip="How much to take, in seconds: 0 = to the end.",
        ),
    ]


def _span_inputs() -> list[io.Input]:
    """Which part of the video, at which rate."""
    return [
        *time_inputs(),
        io.Float.Input(
            "force_rate",
            display_name="force_rate (0 = as it is)",
            default=0.0,
            min=0.0,
            max=240.0,
            step=0.01,
            tooltip=(
                "Frames per second to resample to, repeating or leaving out frames: 0 = the frames as they"
                " are; 8 suits AnimateDiff."
            ),
        ),
    ]


def _count_inputs() -> list[io.Input]:
    """Which frames of that part, and how many."""
    return [
        io.Int.Input(
            "skip_first_frames",
            default=0,
            min=0,
            max=1000000,
            tooltip="Frames to leave out at the start, counted at the forced rate: 0 = none.",
        ),
        io.Int.Input(
            "select_every_nth",
            default=1,
            min=1,
            max=10000,
            tooltip="Takes one frame of so many: 1 = every frame.",
        ),
        io.Int.Input(
            "frame_cap",
            display_name="frame_cap (0 = all)",
            default=0,
            min=0,
            max=1000000,
            tooltip="Takes at most so many frames: 0 = all.",
        ),
        io.Combo.Input(
            "length",
            options=list(LENGTH_RULES),
            default="any",
            tooltip=(
                "What a model wants the number of frames to be; the rest is left out. any = whatever there"
                " is, 4n+1 for Wan and HunyuanVideo, 8n+1 for LTX-Video, 16n for AnimateDiff."
            ),
        ),
    ]


def _size_inputs() -> list[io.Input]:
    """How large the frames get."""
    return [
        io.Int.Input(
            "width",
            display_name="width (0 = auto)",
            default=0,
            min=0,
            max=16384,
            tooltip="Width of the frames in pixels: 0 = from the height, or as they are.",
        ),
        io.Int.Input(
            "height",
            display_name="height (0 = auto)",
            default=0,
            min=0,
            max=16384,
            tooltip="Height of the frames in pixels: 0 = from the width, or as they are.",
        ),
        io.Combo.Input(
            "resize",
            options=list(RESIZE_MODES),
            default="keep ratio",
            tooltip=(
                "keep ratio = as large as fits into width and height; crop and pad = exactly that size, cut"
                " or with black borders; stretch = exactly that size, distorted."
            ),
        ),
        io.Int.Input(
            "multiple_of",
            default=8,
            min=1,
            max=256,
            tooltip="Width and height are rounded to a multiple of so many pixels: 1 = not rounded.",
        ),
    ]


def preset_input() -> io.Input:
    """What fills in the frame options that are left open."""
    return io.Combo.Input(
        "preset",
        options=list(FRAME_PRESETS),
        default="none",
        optional=True,
        tooltip=(
            "What a model was published with: fills in force_rate, frame_cap and length where they are 0 or"
            " any, and rounds the sides: none = nothing."
        ),
    )


def frame_outputs() -> list[io.Output]:
    """What Video to Frames and Load Frames say about the frames that were taken."""
    return [
        io.Float.Output("fps", display_name="fps", tooltip="Frames per second of the frames taken."),
        io.Int.Output("num_frames", display_name="num_frames", tooltip="How many frames were taken."),
        io.String.Output("info", display_name="info", tooltip="What was taken from what."),
        io.Float.Output(
            "duration", display_name="duration", tooltip="How long the frames taken last, in seconds."
        ),
        io.Int.Output("width", display_name="width", tooltip="Width of the frames in pixels."),
        io.Int.Output("height", display_name="height", tooltip="Height of the frames in pixels."),
        io.Float.Output(
            "source_fps", display_name="source_fps", tooltip="Frames per second of what they were taken from."
        ),
        io.Int.Output("source_frames", display_name="source_frames", tooltip="How many frames that has."),
    ]
