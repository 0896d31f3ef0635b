"""Set Known Frames: the frames between which, or after which, a video is made."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.known_frames import KnownFrames, set_known_frames
from ..animatediff.inputs import MotionModule
from ..base import ZoetropeNode


class SetKnownFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetKnownFrames",
            display_name="Set Known Frames",
            category="Zoetrope/Temporal layers",
            description=(
                "Gives a module of masked frames the frames that are known: the first ones to go on from, or"
                " key frames to fill in between."
            ),
            search_aliases=[
                "masked frames",
                "frame prediction",
                "frame interpolation",
                "video continuation",
                "extend video",
                "key frames",
                "first and last frame",
                "in between",
                "make-a-video",
                "align your latents",
                "video ldm",
                "补帧",
                "插帧",
                "首尾帧",
                "关键帧",
                "视频续写",
            ],
            inputs=[
                MotionModule.Input(
                    "motion_module",
                    tooltip="A module of masked frames, from Load Motion Module or New Temporal Layers.",
                ),
                io.Vae.Input("vae", tooltip="The VAE of the checkpoint."),
                io.Image.Input(
                    "images",
                    tooltip=(
                        "The known frames, in the order in which frames names them; their middle is cut out"
                        " and resized to the size that is sampled."
                    ),
                ),
                io.String.Input(
                    "frames",
                    default="0",
                    tooltip=(
                        "Which frames of the video they are: numbers from 0 and ranges start:end:step,"
                        " separated by commas. 0:4 = the first four, to go on from; ::4 = every fourth, to"
                        " fill in between; 0,-1 = the first and the last."
                    ),
                ),
                io.Float.Input(
                    "context_guidance",
                    default=1.0,
                    min=0.0,
                    max=20.0,
                    step=0.05,
                    tooltip=(
                        "How much the video follows the known frames: 1 is as trained and costs nothing;"
                        " any other number costs one more evaluation of the network in every step."
                    ),
                ),
            ],
            outputs=[MotionModule.Output("MOTION_MODULE", tooltip="Goes into Apply Motion Module.")],
        )

    @classmethod
    def execute(cls, motion_module, vae, images, **settings) -> io.NodeOutput:
        return io.NodeOutput(set_known_frames(motion_module, KnownFrames(vae, images, **settings)))
