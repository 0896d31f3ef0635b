"""Windows inside Layers: views on a MODEL that has temporal layers."""

from __future__ import annotations

import comfy.model_patcher

from .motion import applied_modules
from .views import VIEWS, ViewSettings, refuse_without_views


def apply_layer_views(
    model: comfy.model_patcher.ModelPatcher, settings: ViewSettings
) -> comfy.model_patcher.ModelPatcher:
    """A clone of model whose temporal layers see windows of the frames; model itself is not changed.

    Raises ValueError for a MODEL without temporal layers, and where a method on it takes no views.
    """
    modules = applied_modules(model)
    if not modules:
        raise ValueError(
            "this MODEL has no temporal layers that could have windows inside; put the node behind Apply "
            "Motion Module."
        )
    for module in modules:
        refuse_without_views(module.method, module.name)
    patched = model.clone()
    patched.model_options["transformer_options"][VIEWS] = settings
    return patched
