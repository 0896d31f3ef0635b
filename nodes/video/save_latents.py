"""Latents to Video File: LATENT to a file, a chunk at a time."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.latent_stream import ChunkRequest, LatentStream
from ...host.media.video_saving import SaveRequest, save_video
from ...host.stories.joining import joined_stream
from ..base import ZoetropeNode
from ..stories.inputs import storyboard
from .file_inputs import AUDIO, SEARCHED, VIDEO, file_inputs


class SaveLatents(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSaveLatents",
            display_name="Latents to Video File",
            category="Zoetrope/Video",
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
                *_chunk_inputs(),
                AUDIO,
                storyboard("Fades its scenes into each other while they are written.", optional=True),
            ],
            outputs=[VIDEO],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, samples, vae, chunk_frames, chunk_overlap, tile_size, audio=None, storyboard=None, **settings
    ) -> io.NodeOutput:
        chunks = ChunkRequest(chunk_frames, chunk_overlap, tile_size)
        stream = LatentStream(vae, samples["samples"], chunks)
        request = SaveRequest(**settings, hidden=cls.hidden)
        frames, count = joined_stream(stream.frames, stream.count, storyboard)
        saved = save_video(frames, count, stream.size, request, audio)
        return io.NodeOutput(saved.video, ui=saved.ui)


def _chunk_inputs() -> list[io.Input]:
    """How much is decoded at once."""
    return [
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
            tooltip=("Decodes every frame in tiles of so many pixels, for large frames: 0 = whole frames."),
        ),
    ]
