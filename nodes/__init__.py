"""The graph nodes of the pack: shells that unpack inputs, call the library and pack outputs."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from ..host.cluster.freeing import free_workers_with_models
from ..host.files.conversion import register_conversion_route
from ..host.files.model_files import register_model_folders
from ..host.files.node_replacements import register_node_replacements
from ..host.files.prompt_replacements import register_prompt_handler
from ..host.files.template_links import register_template_links
from ..host.voting.routes import register_vote_routes


class ZoetropeExtension(ComfyExtension):
    """What ComfyUI asks for at start: the list of nodes, after the pack's model folders are known."""

    async def on_load(self) -> None:
        from ..host.files.demo_family import register

        register_model_folders()
        register()
        await register_node_replacements()
        register_prompt_handler()
        register_template_links()
        register_conversion_route()
        register_vote_routes()
        free_workers_with_models()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from . import (
            animatediff,
            controlnet,
            curation,
            frames,
            inversion,
            metrics,
            sampling,
            stories,
            temporal_layers,
            text2video_zero,
            training,
            video,
            video_models,
        )

        # In the order of the menu.
        image_models = animatediff, text2video_zero, controlnet, temporal_layers
        making = sampling, inversion, stories, training
        categories = *image_models, *making, curation, metrics, video, frames, video_models
        return [node for category in categories for node in category.NODES]
