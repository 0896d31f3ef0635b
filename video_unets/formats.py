"""Files of video networks: which published system a file is, and whether it is complete.

Source: the loading code of each system's repository (its
folder names it); a file is unwrapped as they unwrap it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch

from ..foreign_text import printable
from ..motion_modules.file_tensors import describe_keys
from .file_shapes import FileShapes, published_name
from .lavie.system import SYSTEMS as LAVIE
from .modelscope.system import SYSTEMS as MODELSCOPE
from .show1.system import SYSTEMS as SHOW1
from .svd.system import SYSTEMS as SVD
from .systems import VideoSystem
from .videocrafter.system import SYSTEMS as VIDEOCRAFTER

StateDict = dict[str, torch.Tensor]

_WRAPPINGS = ("state_dict", "ema", "module", "model")
_OTHER_PARTS = ("first_stage_model.", "cond_stage_model.", "embedder.", "conditioner.")  # VAE and encoders
_ADDED_BY_SAVING = ("v_pred", "ztsnr", "edm_vpred.")
"""What ComfyUI writes beside the weights of networks that predict v, without a prefix."""
_DEEPSPEED = "_forward_module."  # 16 characters before every key of a DeepSpeed checkpoint

VIDEO_UNETS: dict[str, VideoSystem] = {
    system.name: system for system in (*MODELSCOPE, *VIDEOCRAFTER, *LAVIE, *SHOW1, *SVD)
}
"""Every published system by name; exactly one claims a file."""


def unwrap(raw: Mapping) -> StateDict:
    """The tensors of a file by key, freed of `state_dict`, `ema`,
    `module` and `model` nesting and of DeepSpeed's key prefix.
    """
    for wrapping in _WRAPPINGS:
        if isinstance(raw.get(wrapping), Mapping):
            raw = raw[wrapping]
    tensors = {
        key: value for key, value in raw.items() if isinstance(key, str) and isinstance(value, torch.Tensor)
    }
    if tensors and all(key.startswith(_DEEPSPEED) for key in tensors):
        tensors = {key[len(_DEEPSPEED) :]: value for key, value in tensors.items()}
    return tensors


def shapes_of(tensors: Mapping[str, torch.Tensor], file_name: str) -> FileShapes:
    """Keys and shapes of a file's tensors."""
    return FileShapes({key: tuple(value.shape) for key, value in tensors.items()}, file_name)


def detect(shapes: FileShapes) -> VideoSystem:
    """The one system whose file this is.

    Raises ValueError naming the file, what it looks like and where it belongs when it is no video network;
    also when two systems claim it, which is an error of ours.
    """
    claimed = [system for system in VIDEO_UNETS.values() if system.claims(shapes)]
    if len(claimed) == 1:
        return claimed[0]
    if claimed:
        raise ValueError(
            f"'{printable(shapes.file_name)}' was taken for "
            f"{' and for '.join(system.title for system in claimed)}; "
            f"please report this file, it must be one of them."
        )
    raise ValueError(
        f"'{printable(shapes.file_name)}' is not a video network: expected one of {', '.join(VIDEO_UNETS)}; "
        f"found {describe_file(shapes)}."
    )


def own_keys(system: VideoSystem, keys: Iterable[str]) -> list[str]:
    """Those of a file's keys that are the network's, without the prefix of the system."""
    start = len(system.prefix)
    foreign = _OTHER_PARTS + _ADDED_BY_SAVING
    return [
        key[start:] for key in keys if key.startswith(system.prefix) and not key[start:].startswith(foreign)
    ]


def network_weights(system: VideoSystem, tensors: StateDict) -> tuple[StateDict, dict[str, str]]:
    """A file's tensors under the network's names, and {network's key: file's key}; views of the file's
    tensors, nothing is copied.
    """
    inside = {key: tensors[system.prefix + key] for key in own_keys(system, tensors)}
    weights = system.to_network(inside)
    # Conversions rename and reshape: a view begins at the same address, which is how a tensor is recognised.
    names = {value.data_ptr(): system.prefix + key for key, value in inside.items()}
    return weights, {
        key: names[value.data_ptr()] for key, value in weights.items() if value.data_ptr() in names
    }


def check_weights(
    system: VideoSystem,
    weights: Mapping[str, torch.Tensor],
    expected: Mapping[str, torch.Tensor],
    file_name: str,
    published: Mapping[str, str],
) -> None:
    """Compares a network's weights, under the network's names, with the tensors it has:
    exactly these keys and shapes.

    published: {network's key: file's key}. Raises ValueError naming
    the first key that is missing, of another shape or unknown.
    """
    missing = [key for key in expected if key not in weights]
    if missing:
        raise ValueError(
            f"'{printable(file_name)}' looks like {system.title} but lacks {len(missing)} of its"
            f" {len(expected)} keys, the first is '{printable(published_name(missing[0], published))}'; the"
            " file is incomplete, download it again."
        )
    for key, want in expected.items():
        if weights[key].shape != want.shape:
            raise ValueError(
                f"'{printable(file_name)}': '{printable(published_name(key, published))}' has shape"
                f" {tuple(weights[key].shape)} where {system.title} has {tuple(want.shape)}; the file is"
                " damaged or a variant that this node cannot run."
            )
    unknown = [key for key in weights if key not in expected]
    if unknown:
        raise ValueError(
            f"'{printable(file_name)}' has {len(unknown)} keys that {system.title} does not have, the first"
            f" is '{printable(published_name(unknown[0], published))}'; it may be a variant that this node"
            " cannot run."
        )


_LOOKS_LIKE: tuple[tuple[str, str], ...] = (
    (r"\.motion_modules\.\d+\.", "an AnimateDiff motion module (use Load Motion Module)"),
    (
        r"^model\.diffusion_model\.input_blocks\.\d+\.0\.time_stack\.",
        "another relative of Stable Video Diffusion (SV4D?)",
    ),
    (
        r"^decoder\..*\.temporal_res_block\.",
        "Stable Video Diffusion's VAE in diffusers' layout (use Load Video VAE)",
    ),
    (r"\.temporal_res_block\.", "another relative of Stable Video Diffusion in diffusers' layout"),
    (r"^conditioner\.embedders\.|^cond_stage_model\.", "an image checkpoint (use Load Checkpoint)"),
)


def describe_file(shapes: FileShapes) -> str:
    """What a file that is no video network looks like and where it belongs, for an error message."""
    for pattern, kind in _LOOKS_LIKE:
        for key in shapes:
            if re.search(pattern, key):
                return f"keys of {kind}, e.g. '{printable(key)}'"
    return describe_keys(shapes)
