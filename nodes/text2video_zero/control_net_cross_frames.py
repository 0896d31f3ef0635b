"""Cross-Frame Attention (ControlNet): the same in a ControlNet's own layers."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.controlnets.cross_frames import ControlCrossFrames, control_cross_frames
from ...host.injection.cross_frame_attention import CrossFrames
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video
from .inputs import frames_read


class ControlNetCrossFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeControlNetCrossFrames",
            display_name="Cross-Frame Attention (ControlNet)",
            category="Zoetrope/Text2Video-Zero",
            description="Cross-frame attention in the ControlNet too, as Text2Video-Zero has it.",
            search_aliases=[
                "text2video-zero",
                "controlnet video",
                "pose to video",
                "canny to video",
                "depth to video",
                "crossframe attention",
                "跨帧注意力",
                "ControlNet 视频",
            ],
            inputs=[
                io.ControlNet.Input(
                    "control_net", tooltip="A ControlNet of SD1.x, SD2.x or SDXL, from Load ControlNet Model."
                ),
                *frames_read(),
                frames_per_video(
                    "Frames of one video where the latent holds several. 0 = the whole batch is one video."
                ),
            ],
            outputs=[io.ControlNet.Output("CONTROL_NET", tooltip="Goes into Apply ControlNet.")],
        )

    @classmethod
    def execute(cls, control_net, keys_from, frames, frames_per_video) -> io.NodeOutput:
        settings = ControlCrossFrames(CrossFrames(keys_from, frames), frames_per_video)
        return io.NodeOutput(control_cross_frames(control_net, settings))
