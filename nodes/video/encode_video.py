"""Video to Latents: VIDEO to LATENT, a chunk at a time."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.video import FrameOptions
from ...host.media.video_latents import video_latents
from ..base import ZoetropeNode
from .frame_inputs import frame_options, preset_input


class EncodeVideo(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeEncodeVideo",
            display_name="Video to Latents",
            category="Zoetrope/Video",
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
                *_chunk_inputs(),
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
        found = video_latents(video, vae, FrameOptions.of(**options), chunk_frames, tile_size)
        return io.NodeOutput(
            {"samples": found.samples}, found.audio, found.fps, len(found.samples), found.description
        )


def _chunk_inputs() -> list[io.Input]:
    """How much is encoded at once."""
    return [
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
            tooltip=("Encodes every frame in tiles of so many pixels, for large frames: 0 = whole frames."),
        ),
    ]
