"""Motion module files: which format a state dict is in,
what it says about itself, and its conversion to our names.

Source: github.com/guoyww/AnimateDiff (original key names), diffusers' MotionAdapter
(its naming). A format is one entry of MOTION_FORMATS: a predicate on the keys and a
renaming to the original names. Specific formats stand before broad ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from ...foreign_text import printable
from ..file_tensors import StateDict, describe_keys, plain_tensors, refuse_broken_numbers, widths_in
from .layers import NORM_GROUPS, MotionConfig, MotionModel, sinusoidal_table

_SITE = re.compile(r"^((?:down_blocks|up_blocks)\.\d+\.motion_modules\.\d+|mid_block\.motion_modules\.\d+)\.")
_QKV = ("to_q", "to_k", "to_v")
CONDITION_EMBEDDING = "controlnet_cond_embedding."
ANIMATELCM_LENGTH = 64  # AnimateLCM's files carry no position table; it was trained with one of 64 rows


@dataclass(frozen=True)
class MotionFormat:
    """One way motion modules are published. matches(keys) guards everything that to_original reads.

    version: the family that alone is published so; empty where shapes tell it.
    """

    name: str
    matches: Callable[[frozenset[str]], bool]
    to_original: Callable[[StateDict], StateDict]
    version: str = ""


def _is_diffusers(keys: frozenset[str]) -> bool:
    return any(k.endswith(".attn1.to_q.weight") and _SITE.match(k) for k in keys)


def _is_original(keys: frozenset[str]) -> bool:
    return any(
        "temporal_transformer.transformer_blocks." in k and k.endswith(".to_q.weight") and _SITE.match(k)
        for k in keys
    )


DIFFUSERS_RENAMES = (
    (".attn1.", ".attention_blocks.0."),
    (".attn2.", ".attention_blocks.1."),
    (".norm1.", ".norms.0."),
    (".norm2.", ".norms.1."),
    (".norm3.", ".ff_norm."),
)


def _diffusers_to_original(state_dict: StateDict) -> StateDict:
    out: StateDict = {}
    for key, value in state_dict.items():
        site = _SITE.match(key)
        if site is None:
            continue
        tail = key[site.end() :]
        if tail.endswith("pos_embed.pe"):  # one table per block here, one per attention in the original
            block = tail[: -len("pos_embed.pe")]
            for i in (0, 1):
                out[f"{site[1]}.temporal_transformer.{block}attention_blocks.{i}.pos_encoder.pe"] = value
            continue
        for theirs, ours in DIFFUSERS_RENAMES:
            tail = tail.replace(theirs, ours)
        out[f"{site[1]}.temporal_transformer.{tail}"] = value
    return out


_HOTSHOT = re.compile(r"^((?:down_blocks|up_blocks)\.\d+)\.temporal_attentions\.(\d+)\.")
_HOTSHOT_TABLE, _TABLE = "pos_encoder.positional_encoding", "pos_encoder.pe"


def _is_hotshot(keys: frozenset[str]) -> bool:
    return any(_HOTSHOT.match(key) and key.endswith(_HOTSHOT_TABLE) for key in keys)


def _hotshot_to_original(state_dict: StateDict) -> StateDict:
    site = r"\1.motion_modules.\2.temporal_transformer."
    own = {key: value for key, value in state_dict.items() if _HOTSHOT.match(key)}
    return {_HOTSHOT.sub(site, k).replace(_HOTSHOT_TABLE, _TABLE): v for k, v in own.items()}


def _original_to_hotshot(key: str) -> str:
    key = key.replace(".motion_modules.", ".temporal_attentions.").replace(".temporal_transformer.", ".")
    return key.replace(_TABLE, _HOTSHOT_TABLE)


MOTION_FORMATS: dict[str, MotionFormat] = {
    f.name: f
    for f in (
        MotionFormat("diffusers MotionAdapter", _is_diffusers, _diffusers_to_original),
        MotionFormat("AnimateDiff", _is_original, dict),
        MotionFormat("HotshotXL", _is_hotshot, _hotshot_to_original, "hotshotxl"),
    )
}


def is_motion_module(keys: frozenset[str]) -> bool:
    """Whether a file with these keys holds AnimateDiff's layers, under any of the published names."""
    return any(motion_format.matches(keys) for motion_format in MOTION_FORMATS.values())


def is_sparsectrl(keys: frozenset[str]) -> bool:
    """Whether a file with these keys holds a ControlNet with motion modules of its own."""
    return any(map(_SITE.match, keys)) and any(k.startswith(CONDITION_EMBEDDING) for k in keys)


def is_pia_module(keys: frozenset[str]) -> bool:
    """Whether a file with these keys holds motion modules and a first convolution, and no more of a UNet."""
    more = ("conv_out.", CONDITION_EMBEDDING, "img_encoder.")
    return is_motion_module(keys) and "conv_in.weight" in keys and not any(k.startswith(more) for k in keys)


