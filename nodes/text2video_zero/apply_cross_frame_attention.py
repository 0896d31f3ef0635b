"""Cross-Frame Attention: what the frames of a plain checkpoint read of each other."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection import MotionSettings
from ...host.injection.cross_frame_attention import CrossFrames, apply_cross_frame_attention
from ..animatediff.inputs import FrameValues
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video
from .inputs import frames_read


class ApplyCrossFrameAttention(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeApplyCrossFrameAttention",
            display_name="Cross-Frame Attention",
            category="Zoetrope/Text2Video-Zero",
            description=(
                "Makes the frames of a latent batch look alike, without a motion module: their"
                " self-attentions read the first frame."
            ),
            search_aliases=[
                "text2video-zero",
                "text to video zero",
                "t2v-zero",
                "crossframe attention",
                "zero-shot video",
                "sparse causal attention",
                "first frame",
                "consistency",
                "no motion module",
                "跨帧注意力",
                "零样本视频",
                "一致性",
            ],
            inputs=[
                io.Model.Input("model", tooltip="Any SD1.x, SD2.x or SDXL checkpoint, LoRAs included."),
                *frames_read(),
                *_strength_inputs(),
            ],
            outputs=[
                io.Model.Output("MODEL", tooltip="Goes into any sampler; the latent batch are the frames.")
            ],
        )

    @classmethod
    def execute(cls, model, keys_from, frames, **settings) -> io.NodeOutput:
        frames = CrossFrames(keys_from, frames)
        return io.NodeOutput(apply_cross_frame_attention(model, frames, MotionSettings(**settings)))


def _strength_inputs() -> list[io.Input]:
    return [
        io.MultiType.Input(
            io.Float.Input(
                "strength",
                default=1.0,
                min=0.0,
                max=1.0,
                step=0.01,
                tooltip=(
                    "How much of it takes the place of the plain attention: 1 = all, 0 = none. Vary Value"
                    " makes it differ over frames, places and steps, Vary Value by Block over the blocks."
                ),
            ),
            [FrameValues],
        ),
        *(
            io.Float.Input(
                name, default=default, min=0.0, max=1.0, step=0.001, advanced=True, tooltip=tooltip
            )
            for name, default, tooltip in (
                (
                    "start_percent",
                    0.0,
                    "Where it starts, as part of the noise schedule: 0 = from the first step.",
                ),
                ("end_percent", 1.0, "Where it stops, as part of the noise schedule: 1 = at the last step."),
            )
        ),
        frames_per_video(
            "Frames of one video when the latent batch holds several videos one after another; 0 = the whole"
            " batch is one video, or as Context Windows says."
        ),
    ]
