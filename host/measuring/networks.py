"""Networks of metrics as ComfyUI models: files of models/metrics, read as plain tensors only."""

from __future__ import annotations

import os
from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import torch

from ...foreign_text import printable
from ...metrics.networks.files import KINDS, NetworkKind, network_of
from ...motion_modules.file_tensors import plain_tensors
from ..files.model_files import METRIC_NETWORKS, find_model_file, missing_file_message, read_tensors


@dataclass(frozen=True)
class MetricNetwork:
    """What travels on a METRIC_NETWORK link: a network that ComfyUI moves to the device, and its file's
    name.
    """

    patcher: comfy.model_patcher.ModelPatcher
    kind: NetworkKind
    name: str

    def __call__(self, values: torch.Tensor):
        """What the network makes of values in float32, on the CPU."""
        comfy.model_management.load_models_gpu([self.patcher])
        with torch.inference_mode():
            made = self.patcher.model(values.to(self.patcher.load_device, torch.float32))
        return tuple(part.cpu() for part in made) if isinstance(made, tuple) else made.cpu()


def missing_network_message(name: str | None) -> str:
    """What to tell a person whose file is not there: file, folder, and where people get it. Empty when
    it is.
    """
    message = missing_file_message(METRIC_NETWORKS, name)
    if not message:
        return ""
    known = [kind for kind in KINDS.values() if kind.file == os.path.basename(name)] or KINDS.values()
    return f"{message} It comes from: {'; '.join(f'{kind.file}: {kind.source}' for kind in known)}."


def load_metric_network(name: str) -> MetricNetwork:
    """Loads a file of models/metrics. Raises ValueError when it is missing, damaged or another."""
    if message := missing_network_message(name):
        raise ValueError(message)
    return metric_network_from_file(find_model_file(METRIC_NETWORKS, name))


def metric_network_from_file(path: str) -> MetricNetwork:
    """Loads a network by path. Raises ValueError for a damaged file, one with code in it, or another one."""
    name = os.path.basename(path)
    kind, network = network_of(plain_tensors(read_tensors(path)), name)
    patcher = comfy.model_patcher.ModelPatcher(
        network,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    return MetricNetwork(patcher, kind, name)


def check_kind(network: MetricNetwork | None, kind: str, socket: str) -> None:
    """Raises ValueError for a network of another kind than a socket takes; none is fine."""
    if network is not None and not network.kind.name.startswith(kind):
        usual = KINDS[kind]
        raise ValueError(
            f"{socket} takes {usual.description}; '{printable(network.name)}' is {network.kind.description}."
            f" Wire Load Metric Network with {usual.file}."
        )
