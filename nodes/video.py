"""Nodes between frames and video files."""

from __future__ import annotations

from comfy_api.latest import io

from ..host.media.image_sources import fingerprint, list_image_sources, load_frames, missing_source_message
from ..host.media.video import FrameOptions, create_video, video_frames
from ..video_io.frame_presets import FRAME_PRESETS, LENGTH_RULES
from ..video_io.frame_size import RESIZE_MODES
from .base import ZoetropeNode

CATEGORY = "Zoetrope/Video"


class CreateVideo(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateVideo",
            display_name="Create Video (true colours)",
            category=CATEGORY,
            description=(
                "Makes a VIDEO of frames whose colours look the same in the browser as in the graph; goes"
                " into Save Video."
            ),
            search_aliases=[
                "video combine",
                "vhs",
                "frames to video",
                "images to video",
                "save video",
                "mp4",
                "bt709",
                "创建视频",
                "图片合成视频",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames, in order."),
                io.Float.Input(
                    "fps",
                    default=8.0,
                    min=0.01,
                    max=240.0,
                    step=0.01,
                    tooltip="Frames per second; 8 for AnimateDiff.",
                ),
                io.Float.Input(
                    "crf",
                    default=18.0,
                    min=1.0,
                    max=51.0,
                    step=1.0,
                    advanced=True,
                    tooltip=(
                        "H.264 quality: 1 = hardly compressed and large, 18 = looks like the original, 51 ="
                        " worst."
                    ),
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="Sound to go with it; what is longer than the frames is cut off.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    "VIDEO", tooltip="Goes into Save Video, which stores it without encoding again."
                )
            ],
        )

    @classmethod
    def execute(cls, images, fps, crf, audio=None) -> io.NodeOutput:
        return io.NodeOutput(create_video(images, fps, crf, audio))


def frame_options() -> list[io.Input]:
    """The widgets that Video to Frames and Load Frames have in common, but for the preset."""
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


def _frame_outputs() -> list[io.Output]:
    """What both say about the frames that were taken."""
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


class TakeFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTakeFrames",
            display_name="Video to Frames",
            category=CATEGORY,
            description=(
                "Decodes the part of a VIDEO that is wanted, at the size that is wanted, straight into its"
                " frames."
            ),
            search_aliases=[
                "load video",
                "vhs",
                "vhs load video",
                "force rate",
                "select every nth",
                "get video components",
                "frame cap",
                "video info",
                "extract frames",
                "加载视频",
                "读取视频",
                "抽帧",
                "视频转图片",
            ],
            inputs=[
                io.Video.Input("video", tooltip="From Load Video, or any other VIDEO; a trim of it is kept."),
                *frame_options(),
                preset_input(),
            ],
            outputs=[
                io.Image.Output("IMAGE", tooltip="The frames."),
                io.Mask.Output(
                    "MASK",
                    tooltip="1 where the video is transparent; empty (64x64) where it has no transparency.",
                ),
                io.Audio.Output(
                    "AUDIO", tooltip="The sound of the same span; nothing where the video has none."
                ),
                *_frame_outputs(),
            ],
        )

    @classmethod
    def execute(cls, video, **options) -> io.NodeOutput:
        found = video_frames(video, options_of(**options))
        return io.NodeOutput(found.images, found.mask, found.audio, *found.outputs())


def options_of(skip_first_frames, select_every_nth, frame_cap, preset="none", **others) -> FrameOptions:
    """The widgets under the names of FrameOptions."""
    return FrameOptions.of(
        preset, skip_first_frames=skip_first_frames, every_nth=select_every_nth, cap=frame_cap, **others
    )


class LoadFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadFrames",
            display_name="Load Frames",
            category=CATEGORY,
            description=(
                "Reads a folder of pictures or an animated WebP, GIF, APNG or AVIF as frames, with the same"
                " options as Video to Frames."
            ),
            search_aliases=[
                "load images",
                "vhs",
                "vhs load images",
                "image sequence",
                "image folder",
                "load gif",
                "load webp",
                "load apng",
                "load avif",
                "加载图片",
                "图片序列",
                "动图",
            ],
            inputs=[
                io.Combo.Input(
                    "source",
                    options=list_image_sources(),
                    tooltip=(
                        "A folder of pictures in the input folder (its name ends with /), in natural order,"
                        " or an animated picture."
                    ),
                ),
                io.Float.Input(
                    "folder_fps",
                    default=8.0,
                    min=0.01,
                    max=240.0,
                    step=0.01,
                    tooltip=(
                        "Frames per second of a folder of pictures: 8 for AnimateDiff; an animated picture"
                        " has its own."
                    ),
                ),
                *frame_options(),
                preset_input(),
            ],
            outputs=[
                io.Image.Output("IMAGE", tooltip="The frames."),
                io.Mask.Output(
                    "MASK",
                    tooltip=(
                        "1 where the pictures are transparent; empty (64x64) where they have no transparency."
                    ),
                ),
                *_frame_outputs(),
            ],
        )

    @classmethod
    def execute(cls, source, folder_fps, **options) -> io.NodeOutput:
        found = load_frames(source, folder_fps, options_of(**options))
        return io.NodeOutput(found.images, found.mask, *found.outputs())

    @classmethod
    def validate_inputs(cls, source=None) -> bool | str:
        return missing_source_message(source) or True

    @classmethod
    def fingerprint_inputs(cls, source=None, **others) -> str:
        return fingerprint(source)


NODES = [CreateVideo, TakeFrames, LoadFrames]
