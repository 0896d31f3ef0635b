"""What a run trains, made ready to be trained: weights of a module's own, or low-rank changes of layers.

Nothing of a MODEL changes: a module's weights are trained in a copy, and a low-rank change stands beside its
layer only while the run goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from torch import nn

from ...tuning.low_rank import LowRank
from ..injection.motion_models import MotionModule


@dataclass
class OwnWeights:
    """The weights of a temporal method's network, those that its training changes."""

    module: MotionModule
    """In float32, with a network that no other patcher has."""

    @classmethod
    def of(cls, module: MotionModule) -> OwnWeights:
        """A copy of a module, its MotionLoRAs merged, to be trained."""
        if module.patcher.patches:
            comfy.model_management.load_models_gpu([module.patcher], force_patch_weights=True)
        with torch.inference_mode(False):
            weights = {
                key: value.detach().to("cpu", torch.float32, copy=True)
                for key, value in module.patcher.model.state_dict().items()
            }
            network = module.method.build(module.config, operations=comfy.ops.manual_cast, device="meta")
            network.load_state_dict(weights, strict=True, assign=True)
            for name, parameter in network.named_parameters():
                parameter.requires_grad_(module.method.is_trained(name))
            # Not core's dynamic one: it computes with copies of the weights, which get no gradients.
            patcher = comfy.model_patcher.ModelPatcher(
                network.eval(), module.patcher.load_device, module.patcher.offload_device
            )
        return cls(replace(module, patcher=patcher))

    @property
    def networks(self) -> list[nn.Module]:
        """Whose parameters keep their gradients."""
        return [self.module.patcher.model]

    @contextlib.contextmanager
    def opened(self, device: torch.device) -> Iterator[dict[str, nn.Parameter]]:
        """The trained parameters by name, on the device that core has loaded them to."""
        named = self.module.patcher.model.named_parameters()
        yield {name: parameter for name, parameter in named if parameter.requires_grad}

    def finished(self) -> MotionModule:
        """The trained module, for graphs: its weights without gradients."""
        self.module.patcher.model.requires_grad_(False)
        return replace(self.module, is_untrained=False)


@dataclass
class LowRankWeights:
    """Low-rank changes of layers of a network. layers: their names; fused ones have three parts."""

    network: nn.Module
    layers: list[str]
    rank: int
    seed: int = 0
    fused: str = "to_qkv"
    networks = ()
    """None whose parameters keep their gradients."""
    changes: dict[str, LowRank] = field(default_factory=dict)

    def __post_init__(self):
        generator = torch.Generator().manual_seed(self.seed)
        with torch.inference_mode(False):  # what is made in it gets no gradients, and nodes run in it
            for name in self.layers:
                layer = self.network.get_submodule(name)
                parts = 3 if name.endswith(self.fused) else 1
                self.changes[name] = LowRank(layer.weight.shape, self.rank, parts, generator)

    @contextlib.contextmanager
    def opened(self, device: torch.device) -> Iterator[dict[str, nn.Parameter]]:
        """The trained parameters by name; inside, the layers compute with the changed weights."""
        before = []
        try:
            for name, change in self.changes.items():
                layer = self.network.get_submodule(name)
                before.append((layer, layer.weight_function))
                layer.weight_function = [*layer.weight_function, change.to(device)]
            yield {
                f"{name}.{part}": parameter
                for name, change in self.changes.items()
                for part, parameter in change.named_parameters()
            }
        finally:
            for layer, functions in before:
                layer.weight_function = functions
