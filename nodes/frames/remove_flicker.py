"""Remove Flicker: even brightness and colour."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools.flicker import MATCH_MODES, FlickerSettings
from ...host.media.frame_tools import remove_flicker
from ..base import ZoetropeNode


class RemoveFlicker(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeRemoveFlicker",
            display_name="Remove Flicker",
            category="Zoetrope/Frames",
            description="Evens out brightness, contrast and colour from frame to frame.",
            search_aliases=[
                "deflicker",
                "de-flicker",
                "flicker",
                "color match",
                "colour match",
                "stabilize colors",
                "brightness",
                "去闪烁",
                "闪烁",
                "颜色匹配",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames."),
                io.Combo.Input(
                    "match",
                    options=list(MATCH_MODES),
                    default=MATCH_MODES[0],
                    tooltip=(
                        "What each frame is brought to: frames around = the mean of the frames around it,"
                        " which keeps slow changes; reference frame = one frame's colours."
                    ),
                ),
                io.Float.Input(
                    "radius",
                    default=4.0,
                    min=0.1,
                    max=1000.0,
                    step=0.1,
                    tooltip=(
                        "For frames around: how far the frames around count, in frames (standard deviation)."
                        " 4 suits 8 to 30 frames per second; more keeps less of slow changes."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much of the difference is taken away, a factor: 1 = all, 0 = off.",
                ),
                io.Int.Input(
                    "reference_frame",
                    display_name="reference_frame (-1 = last)",
                    default=0,
                    min=-1000000,
                    max=1000000,
                    tooltip="For reference frame: its number, 0 = the first, -1 = the last.",
                ),
            ],
            outputs=[io.Image.Output("IMAGE", tooltip="The frames with even colours.")],
        )

    @classmethod
    def execute(cls, images, **settings) -> io.NodeOutput:
        return io.NodeOutput(remove_flicker(images, FlickerSettings(**settings)))
