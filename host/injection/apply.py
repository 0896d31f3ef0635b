"""Puts a temporal method on a MODEL: acts around layers of its UNet, and its weights as a model of their own.

Nothing is inserted into the UNet's module tree. Each point is an object patch on `<layer>.forward` of a clone
of the MODEL: core puts it on when that clone is loaded and takes it off when another one is, so the
checkpoint without the method stays bit for bit the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import comfy.ldm.modules.attention
import comfy.model_patcher
from comfy.patcher_extension import WrappersMP

from ...motion_modules.call import Attention, in_forward
from ...motion_modules.points import Acts, Applied, Point, Resolve

KEY = "zoetrope_motion"
NETWORK = "diffusion_model."


def apply_method(
    model: comfy.model_patcher.ModelPatcher, acts: Acts, resolve: Resolve,
    patchers: Iterable[comfy.model_patcher.ModelPatcher] = (),
) -> comfy.model_patcher.ModelPatcher:  # fmt: skip
    """A clone of the MODEL with acts around layers of its UNet; model itself is not changed.

    acts: by path inside the UNet. resolve: what the method makes
    of each forward. patchers: own the weights that the acts use.
    """
    patched = model.clone()
    patched.set_additional_models(KEY, [*patched.get_additional_models_with_key(KEY), *patchers])
    applied = Applied(resolve)
    for path, act in acts.items():
        name = f"{NETWORK}{path}.forward"
        patched.add_object_patch(name, Point(path, patched.get_model_object(name), act, applied))
    if not patched.get_wrappers(WrappersMP.DIFFUSION_MODEL, KEY):
        patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, run_forward)
    return patched


def run_forward(
    executor, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs
):
    """DIFFUSION_MODEL wrapper: everything below it is one forward, for all methods of the MODEL."""
    options = {} if transformer_options is None else transformer_options
    with in_forward(executor.class_obj, x.shape[0], options, tuple(x.shape[2:])):
        return executor(x, timesteps, context, y, control, options, **kwargs)


def attention_with(transformer_options: dict) -> Attention:
    """ComfyUI's attention for sequences of a few frames,
    open to the overrides that other packs put into the options.
    """

    def attention(q, k, v, heads, mask=None):
        function = comfy.ldm.modules.attention.optimized_attention_for_device(q.device, small_input=True)
        return function(q, k, v, heads, mask=mask, transformer_options=transformer_options)

    return attention
