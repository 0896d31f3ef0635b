"""Other code that sees the calls of the network in context windows, and what it must not see.

Patches and wrappers are written for calls that hold one chunk of each kind of cond (positive, negative, ...).
Many look up "the" negative chunk, or hold a row for each frame. Several windows in one call have a chunk of
each kind for each window, so that is done only where all code that sees the call is known to treat every
image by itself. Everything else gets windows one by one, and is told which frames they are by the protocol
that AnimateDiff-Evolved published: transformer_options["ad_params"].
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator

import comfy.hooks
import comfy.patcher_extension
import torch
from comfy.context_windows import IndexListContextWindow
from comfy.patcher_extension import WrappersMP

from ...foreign_text import printable
from ...motion_modules.points import Point
from ..code_origin import module_name, plain

# Their patches compute each image of a batch by itself, or belong to this pack.
_PACK = __package__.rpartition(".host")[0]
_SAFE_MODULES = (
    f"{_PACK}.host.",
    f"{_PACK}.motion_modules.",
    "comfy_extras.nodes_freelunch",
    "comfy_extras.nodes_hypernetwork",
    "comfy_extras.nodes_hypertile",
    "comfy_extras.nodes_model_downscale",
    "comfy_extras.nodes_pag",
    "comfy_extras.nodes_tomesd",
    "comfy_api.torch_helpers.",
    "torch.",
)
_NODES = {"comfy_extras.nodes_sag": "Self-Attention Guidance"}
_CFG_FUNCTIONS = ("sampler_cfg_function", "sampler_pre_cfg_function", "sampler_post_cfg_function")


def frame_numbers(window: IndexListContextWindow) -> dict[str, object]:
    """What transformer_options["ad_params"] is in a window:
    its frames, and the number of frames of all windows together.
    """
    frames = list(window.index_list)
    return {"sub_idxs": frames, "full_length": window.total_frames, "context_length": len(frames)}


def unknown_parts(model, model_options: dict) -> list[str]:
    """Names of the patches and wrappers of a MODEL that may only see one window in a call of the network."""
    parts = (part for part in _parts(model, model_options) if not module_name(part).startswith(_SAFE_MODULES))
    return sorted(
        {
            printable(f"{module_name(part)}.{getattr(plain(part), '__qualname__', type(part).__qualname__)}")
            for part in parts
        }
    )


def seen_by_the_network(model) -> tuple:
    """What decides what a call of a MODEL's network computes, by identity: equal for two clones, unequal once
    one of them has another LoRA, patch, wrapper or module.
    """
    options = model.model_options
    sizes = {name: len(entries) for name, entries in options.get("transformer_options", {}).items()
             if isinstance(entries, dict | list)}  # fmt: skip
    patchers = [model, *model.get_additional_models()]
    weights = [(id(one.model), key, [id(patch) for patch in patches])
               for one in patchers for key, patches in one.patches.items()]  # fmt: skip
    return (
        [id(one.model) for one in patchers], weights,
        [(name, id(value)) for name, value in model.object_patches.items()],
        [id(plain(part)) for part in _parts(model, options)], sizes,
    )  # fmt: skip


def refuse_recorders(model_options: dict) -> None:
    """Raises ValueError where a guidance remembers the attention
    of one call and uses it on the frames of all windows.

    ComfyUI's Self-Attention Guidance does: an attention patch
    writes a variable that its function after the guidance reads.
    """
    later = [plain(f) for name in _CFG_FUNCTIONS for f in _listed(model_options.get(name))]
    read = {id(cell) for function in later for cell in getattr(function, "__closure__", None) or ()}
    for patch in map(plain, _attention_patches(model_options.get("transformer_options", {}))):
        if _written_cells(patch) & read:
            node = _NODES.get(module_name(patch), f"{patch.__qualname__} of {module_name(patch)}")
            raise ValueError(
                f"'{printable(node)}' remembers the attention of one call of the network and 'Context "
                "Windows' makes several for a video of more frames than context_length, so the two cannot "
                "work together; remove one of them, or raise context_length to the number of frames. "
                "Perturbed-Attention Guidance works in context windows."
            )


def _parts(model, model_options: dict) -> Iterator[Callable]:
    """Everything that sees a call of the network: patches, wrappers, replaced functions of the network."""
    options = model_options.get("transformer_options", {})
    yield from _parts_of(options)
    if (wrapper := model_options.get("model_function_wrapper")) is not None:
        yield wrapper
    yield from comfy.patcher_extension.get_all_wrappers(
        WrappersMP.CALC_COND_BATCH, model_options, is_model_options=True
    )
    hooks = model_options.get("registered_hooks")
    for hook in () if hooks is None else hooks.get_type(comfy.hooks.EnumHookType.TransformerOptions):
        yield from _parts_of(hook.transformers_dict)
    patcher = getattr(model, "current_patcher", None)
    for name, replaced in ({} if patcher is None else patcher.object_patches).items():
        if name.startswith("diffusion_model"):
            yield from _put_in_place_of_a_layer(replaced)


def _put_in_place_of_a_layer(forward: Callable) -> Iterator[Callable]:
    """A function in place of a layer's forward,
    and those that our points stand around; not the layer's own.
    """
    while not isinstance(getattr(forward, "__self__", None), torch.nn.Module):
        yield forward
        if not isinstance(forward, Point):
            return
        forward = forward.inner


def _parts_of(options: dict) -> Iterator[Callable]:
    for entries in options.get("patches", {}).values():
        yield from (
            entry[-1] if isinstance(entry, tuple) else entry for entry in entries
        )  # some are (layer types, patch)
    for blocks in options.get("patches_replace", {}).values():
        yield from blocks.values()
    if (override := options.get("optimized_attention_override")) is not None:
        yield override
    for kind in (WrappersMP.DIFFUSION_MODEL, WrappersMP.APPLY_MODEL):
        for wrappers in options.get("wrappers", {}).get(kind, {}).values():
            yield from wrappers


def _attention_patches(options: dict) -> Iterator[Callable]:
    for name, entries in options.get("patches", {}).items():
        if name.startswith("attn"):
            yield from entries
    for name, blocks in options.get("patches_replace", {}).items():
        if name.startswith("attn"):
            yield from blocks.values()


def _listed(functions: object) -> list:
    return functions if isinstance(functions, list) else [] if functions is None else [functions]


def _written_cells(function: object) -> set[int]:
    """The variables of enclosing functions that a function writes, by identity."""
    code = getattr(function, "__code__", None)
    if code is None:
        return set()
    names = {step.argval for step in dis.get_instructions(code) if step.opname == "STORE_DEREF"}
    return {
        id(cell)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
        if name in names
    }
