"""LoRA files trained on ModelScope's networks, as pairs of matrices for the layers of our network.

Source: github.com/ExponentialML/Text-To-Video-Finetuning (stable_lora/lora.py: `lora_A`, `lora_B`;
utils/lora.py, after github.com/cloneofsimo/lora: lists of matrices in the order of the layers); diffusers'
and kohya's names go through core's own reader.

A change of a layer's weight is `up @ down`, reshaped to the weight; {module}.lora_up.weight,
{module}.lora_down.weight and {module}.diff (the change itself) are ComfyUI's names for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch

from ..foreign_text import printable

# Which layers cloneofsimo's trainer changed, as parts of diffusers' names;
# a file does not say, its length and shapes do.
LIST_TARGETS: dict[str, tuple[str, ...]] = {
    "the whole network": ("",),
    "attention and gated feed-forward": (".attn1.", ".attn2.", ".ff.net.0.proj"),
    "attention, gated feed-forward and resnets": (".attn1.", ".attn2.", ".ff.net.0.proj", ".resnets."),
    "spatial transformers": (".attentions.",),
    "temporal transformers": (".temp_attentions.", "transformer_in."),
    "spatial and temporal transformers": (".attentions.", ".temp_attentions.", "transformer_in."),
    "resnets": (".resnets.",),
    "spatial transformers and resnets": (".attentions.", ".resnets."),
}


class LoraNames:
    """The layers of one network that a LoRA can change: {our module name:
    its weight's shape}, and all names of them in files.

    modules: how diffusers names the layers of such a network (VideoSystem.lora_modules); layers that it does
    not have there have their own names, and those of the published file where it has others: published is
    {our key: the file's key}.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        num_res_blocks: Sequence[int],
        transformer_depth: Sequence[int],
        published: Mapping[str, str],
        modules: Callable[[Sequence[int], Sequence[bool]], Mapping[str, str]],
    ):
        self.weights = {
            key[: -len(".weight")]: tuple(s)
            for key, s in shapes.items()
            if key.endswith(".weight") and len(s) > 1
        }
        starts = [sum(num_res_blocks[:level]) for level in range(len(num_res_blocks))]
        names = modules(num_res_blocks, [transformer_depth[start] > 0 for start in starts])
        self.diffusers = {module: core for module, core in names.items() if core in self.weights}
        """{diffusers' module name: ours}, in the order in which diffusers registers them."""
        names = {
            module: published.get(f"{module}.weight", f"{module}.weight").removesuffix(".weight")
            for module in self.weights
        }
        self.published = {name: module for module, name in names.items()}
        """{the published file's module name: ours}."""

    def module(self, name: str) -> str | None:
        """Our name of a module that a file names as diffusers
        or as the original does; None if there is none.
        """
        core = self.diffusers.get(name, self.published.get(name, name))
        if core not in self.weights and core.endswith(".op"):
            core = core.removesuffix(".op") + ".0.op"  # the original's downsamplers
        return core if core in self.weights else None

    def peft_names(self) -> dict[str, str]:
        """{name in a LoRA file: our module} of diffusers',
        kohya's and the published file's naming, temporal layers included.

        For 'input_blocks.1.1.transformer_blocks.0.attn1.to_q' among others:
        'unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q',
        'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q'
        """
        out = {}
        for name, core in (self.published | self.diffusers).items():
            processor = name.replace(".to_", ".processor.to_").replace(".to_out.0", ".to_out")
            flat = name.replace(".", "_")
            prefixed = (
                f"{start}{name}" for start in ("", "unet.", "base_model.model.", "unet.base_model.model.")
            )
            for alias in (*prefixed, processor, f"unet.{processor}", f"lora_unet_{flat}", f"lycoris_{flat}"):
                out[alias] = core
        return out


def is_stable_lora(keys: Iterable[str]) -> bool:
    """Whether keys are loralib's: matrices without `.weight` behind `lora_A`."""
    return any(key.endswith(".lora_A") for key in keys)


def from_stable_lora(
    tensors: Mapping[str, torch.Tensor], names: LoraNames, file_name: str
) -> dict[str, torch.Tensor]:
    """A stable_lora file (its webui or its full-weights form)
    as matrices by our module names; the scale is 1.

    Convolutions over frames have no pair of matrices of their shape: their change is the mean of what the two
    make. Text encoder layers are left out. Raises ValueError for half a pair and for shapes that do not fit.
    """
    out = {}
    for key, down in tensors.items():
        module = names.module(key.removesuffix(".lora_A")) if key.endswith(".lora_A") else None
        if module is None:
            continue
        name = key.removesuffix(".lora_A")
        up = tensors.get(f"{name}.lora_B")
        if up is None:
            raise ValueError(
                f"'{printable(file_name)}' has '{printable(key)}' but lacks '{printable(name)}.lora_B'; the"
                " file is incomplete, download it again."
            )
        shape = names.weights[module]
        up, down = up.flatten(1), down.flatten(1)
        if len(shape) == 5:
            side = shape[2]
            _check_size(up, down, shape[0] * shape[1] * side * side, key, file_name)
            change = (
                (up.float() @ down.float()).view(shape[0], shape[1], side, side, 1).mean(dim=-2, keepdim=True)
            )
            out[f"{module}.diff"] = change.to(up.dtype)
        else:
            _check_size(up, down, torch.Size(shape).numel(), key, file_name)
            out[f"{module}.lora_up.weight"], out[f"{module}.lora_down.weight"] = up, down
    return out


def biases_of_stable_lora(tensors: Mapping[str, torch.Tensor], names: LoraNames) -> dict[str, torch.Tensor]:
    """{our module: its trained bias}, the bias itself, not a change of it."""
    found = {
        names.module(key.removesuffix(".bias")): value
        for key, value in tensors.items()
        if key.endswith(".bias")
    }
    return {module: value for module, value in found.items() if module is not None}


def from_list(content: Sequence[torch.Tensor], names: LoraNames, file_name: str) -> dict[str, torch.Tensor]:
    """cloneofsimo's list [up, down, up, down, ...] as matrices by our module names.

    Raises ValueError when number and shapes fit no known choice of layers.
    """
    pairs = list(zip(content[::2], content[1::2], strict=False))
    for parts in LIST_TARGETS.values():
        modules = [core for name, core in names.diffusers.items() if any(part in name for part in parts)]
        for kinds in (
            (2, 3),
            (2, 3, 4, 5),
        ):  # linear layers alone (a temporal projection is one of theirs), or convolutions too
            chosen = [module for module in modules if len(names.weights[module]) in kinds]
            if len(content) == 2 * len(chosen) and all(
                _fits(up, down, names.weights[module])
                for (up, down), module in zip(pairs, chosen, strict=True)
            ):
                return {
                    f"{module}.lora_{kind}.weight": matrix
                    for (up, down), module in zip(pairs, chosen, strict=True)
                    for kind, matrix in (("up", up), ("down", down))
                }
    raise ValueError(
        f"'{printable(file_name)}' is a list of {len(content)} matrices, which fit the layers of this MODEL "
        "in no order that is known "
        f"({', '.join(LIST_TARGETS)}); it was trained on another network, or it is the text encoder's part."
    )


def _fits(up: torch.Tensor, down: torch.Tensor, shape: tuple[int, ...]) -> bool:
    rank = up.shape[1] if up.ndim > 1 else 0
    columns = torch.Size(shape[1:]).numel()
    return (
        up.ndim > 1
        and up.shape[0] == shape[0]
        and down.shape[0] == rank
        and down.flatten(1).shape[1] == columns
    )


def _check_size(up: torch.Tensor, down: torch.Tensor, size: int, key: str, file_name: str) -> None:
    if up.shape[1] != down.shape[0] or up.shape[0] * down.shape[1] != size:
        raise ValueError(
            f"'{printable(file_name)}': '{printable(key)}' {tuple(down.shape)} and its lora_B "
            f"{tuple(up.shape)} do not make a change of a layer with {size} "
            "weights; the LoRA was trained on another network."
        )