def is_plain_module(keys: frozenset[str]) -> bool:
    """Whether a file with these keys holds motion modules and nothing that another method adds to them."""
    more = (".qkv_merge.", ".cc_projection.")
    extended = is_pia_module(keys) or is_image_module(keys) or any(part in k for k in keys for part in more)
    return is_motion_module(keys) and not extended


def is_image_module(keys: frozenset[str]) -> bool:
    """Whether a file with these keys holds motion modules and AnimateLCM's image encoder."""
    return is_motion_module(keys) and any(k.startswith("img_encoder.") for k in keys)


def read_motion_module(raw: Mapping, file_name: str = "this file") -> tuple[MotionConfig, StateDict]:
    """What a motion module file holds: its config and a state dict with the names of `MotionModel`.

    raw: the content of the file: tensors by key, possibly nested in "state_dict", with "module." prefixes and
    with entries that do not belong to the motion module (dropped, as the reference does). Raises ValueError
    naming the file, what was expected and what was found.
    """
    tensors = plain_tensors(raw)
    _refuse_extended_modules(tensors, file_name)
    keys = frozenset(tensors)
    for motion_format in MOTION_FORMATS.values():
        if motion_format.matches(keys):
            return read_sites(motion_format.to_original(tensors), file_name, motion_format.version)
    raise ValueError(
        f"'{printable(file_name)}' is not a motion module: expected keys such as"
        " 'down_blocks.0.motion_modules.0.temporal_transformer...' (AnimateDiff) or"
        " 'down_blocks.0.motion_modules.0.transformer_blocks.0.attn1...' (diffusers MotionAdapter), found"
        f" {describe_keys(tensors)}. Choose a file such as mm_sd_v15_v2.ckpt or v3_sd15_mm.ckpt."
    )


def read_sites(
    tensors: StateDict,
    file_name: str,
    version: str = "",
    parts: tuple[str, ...] = ("down_blocks", "up_blocks"),
    length: int = ANIMATELCM_LENGTH,
) -> tuple[MotionConfig, StateDict]:
    """Config and weights of the motion modules among tensors with the original names; others are dropped.

    version: the family; empty where shapes tell it. parts: of the UNet, each of which must have modules.
    length: rows of the position table where the file has none. Raises ValueError for a damaged file.
    """
    own = {key: value for key, value in tensors.items() if _SITE.match(key)}
    config = _config_from_shapes(own, file_name, version, parts, length)
    refuse_broken_numbers(own, file_name)
    return config, to_model_names(own, MotionModel(config, device="meta").state_dict(), file_name)


def to_file(model: MotionModel) -> StateDict:
    """`to_original_names`; raises ValueError where that would be read as another family, or without its own
    position table.
    """
    config, remedy = model.config, "save the module without Adjust Position Table and Adjust Weights."
    if config.version == "animatelcm":
        tables = (value for key, value in model.state_dict().items() if key.endswith(_TABLE))
        if not all(
            torch.equal(t.cpu().float(), sinusoidal_table(ANIMATELCM_LENGTH, t.shape[2])) for t in tables
        ):
            raise ValueError(
                f"a file of AnimateLCM has no position table, so the adjusted one would be lost; {remedy}"
            )
    elif config.version != "hotshotxl":
        read = _version(config.num_levels, config.has_mid, config.position_length)
        if read != config.version:
            raise ValueError(
                f"a module of AnimateDiff {config.version} with {config.position_length} rows in its "
                f"position table would be read as {read}, which takes other norms; {remedy}"
            )
    return to_original_names(model)


def to_original_names(model: MotionModel) -> StateDict:
    """The state dict of a `MotionModel` under its family's published names: what one saves to share it."""
    out: StateDict = {}
    for key, value in model.state_dict().items():
        if key.endswith("to_qkv.weight"):
            for name, part in zip(_QKV, value.chunk(3), strict=True):
                out[key.replace("to_qkv", name)] = part.contiguous()
        else:
            out[key] = value
    if model.config.version == "animatelcm":  # published without tables: that is how it is known
        return {key: value for key, value in out.items() if not key.endswith(_TABLE)}
    if model.config.version == "hotshotxl":
        return {_original_to_hotshot(key): value for key, value in out.items()}
    return out


