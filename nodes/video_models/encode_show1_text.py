"""Encode Text (Show-1): a prompt as T5-XXL states."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models.show1_text import encode_text
from ..base import ZoetropeNode


class EncodeShow1Text(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeEncodeShow1Text",
            display_name="Encode Text (Show-1)",
            category="Zoetrope/Video models",
            description=(
                "Encodes a prompt as Show-1's pixel networks were trained with it: 77 states of T5-XXL in"
                " lower case."
            ),
            search_aliases=[
                "t5",
                "t5xxl",
                "show-1 prompt",
                "deepfloyd",
                "clip text encode",
                "prompt",
                "提示词",
                "文本编码",
            ],
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip="A T5-XXL, for example t5xxl_fp16.safetensors, from Load CLIP with type mochi.",
                ),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    default="",
                    tooltip=(
                        "The prompt; what goes beyond 77 tokens is cut off, an empty one is the published"
                        " negative prompt."
                    ),
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    "CONDITIONING", tooltip="Goes into the sampler or into the next Show-1 node."
                )
            ],
        )

    @classmethod
    def execute(cls, clip, text) -> io.NodeOutput:
        return io.NodeOutput(encode_text(clip, text))
