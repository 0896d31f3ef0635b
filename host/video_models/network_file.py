"""A published video network's file: its tensors, the system that it is, and its weights put into a network.

What was read of a mapped file stays in memory until the mapping goes. Weights are therefore copied a part at
a time, and the file is mapped anew for every part.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch

from ...video_unets.file_shapes import FileShapes
from ...video_unets.formats import detect, network_weights, own_keys, shapes_of, unwrap
from ...video_unets.systems import Sampling, VideoSystem
from ..files.model_files import read_tensors, stays_in_file

_READ_AT_ONCE = 256 * 1024**2
"""Bytes of weights that are copied before the file is mapped anew."""


@dataclass(frozen=True)
class NetworkFile:
    """tensors: by the file's keys."""

    path: str
    tensors: Mapping[str, torch.Tensor]
    system: VideoSystem

    @cached_property
    def sampling(self) -> Sampling:
        """How this file's network is sampled."""
        return self.system.sampling(self.tensors)

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return os.path.basename(self.path)

    def network_shapes(self) -> FileShapes:
        """Keys and shapes of the network alone, without the prefix."""
        own = set(own_keys(self.system, self.tensors))
        shapes = shapes_of(self.tensors, self.name).without_prefix(self.system.prefix)
        return shapes.renamed(lambda key: key if key in own else None)


def read_network_file(path: str) -> NetworkFile:
    """Maps a file and finds out which system it is. Raises ValueError when it is no video network."""
    tensors = unwrap(read_tensors(path, mapped=True))
    system = detect(shapes_of(tensors, os.path.basename(path)))
    return NetworkFile(path, tensors, system if system.refine is None else system.refine(tensors))


def copy_weights(network: torch.nn.Module, file: NetworkFile, weights: Mapping[str, torch.Tensor]) -> None:
    """Copies a file's weights, {network's key: tensor}, into the network."""
    if not stays_in_file(file.path):
        network.load_state_dict(weights)
        return
    for keys in _parts(weights):
        part, _ = network_weights(file.system, unwrap(read_tensors(file.path, mapped=True)))
        network.load_state_dict({key: part[key] for key in keys}, strict=False)
        del part


def _parts(weights: Mapping[str, torch.Tensor]) -> Iterator[list[str]]:
    """Keys in groups of about _READ_AT_ONCE bytes, in the order of the file."""
    group: list[str] = []
    size = 0
    for key, value in weights.items():
        group.append(key)
        size += value.numel() * value.element_size()
        if size >= _READ_AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group
