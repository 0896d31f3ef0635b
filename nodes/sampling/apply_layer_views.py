"""Windows inside Layers: all frames in one call of the network, windows only in its temporal layers."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.injection.layer_views import apply_layer_views
from ...host.injection.views import ViewSettings
from ...samplers.context_fusion import FUSE_METHODS
from ...samplers.context_schedules import CONTEXT_SCHEDULES
from ..base import ZoetropeNode


class ApplyLayerViews(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeApplyLayerViews",
            display_name="Windows inside Layers",
            category="Zoetrope/Sampling",
            description=(
                "Gives the temporal layers windows of the frames, while the rest of the network computes all"
                " frames once: for videos a little longer than a motion module knows."
            ),
            search_aliases=[
                "view options",
                "views only context options",
                "standard static view options",
                "context options views",
                "freenoise",
                "freelong",
                "spectral blending",
                "animatediff",
                "ADE",
                "层内窗口",
                "视图选项",
                "长视频",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The MODEL from Apply Motion Module."),
                *_length_inputs(),
                *_schedule_inputs(),
                io.Float.Input(
                    "global_until",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "FreeLong: up to this part of the steps, slow changes come from attention over all"
                        " frames at once. 0 = none, windows alone; 0.5 as published."
                    ),
                ),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler, or into Context Windows.")],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(apply_layer_views(model, ViewSettings(**settings)))


def _length_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            "view_length",
            default=16,
            min=1,
            max=4096,
            tooltip="Frames that a layer sees at once: 16 for AnimateDiff; a shorter video is not cut.",
        ),
        io.Int.Input(
            "view_overlap",
            default=4,
            min=0,
            max=4095,
            tooltip="Frames that neighbouring windows share at least; smaller than view_length. 0 = none.",
        ),
    ]


def _schedule_inputs() -> list[io.Input]:
    """Which frames are windows, and how those become one."""
    return [
        io.Combo.Input(
            "view_schedule",
            options=list(CONTEXT_SCHEDULES),
            default="standard_static",
            tooltip="Which frames are windows; the schedules are those of Context Windows.",
        ),
        io.Int.Input(
            "view_stride",
            default=1,
            min=1,
            max=16,
            advanced=True,
            tooltip="Uniform schedules only: 2 adds windows of every 2nd frame, 3 also of every 4th.",
        ),
        io.Boolean.Input(
            "closed_loop",
            default=False,
            advanced=True,
            tooltip="looped_uniform only: overlap also from the last frame to the first.",
        ),
        io.Combo.Input(
            "fuse_method",
            options=list(FUSE_METHODS),
            default="pyramid",
            tooltip="How much each frame of a window counts where windows overlap, as in Context Windows.",
        ),
    ]
