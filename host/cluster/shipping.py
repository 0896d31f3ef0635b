"""Conditioning and latents as bytes: tensors as plain memory, ControlNets by the number of their wire.

Networks do not travel: a worker has its own.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence

import comfy.model_patcher
import comfy.sd
import torch

from ...cluster.messages import Unpickler, pack, unpack
from ...foreign_text import printable

HEAVY = (torch.nn.Module, comfy.model_patcher.ModelPatcher, comfy.sd.VAE, comfy.sd.CLIP)


class Unshippable(Exception):
    """Something that cannot travel; the message names it."""


def tensor_of(
    data: bytearray, dtype: torch.dtype, shape: tuple[int, ...], order: tuple[int, ...]
) -> torch.Tensor:
    """The tensor of its memory: a copy, which lies where torch wants tensors. order: its axes from the one
    with the longest stride on. Kernels may round by both.
    """
    if not data:
        return torch.empty(shape, dtype=dtype)
    lying = torch.frombuffer(data, dtype=dtype).reshape([shape[axis] for axis in order])
    return lying.permute([order.index(axis) for axis in range(len(shape))]).clone()


class Shipper(pickle.Pickler):
    """controls: the number of each control object, by its identity."""

    def __init__(self, file: io.BytesIO, protocol: int, controls: Mapping[int, int]) -> None:
        super().__init__(file, protocol)
        self.controls = controls

    def persistent_id(self, value: object) -> int | None:
        number = self.controls.get(id(value))
        if number is None and isinstance(value, HEAVY):
            raise Unshippable(printable(type(value).__name__))
        return number

    def reducer_override(self, value: object):
        if type(value) is not torch.Tensor or value.layout != torch.strided:
            return NotImplemented
        order = tuple(sorted(range(value.ndim), key=lambda axis: -value.stride(axis)))
        plain = value.detach().cpu().permute(order).contiguous()
        data = bytearray(plain.reshape(-1).view(torch.uint8).numpy()) if plain.numel() else bytearray()
        return tensor_of, (data, value.dtype, tuple(value.shape), order)


class Receiver(Unpickler):
    """controls: this side's control objects, by their numbers."""

    def __init__(self, data: bytes, sender: str, controls: Sequence[object]) -> None:
        super().__init__(data, sender)
        self.controls = controls

    def persistent_load(self, number: int) -> object:
        return self.controls[number]


def ship(value: object, controls: Mapping[int, int] | None = None) -> bytes:
    """A value as bytes. Raises Unshippable, which names what cannot travel."""
    try:
        return pack(value, Shipper, controls or {})
    except Unshippable:
        raise
    except Exception as error:  # local functions, locks, open files: whatever pickle says of them
        raise Unshippable(printable(error)) from error


def receive(data: bytes, controls: Sequence[object] = ()) -> object:
    """The value of such bytes."""
    return unpack(data, Receiver, controls)
