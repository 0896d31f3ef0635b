"""Preview Whole Clip: all frames while they are sampled."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.media.clip_previews import METHODS, MODES, PreviewSettings, preview_clip
from ..base import ZoetropeNode


class PreviewClip(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropePreviewClip",
            display_name="Preview Whole Clip",
            category="Zoetrope/Sampling",
            description=(
                "Shows all frames moving while they are sampled, instead of the first one standing still."
            ),
            search_aliases=[
                "animated preview",
                "vhs preview",
                "latent preview",
                "live preview",
                "video preview",
                "taesd",
                "preview",
                "预览",
                "动画预览",
            ],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "Any MODEL whose latents are frames; motion modules and Context Windows may come"
                        " before or after."
                    ),
                ),
                *_preview_inputs(),
            ],
            outputs=[
                io.Model.Output(
                    "MODEL",
                    tooltip="The same MODEL with previews; goes into any sampler. Results do not change.",
                )
            ],
        )

    @classmethod
    def execute(cls, model, **settings) -> io.NodeOutput:
        return io.NodeOutput(preview_clip(model, PreviewSettings(**settings)))


def _preview_inputs() -> list[io.Input]:
    """The widgets of PreviewSettings."""
    return [
        io.Combo.Input(
            "mode",
            options=list(MODES),
            default=MODES[0],
            tooltip="animation = the clip moves. contact sheet = all frames beside each other.",
        ),
        io.Combo.Input(
            "method",
            options=list(METHODS),
            default=METHODS[0],
            tooltip=(
                "How latents become pictures. latent2rgb = quick and coarse; taesd = sharper, needs"
                " its file in models/vae_approx; auto = what ComfyUI's settings say, latent2rgb if"
                " they say none."
            ),
        ),
        io.Float.Input(
            "fps",
            default=8.0,
            min=0.1,
            max=240.0,
            step=0.1,
            tooltip="Frames per second of the animation; 8 for AnimateDiff.",
        ),
        io.Int.Input(
            "size",
            default=256,
            min=16,
            max=1024,
            advanced=True,
            tooltip="Longer side of a frame of the preview in pixels; 256 is quick to send.",
        ),
    ]
