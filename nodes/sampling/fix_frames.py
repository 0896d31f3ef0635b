"""Fix Frames: key frames that stay while the frames between them are sampled."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools.kept_frames import KeptFrames
from ...host.media.kept_frames import fix_frames
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video
from .inputs import Floats


class FixFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeFixFrames",
            display_name="Fix Frames",
            category="Zoetrope/Sampling",
            description=(
                "Puts key frames into a video, which stay while a sampler makes the others: the first and the"
                " last, or any."
            ),
            search_aliases=[
                "first and last frame",
                "start and end frame",
                "key frames",
                "keyframe",
                "frame interpolation",
                "in between",
                "inpaint in time",
                "set latent noise mask",
                "首尾帧",
                "关键帧",
                "固定帧",
                "补帧",
            ],
            inputs=_inputs(),
            outputs=[
                io.Latent.Output(
                    "LATENT", tooltip="With the key frames and a noise mask over them; goes into any sampler."
                )
            ],
        )

    @classmethod
    def execute(cls, latent, key_frames, strength, vae=None, **settings) -> io.NodeOutput:
        numbers = tuple(strength) if isinstance(strength, list | tuple) else (strength,)
        kept = KeptFrames(strength=numbers, **settings)
        return io.NodeOutput(fix_frames(latent, key_frames, vae, kept))


def _inputs() -> list[io.Input]:
    """The video, its key frames, and the fields of KeptFrames."""
    return [
        io.Latent.Input("latent", tooltip="The video: an empty latent, or a clip that is made anew."),
        io.MultiType.Input(
            "key_frames",
            [io.Image, io.Latent],
            tooltip=(
                "IMAGE or LATENT: the frames that stay, in the order in which frames names them. Images are"
                " cut in the middle and resized to the size of the latent."
            ),
        ),
        io.String.Input(
            "frames",
            default="0,-1",
            tooltip=(
                "Which frames of the video they are: numbers from 0 and ranges start:end:step, separated by"
                " commas. 0,-1 = the first and the last; 0:4 = the first four; ::8 = every eighth."
            ),
        ),
        io.MultiType.Input(
            io.Float.Input(
                "strength",
                default=1.0,
                min=0.0,
                max=1.0,
                step=0.01,
                tooltip=(
                    "How firmly they stay: 1 = as they are, 0 = not at all. Between these use Differential"
                    " Diffusion. A list has one number for each."
                ),
            ),
            [Floats],
        ),
        frames_per_video(
            "Frames of one video when the latent holds several one after another; 0 = all frames are one"
            " video. key_frames are for all of them, or those of each one after another."
        ),
        io.Vae.Input("vae", optional=True, tooltip="The VAE of the checkpoint; for images only."),
    ]
