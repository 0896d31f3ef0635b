"""The tensors of a file, whatever a trainer has wrapped them in,
and what to say of a file that is another kind of thing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

import torch
from torch import nn

from ..foreign_text import printable

StateDict = dict[str, torch.Tensor]
_PARTS = ("pose_encoder_state_dict", "attention_processor_state_dict")
"""Of CameraCtrl.ckpt, which belong side by side."""


def plain_tensors(raw: Mapping) -> StateDict:
    """The tensors of a file by key,
    freed of "state_dict" or "controlnet" nesting, of CameraCtrl's two parts, and of "module." and "unet."
    prefixes.
    """
    for wrapping in ("state_dict", "controlnet"):
        if isinstance(raw.get(wrapping), Mapping):
            raw = raw[wrapping]
    parts = [raw[part] for part in _PARTS if isinstance(raw.get(part), Mapping)]
    tensors = {}
    for key, value in itertools.chain(raw.items(), *(part.items() for part in parts)):
        if isinstance(key, str) and isinstance(value, torch.Tensor):
            for prefix in ("module.", "unet."):
                key = key.removeprefix(prefix)
            tensors[key] = value
    return tensors


def refuse_broken_numbers(tensors: Mapping[str, torch.Tensor], file_name: str) -> None:
    """Raises ValueError naming the first tensor that holds a NaN or an infinity; one pass without a copy."""
    for key, value in tensors.items():
        if not value.is_floating_point() or value.numel() == 0:
            continue
        # A NaN comes out of aminmax as NaN.
        ends = (value if value.element_size() > 1 else value.float()).aminmax()
        if not (ends.min.isfinite() and ends.max.isfinite()):
            raise ValueError(
                f"'{printable(file_name)}': '{printable(key)}' holds numbers that are not finite (NaN or"
                " infinity), so every frame would be lost; the file is damaged, download it again."
            )


def widths_in(
    tensors: StateDict, part: re.Pattern, width_of: str, file_name: str, multiple_of: int = 1
) -> dict[str, int]:
    """Output channels of every place that a file has layers for: {name: C}.

    part: matches keys of such layers, its group 1 is the place's name. width_of: the weight below it whose
    first axis is C, a multiple of multiple_of. Raises ValueError naming the weight where it is missing or has
    another width.

    "a.0.up.weight" (32, 16), "a.0.up.bias" (32,) with r"(a\\.\\d)\\.up\\." and "up.weight" -> {"a.0": 32}
    """
    names = dict.fromkeys(m[1] for key in tensors if (m := part.match(key)))
    return {name: _width(tensors, f"{name}.{width_of}", file_name, multiple_of) for name in names}


def _width(tensors: StateDict, key: str, file_name: str, multiple_of: int) -> int:
    if key not in tensors:
        raise _lacks(key, file_name)
    shape = tensors[key].shape
    if not shape or shape[0] == 0 or shape[0] % multiple_of:
        raise ValueError(
            f"'{printable(file_name)}': '{printable(key)}' has shape {tuple(shape)} where a multiple of "
            f"{multiple_of} channels is needed; the file is damaged or of an unknown kind."
        )
    return shape[0]


def _lacks(key: str, file_name: str) -> ValueError:
    return ValueError(
        f"'{printable(file_name)}' lacks the key '{printable(key)}'; the file is incomplete, "
        "download it again."
    )


def weights_for(network: nn.Module, tensors: StateDict, file_name: str) -> StateDict:
    """The weights of a network out of a file that names them as the network does; other keys are left.

    Raises ValueError naming the first key that the file lacks, that has another shape or broken numbers.
    """
    weights = {}
    for key, want in network.state_dict().items():
        if key not in tensors:
            raise _lacks(key, file_name)
        if tensors[key].shape != want.shape:
            raise ValueError(
                f"'{printable(file_name)}': '{printable(key)}' has shape {tuple(tensors[key].shape)} where "
                f"{tuple(want.shape)} is needed; the file is damaged or of an unknown kind."
            )
        weights[key] = tensors[key]
    refuse_broken_numbers(weights, file_name)
    return weights


_LOOKS_LIKE: tuple[tuple[str, str], ...] = (
    (
        r"motion_modules[._]\d+.*[._](lora|hada|lokr|dora|alpha)",
        "a MotionLoRA (use Load MotionLoRA with a motion module)",
    ),
    (r"lora_up|lora_down|lora_A|lora_B|\.lora\.|hada_w1|lokr_w1", "a LoRA (use Load LoRA)"),
    (r"^model\.diffusion_model\.", "a whole checkpoint (use Load Checkpoint)"),
    (
        r"^decoder\..+\.(time_stack|time_mix_conv)\.",
        "temporal layers of a VAE's decoder (use Load Temporal Decoder, or Load VAE for a whole VAE)",
    ),
    (
        r"^control_model\.|controlnet_cond_embedding|controlnet_down_blocks",
        "a ControlNet (use Load ControlNet Model)",
    ),
    (r"^(first_stage_model\.)?(encoder|decoder)\.(down|up|mid|conv_in)", "a VAE (use Load VAE)"),
    (r"text_model\.|^transformer\.|token_embedding", "a text encoder (use Load CLIP)"),
    (r"^(input_blocks|down_blocks)\.", "a UNet without motion modules (use Load Diffusion Model)"),
)


def describe_keys(tensors: Mapping) -> str:
    """What a state dict that was refused looks like, for the error message."""
    if not tensors:
        return "no tensors at all"
    for pattern, kind in _LOOKS_LIKE:
        if any(re.search(pattern, k) for k in tensors):
            return f"keys of {kind}, e.g. '{printable(next(k for k in tensors if re.search(pattern, k)))}'"
    return f"{len(tensors)} other keys, e.g. '{printable(next(iter(tensors)))}'"
