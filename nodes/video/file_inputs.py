"""What the nodes have in common that write a file."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.video_saving import FORMAT_NAMES, PIX_FMTS, USUAL_CRF

SEARCHED = [
    "video combine",
    "vhs",
    "save video",
    "export video",
    "mp4",
    "webm",
    "gif",
    "prores",
    "animatediff",
]


def file_inputs() -> list[io.Input]:
    """The widgets of SaveRequest."""
    return [*_name_and_rate(), *_format_inputs(), *_play_inputs()]


def _name_and_rate() -> list[io.Input]:
    """Where the file goes, and how fast it plays."""
    return [
        io.String.Input(
            "filename_prefix",
            default="video/ComfyUI",
            tooltip=(
                "Where in the output folder: an optional sub-folder and the beginning of the name;"
                " %date:yyyy-MM-dd% and the like work as in Save Video."
            ),
        ),
        io.Float.Input(
            "fps",
            default=8.0,
            min=0.01,
            max=240.0,
            step=0.01,
            tooltip="Frames per second; 8 for AnimateDiff.",
        ),
    ]


def _format_inputs() -> list[io.Input]:
    """How frames are encoded."""
    return [
        io.Combo.Input(
            "format",
            options=list(FORMAT_NAMES),
            default=FORMAT_NAMES[0],
            tooltip=(
                "Codec and kind of file. H.264 plays everywhere; VP9, ProRes, FFV1, GIF, WebP and APNG keep"
                " transparency; FFV1 and APNG lose nothing."
            ),
        ),
        io.Float.Input(
            "crf",
            display_name="crf (-1 = auto)",
            default=USUAL_CRF,
            min=USUAL_CRF,
            max=100.0,
            step=1.0,
            tooltip=(
                "Quality: lower is better and larger; -1 = what is usual for the format (H.264 18, H.265 20,"
                " AV1 and VP9 28, WebP 10). ProRes, FFV1, GIF and APNG have no such setting."
            ),
        ),
        io.Combo.Input(
            "pix_fmt",
            options=list(PIX_FMTS),
            default=PIX_FMTS[0],
            advanced=True,
            tooltip=(
                "How pixels are stored, as FFmpeg names it; auto = what plays everywhere in that format, with"
                " transparency where a mask is connected."
            ),
        ),
    ]


def _play_inputs() -> list[io.Input]:
    """How often frames are played."""
    return [
        io.Boolean.Input(
            "ping_pong",
            default=False,
            tooltip="Plays there and back, so that the video ends where it began; off = once.",
        ),
        io.Int.Input(
            "loop_count",
            display_name="loop_count (0 = auto)",
            default=0,
            min=0,
            max=10000,
            tooltip=(
                "GIF, WebP and APNG store how often they play: 0 = for ever. In other files the frames are"
                " written as often: 0 = once."
            ),
        ),
    ]


def keep_inputs() -> list[io.Input]:
    """What is kept of a run, at the end of a node's inputs."""
    return [
        io.Boolean.Input(
            "save_output",
            default=True,
            optional=True,
            tooltip=(
                "Keeps the file in the output folder; off = only to look at, in a folder that ComfyUI"
                " empties when it starts."
            ),
        ),
        io.Boolean.Input(
            "save_metadata",
            default=True,
            optional=True,
            advanced=True,
            tooltip="Writes the workflow and the prompt into the file; off = nothing of them.",
        ),
        io.Boolean.Input(
            "trim_to_audio",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Ends the video where its sound ends; off = all frames are written.",
        ),
        io.Boolean.Input(
            "hardware_encoder",
            default=False,
            optional=True,
            advanced=True,
            tooltip=(
                "Encodes H.264, H.265 and AV1 on an NVIDIA graphics card: faster, and larger at the same crf;"
                " where there is none, the processor encodes. off = the processor."
            ),
        ),
    ]


AUDIO = io.Audio.Input(
    "audio", optional=True, tooltip="Sound to go with it; what is longer than the video is cut off."
)
VIDEO = io.Video.Output("VIDEO", tooltip="The file, for nodes that take a VIDEO.")
