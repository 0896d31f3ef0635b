"""Place Sparse Images: at which frames the images of a SparseCtrl model lie."""

from __future__ import annotations

from comfy_api.latest import io

from ...frame_tools.sparse_places import PLACES, SPREAD
from ...host.controlnets.sparsectrl import NEAREST, WINDOW_CHOICES, SparseSettings, place_sparse_images
from ..base import ZoetropeNode
from ..videos_in_batch import frames_per_video


class PlaceSparseImages(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropePlaceSparseImages",
            display_name="Place Sparse Images",
            category="Zoetrope/ControlNet",
            description="Says at which frames of the video the images of a SparseCtrl model lie.",
            search_aliases=[
                "sparsectrl",
                "sparse index method",
                "sparse spread method",
                "indexes",
                "ACN",
                "advanced controlnet",
                "key frames",
                "first and last frame",
                "motion strength",
                "稀疏控制",
                "关键帧",
                "首尾帧",
            ],
            inputs=[
                io.ControlNet.Input("control_net", tooltip="From Load SparseCtrl Model."),
                io.Combo.Input(
                    "place",
                    options=PLACES,
                    default=SPREAD,
                    tooltip=(
                        "spread = the first frame, the last, and evenly between; starting = as if one more"
                        " image followed; ending = as if one went before; centre = both; at frames = those of"
                        " the input frames."
                    ),
                ),
                io.String.Input(
                    "frames",
                    default="0",
                    tooltip=(
                        "For at frames: one frame for each image, in their order. Numbers from 0 and ranges"
                        " start:end:step, separated by commas; 0,-1 = the first and the last."
                    ),
                ),
                io.Combo.Input(
                    "windows_without_images",
                    options=WINDOW_CHOICES,
                    default=NEAREST,
                    advanced=True,
                    tooltip=(
                        "What a context window sees in which no image lies: the nearest image, at the end of"
                        " the window that is nearer to it, or none."
                    ),
                ),
                io.Float.Input(
                    "motion_strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    advanced=True,
                    tooltip=(
                        "How much the model's own motion modules do, a factor: 1 = as trained, 0 = off: each"
                        " image is seen by its own frame alone."
                    ),
                ),
                frames_per_video(
                    "Frames of one video where the latent holds several: the images lie at these frames"
                    " of each. 0 = the whole batch is one video."
                ),
                *_factor_inputs(),
            ],
            outputs=[io.ControlNet.Output("CONTROL_NET", tooltip="Goes into Apply ControlNet.")],
        )

    @classmethod
    def execute(cls, control_net, **settings) -> io.NodeOutput:
        return io.NodeOutput(place_sparse_images(control_net, SparseSettings(**settings)))


def _factor_inputs() -> list[io.Input]:
    """What Advanced-ControlNet calls motion_scale and sparse multipliers."""
    return [
        _factor(
            "attention_scale",
            "A factor of the keys in the attention over frames of the model's motion modules: 1 = as trained,"
            " more = frames look more closely at a few others.",
        ),
        _factor(
            "strength_at_images", "A factor for frames at which an image lies: 1 = as trained, 0 = off there."
        ),
        _factor("strength_elsewhere", "A factor for all other frames: 1 = as trained, 0 = off there."),
        _factor(
            "mask_value",
            "What the mask says where an image lies: 1 = as trained; lower takes the images less seriously.",
        ),
    ]


def _factor(name: str, tooltip: str) -> io.Float.Input:
    return io.Float.Input(
        name, default=1.0, min=0.0, max=10.0, step=0.01, optional=True, advanced=True, tooltip=tooltip
    )
