"""Nodes between frames and video files."""

from __future__ import annotations

from comfy_api.latest import io

from ..host.video import LENGTH_RULES, create_video, video_frames
from ..video_io.frame_plan import FrameWish
from ..video_io.frame_size import RESIZE_MODES

CATEGORY = "Zoetrope/Video"


class CreateVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCreateVideo",
            display_name="Create Video (true colours)",
            category=CATEGORY,
            description="Makes a VIDEO of frames whose colours look the same in the browser as in the graph; goes into Save Video.",
            search_aliases=["video combine", "vhs", "frames to video", "images to video", "save video", "mp4", "bt709"],
            inputs=[
                io.Image.Input("images", tooltip="The frames, in order."),
                io.Float.Input("fps", default=8.0, min=0.01, max=240.0, step=0.01, tooltip="Frames per second; 8 for AnimateDiff."),
                io.Float.Input(
                    "crf", default=18.0, min=1.0, max=51.0, step=1.0, advanced=True,
                    tooltip="H.264 quality: 1 = hardly compressed and large, 18 = looks like the original, 51 = worst.",
                ),
                io.Audio.Input("audio", optional=True, tooltip="Sound to go with it; what is longer than the frames is cut off."),
            ],
            outputs=[io.Video.Output("VIDEO", tooltip="Goes into Save Video, which stores it without encoding again.")],
        )

    @classmethod
    def execute(cls, images, fps, crf, audio=None) -> io.NodeOutput:
        return io.NodeOutput(create_video(images, fps, crf, audio))


class TakeFrames(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeTakeFrames",
            display_name="Video to Frames",
            category=CATEGORY,
            description="Decodes the part of a VIDEO that is wanted, at the size that is wanted, straight into its frames.",
            search_aliases=["load video", "vhs", "vhs load video", "force rate", "select every nth", "get video components", "frame cap"],
            inputs=[
                io.Video.Input("video", tooltip="From Load Video, or any other VIDEO; a trim of it is kept."),
                io.Float.Input(
                    "start_seconds", default=0.0, min=0.0, max=360000.0, step=0.01,
                    tooltip="Where to start, in seconds from the video's beginning: 0 = at the beginning.",
                ),
                io.Float.Input(
                    "duration_seconds", default=0.0, min=0.0, max=360000.0, step=0.01,
                    tooltip="How much to take, in seconds: 0 = to the end.",
                ),
                io.Float.Input(
                    "force_rate", default=0.0, min=0.0, max=240.0, step=0.01,
                    tooltip="Frames per second to resample to, repeating or leaving out frames: 0 = the video's own frames; 8 suits "
                    "AnimateDiff.",
                ),
                io.Int.Input(
                    "skip_first_frames", default=0, min=0, max=1000000,
                    tooltip="Frames to leave out at the start, counted at the forced rate: 0 = none.",
                ),
                io.Int.Input("select_every_nth", default=1, min=1, max=10000, tooltip="Takes one frame of so many: 1 = every frame."),
                io.Int.Input("frame_cap", default=0, min=0, max=1000000, tooltip="Takes at most so many frames: 0 = all."),
                io.Combo.Input(
                    "length", options=list(LENGTH_RULES), default="any",
                    tooltip="What a model wants the number of frames to be; the rest is left out. any = whatever there is, 4n+1 for Wan "
                    "and HunyuanVideo, 8n+1 for LTX-Video, 16n for AnimateDiff.",
                ),
                io.Int.Input(
                    "width", default=0, min=0, max=16384, tooltip="Width of the frames in pixels: 0 = from the height, or the video's own."
                ),
                io.Int.Input(
                    "height", default=0, min=0, max=16384, tooltip="Height of the frames in pixels: 0 = from the width, or the video's own."
                ),
                io.Combo.Input(
                    "resize", options=list(RESIZE_MODES), default="keep ratio",
                    tooltip="keep ratio = as large as fits into width and height; crop and pad = exactly that size, cut or with black "
                    "borders; stretch = exactly that size, distorted.",
                ),
                io.Int.Input(
                    "multiple_of", default=8, min=1, max=256,
                    tooltip="Width and height are rounded to a multiple of so many pixels: 1 = not rounded.",
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", tooltip="The frames."),
                io.Mask.Output("MASK", tooltip="1 where the video is transparent; empty (64x64) where it has no transparency."),
                io.Audio.Output("AUDIO", tooltip="The sound of the same span; nothing where the video has none."),
                io.Float.Output("fps", display_name="fps", tooltip="Frames per second of the frames taken."),
                io.Int.Output("num_frames", display_name="num_frames", tooltip="How many frames were taken."),
                io.String.Output("info", display_name="info", tooltip="What was taken from what."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, video, start_seconds, duration_seconds, force_rate, skip_first_frames, select_every_nth, frame_cap, length, width,
                height, resize, multiple_of) -> io.NodeOutput:  # fmt: skip
        wish = FrameWish(
            start_seconds, duration_seconds, force_rate, skip_first_frames, select_every_nth, frame_cap, *LENGTH_RULES[length]
        )
        found = video_frames(video, wish, width, height, resize, multiple_of)
        return io.NodeOutput(found.images, found.mask, found.audio, found.fps, len(found.images), found.description)


NODES = [CreateVideo, TakeFrames]