def _refuse_extended_modules(tensors: StateDict, file_name: str) -> None:
    """Files that carry more than a motion module would run, wrongly, without the rest."""
    if is_sparsectrl(frozenset(tensors)):
        raise ValueError(
            f"'{printable(file_name)}' is a SparseCtrl model, a ControlNet with motion modules of its own; "
            "put it into models/controlnet and load it with the node 'Load SparseCtrl Model'."
        )
    if any(".qkv_merge." in key or ".cc_projection." in key for key in tensors):
        raise ValueError(
            f"'{printable(file_name)}' is a camera control; load v3_sd15_mm.ckpt here and put this file on "
            "it with the node 'Load Camera Control'."
        )
    conv_in = tensors.get("conv_in.weight")
    if any(map(_SITE.match, tensors)) and conv_in is not None and conv_in.shape[1:2] == (9,):
        raise ValueError(
            f"'{printable(file_name)}' is a motion module of the kind PIA (in a whole UNet; of that only "
            "motion_modules and conv_in are needed), which this node cannot run; choose a plain motion "
            "module such as v3_sd15_mm.ckpt."
        )


def _config_from_shapes(
    sd: StateDict, file_name: str, version: str, parts: tuple[str, ...], length: int
) -> MotionConfig:
    part = re.compile(_SITE.pattern + "temporal_transformer")
    sites = widths_in(sd, part, "temporal_transformer.proj_in.weight", file_name, NORM_GROUPS)
    if not all(any(site.startswith(f"{name}.") for site in sites) for name in parts):
        raise ValueError(
            f"'{printable(file_name)}' is an incomplete motion module: it must have modules in "
            f"{' and '.join(parts)}, found "
            f"{sorted(sites) or 'none'}; download the file again."
        )
    table = next((v for k, v in sd.items() if k.endswith("pos_encoder.pe")), None)
    attention = {int(m[1]) for k in sd if (m := re.search(r"attention_blocks\.(\d+)\.to_q", k))}
    blocks = {int(m[1]) for k in sd if (m := re.search(r"transformer_blocks\.(\d+)\.", k))}
    levels = {int(s.split(".")[1]) for s in sites if s.startswith("down_blocks.")}
    has_mid = any(s.startswith("mid_block.") for s in sites)
    length = table.shape[1] if table is not None and table.ndim == 3 else length
    return MotionConfig(
        version=version or _version(max(levels) + 1, has_mid, None if table is None else length),
        site_channels=sites,
        position_length=length,
        num_attention_blocks=max(attention, default=0) + 1,
        num_transformer_blocks=max(blocks, default=0) + 1,
    )


def _version(levels: int, has_mid: bool, position_length: int | None) -> str:
    if levels == 3:
        return "sdxl"
    if position_length is None:
        return "animatelcm"
    if has_mid:
        return "v2"
    return "v1" if position_length == 24 else "v3"


def fuse_qkv(sd: StateDict) -> StateDict:
    """Published attention weights to_q, to_k, to_v (C, C) -> one to_qkv (3C, C); other keys as they are."""
    out: StateDict = {}
    for key, value in sd.items():
        if key.endswith("to_q.weight"):
            out[key.replace("to_q", "to_qkv")] = torch.cat([sd[key.replace("to_q", n)] for n in _QKV])
        elif not key.endswith(("to_k.weight", "to_v.weight")):
            out[key] = value
    return out


def to_model_names(sd: StateDict, expected: StateDict, file_name: str) -> StateDict:
    """Checks that exactly the expected keys and shapes are there, and gives them our names.

    expected: of a network, under our names. Raises ValueError naming what is missing, wrong or too much."""
    out: StateDict = {}
    for key, want in expected.items():
        if key.endswith("to_qkv.weight"):
            for name in (key.replace("to_qkv", n) for n in _QKV):
                out[name] = _take(sd, name, (want.shape[1], want.shape[1]), file_name)
        elif key.endswith("pos_encoder.pe") and key not in sd:
            out[key] = sinusoidal_table(*want.shape[1:])
        else:
            out[key] = _take(sd, key, tuple(want.shape), file_name)
    known = {k.replace("to_qkv", n) for k in expected for n in _QKV} | set(expected)
    unknown = sorted(k for k in sd if k not in known)
    if unknown:
        raise ValueError(
            f"'{printable(file_name)}' has {len(unknown)} keys that a plain motion module does not have, the"
            f" first is '{printable(unknown[0])}'; it may be a variant (camera control, image input) that"
            " this node cannot run."
        )
    return fuse_qkv(out)


def _take(sd: StateDict, key: str, shape: tuple[int, ...], file_name: str) -> torch.Tensor:
    if key not in sd:
        raise ValueError(
            f"'{printable(file_name)}' lacks the key '{printable(key)}'; the motion module is incomplete, "
            "download it again."
        )
    value = sd[key]
    if (
        value.ndim == 4 and value.shape[2:] == (1, 1) and len(shape) == 2
    ):  # a 1x1 convolution is the same linear layer
        value = value[:, :, 0, 0]
    if tuple(value.shape) != shape:
        raise ValueError(
            f"'{printable(file_name)}': '{printable(key)}' has shape {tuple(value.shape)} where {shape} is "
            "needed; the file is damaged or of an unknown kind."
        )
    return value
