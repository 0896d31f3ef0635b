"""Gradient checkpointing: layers of a network are computed again in the backward pass, and not kept.

A temporal method's acts stand around those layers, so they are computed again with them, and what they train
gets its gradients. (SimDA's published code leaves its adapters out there.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from comfy.ldm.modules.diffusionmodules.model import ResnetBlock
from comfy.ldm.modules.diffusionmodules.openaimodel import TimestepEmbedSequential
from torch import nn
from torch.utils.checkpoint import checkpoint

from ...motion_modules.call import running_again, running_forward


@contextlib.contextmanager
def layers_computed_again(network: nn.Module, wanted: bool = True) -> Iterator[None]:
    """Inside, each layer of a UNet's blocks, or each ResBlock of a VAE, keeps only what goes into it."""
    before = []
    try:
        for layer in list(_layers(network)) if wanted else ():
            before.append((layer, layer.__dict__.get("forward")))
            layer.forward = _again(layer.forward)
        yield
    finally:
        for layer, forward in before:
            if forward is None:
                del layer.forward
            else:
                layer.forward = forward


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    for block in network.modules():
        if isinstance(block, TimestepEmbedSequential):
            yield from block
        elif isinstance(block, ResnetBlock):
            yield block


def _again(forward: Callable) -> Callable:
    def computed(*args, **kwargs):
        # Core writes the number of each block into these options; the second time it is another one's.
        args = [dict(a) if isinstance(a, dict) else a for a in args]
        kwargs = {k: dict(a) if isinstance(a, dict) else a for k, a in kwargs.items()}
        mine = running_forward()  # a loss may be of several: windows, pictures beside a clip

        def of_mine(*args, **kwargs):
            with running_again(mine):
                return forward(*args, **kwargs)

        return checkpoint(of_mine, *args, use_reentrant=False, **kwargs)

    return computed
