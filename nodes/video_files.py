"""Nodes that write video files frame by frame."""

from __future__ import annotations

from comfy_api.latest import io

from ..host.media.latent_stream import ChunkRequest, LatentStream
from ..host.media.video_latents import video_latents
from ..host.media.video_saving import FORMAT_NAMES, PIX_FMTS, USUAL_CRF, SaveRequest, save_images, save_video
from .base import ZoetropeNode
from .video import CATEGORY, frame_options, options_of, preset_input

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


def file_inputs(fps: float = 8.0) -> list[io.Input]:
    """What every node asks that writes a file; SaveRequest takes them in this order."""
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
            default=fps,
            min=0.01,
            max=240.0,
            step=0.01,
            tooltip="Frames per second; 8 for AnimateDiff.",
        ),
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


AUDIO = io.Audio.Input(
    "audio", optional=True, tooltip="Sound to go with it; what is longer than the video is cut off."
)
VIDEO = io.Video.Output("VIDEO", tooltip="The file, for nodes that take a VIDEO.")


class SaveFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSaveFrames",
            display_name="Save Frames as Video",
            category=CATEGORY,
            description=(
                "Writes frames, their transparency and sound to a video file or animated picture that has the"
                " workflow in it."
            ),
            search_aliases=[
                *SEARCHED,
                "vhs video combine",
                "images to video",
                "animated webp",
                "combine",
                "保存视频",
                "合成视频",
                "合并",
                "导出视频",
                "动图",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames, in order."),
                *file_inputs(),
                io.Mask.Input(
                    "mask", optional=True, tooltip="1 = transparent; one for each frame or one for all."
                ),
                AUDIO,
            ],
            outputs=[VIDEO],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, images, filename_prefix, fps, format, crf, pix_fmt, ping_pong, loop_count, mask=None, audio=None
    ) -> io.NodeOutput:
        request = SaveRequest(filename_prefix, fps, format, crf, pix_fmt, ping_pong, loop_count, cls.hidden)
        saved = save_images(images, mask, audio, request)
        return io.NodeOutput(saved.video, ui=saved.ui)


class SaveLatents(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSaveLatents",
            display_name="Latents to Video File",
            category=CATEGORY,
            description=(
                "Decodes latents a few at a time and writes each frame to a video file at once, so that the"
                " frames are never all in memory."
            ),
            search_aliases=[
                *SEARCHED,
                "vae decode",
                "vae decode batched",
                "vae decode tiled",
                "long video",
                "svd",
                "batch manager",
                "保存视频",
                "长视频",
                "解码",
                "潜空间",
            ],
            inputs=[
                io.Latent.Input("samples", tooltip="The latents of the frames, or of a video model."),
                io.Vae.Input("vae", tooltip="Decodes them; the VAE of the model that made them."),
                *file_inputs(),
                io.Int.Input(
                    "chunk_frames",
                    default=8,
                    min=1,
                    max=1024,
                    tooltip=(
                        "Latents decoded at once, in frames (in video models: in latent frames): fewer need"
                        " less memory."
                    ),
                ),
                io.Int.Input(
                    "chunk_overlap",
                    default=4,
                    min=0,
                    max=64,
                    advanced=True,
                    tooltip=(
                        "Further latents on both sides of a chunk for VAEs that look at neighbouring frames,"
                        " as SVD's and those of video models; others do not need them. 0 = none, with seams"
                        " there."
                    ),
                ),
                io.Int.Input(
                    "tile_size",
                    display_name="tile_size (0 = off)",
                    default=0,
                    min=0,
                    max=4096,
                    step=64,
                    advanced=True,
                    tooltip=(
                        "Decodes every frame in tiles of so many pixels, for large frames: 0 = whole frames."
                    ),
                ),
                AUDIO,
            ],
            outputs=[VIDEO],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        samples,
        vae,
        filename_prefix,
        fps,
        format,
        crf,
        pix_fmt,
        ping_pong,
        loop_count,
        chunk_frames,
        chunk_overlap,
        tile_size,
        audio=None,
    ) -> io.NodeOutput:
        stream = LatentStream(vae, samples["samples"], ChunkRequest(chunk_frames, chunk_overlap, tile_size))
        request = SaveRequest(filename_prefix, fps, format, crf, pix_fmt, ping_pong, loop_count, cls.hidden)
        saved = save_video(stream.frames, stream.count, stream.size, request, audio)
        return io.NodeOutput(saved.video, ui=saved.ui)


class EncodeVideo(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeEncodeVideo",
            display_name="Video to Latents",
            category=CATEGORY,
            description=(
                "Encodes a VIDEO a few frames at a time while it is decoded, so that its frames are never all"
                " in memory."
            ),
            search_aliases=[
                "vae encode",
                "vae encode batched",
                "vhs",
                "load video",
                "video to video",
                "long video",
                "vid2vid",
                "batch manager",
                "加载视频",
                "视频转视频",
                "长视频",
                "编码",
                "潜空间",
            ],
            inputs=[
                io.Video.Input("video", tooltip="From Load Video, or any other VIDEO; a trim of it is kept."),
                io.Vae.Input(
                    "vae", tooltip="Encodes the frames: the VAE of the checkpoint that samples them."
                ),
                *frame_options(),
                preset_input(),
                io.Int.Input(
                    "chunk_frames",
                    default=8,
                    min=1,
                    max=1024,
                    tooltip="Frames decoded and encoded at once: fewer need less memory.",
                ),
                io.Int.Input(
                    "tile_size",
                    display_name="tile_size (0 = off)",
                    default=0,
                    min=0,
                    max=4096,
                    step=64,
                    advanced=True,
                    tooltip=(
                        "Encodes every frame in tiles of so many pixels, for large frames: 0 = whole frames."
                    ),
                ),
            ],
            outputs=[
                io.Latent.Output(
                    "LATENT", tooltip="One latent a frame; goes into a sampler with Context Windows."
                ),
                io.Audio.Output(
                    "AUDIO", tooltip="The sound of the same span; nothing where the video has none."
                ),
                io.Float.Output("fps", display_name="fps", tooltip="Frames per second of the frames taken."),
                io.Int.Output("num_frames", display_name="num_frames", tooltip="How many frames were taken."),
                io.String.Output("info", display_name="info", tooltip="What was taken from what."),
            ],
        )

    @classmethod
    def execute(cls, video, vae, chunk_frames, tile_size, **options) -> io.NodeOutput:
        found = video_latents(video, vae, options_of(**options), chunk_frames, tile_size)
        return io.NodeOutput(
            {"samples": found.samples}, found.audio, found.fps, len(found.samples), found.description
        )


NODES = [SaveFrames, SaveLatents, EncodeVideo]
