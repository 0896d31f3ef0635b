"""Acts around the layers of a network, which is not changed: where a temporal method does its work.

A point is the path of a module inside a network
(`input_blocks.1.1`, `...attn1`). An act stands around its forward:

    def act(call, inner, x, *args):             # call: motion_modules.call.Call
        return call.add(x := inner(x, *args), layer(x))

Acts of several methods at one point nest: the one put on later is outside, and its `inner` is the one before.
Outside of a forward, and where its method is idle, a point is the plain layer.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn

from ..foreign_text import printable
from .call import Call, Forward, in_forward, running_forward

Act = Callable[..., Any]
"""act(call, inner, *args, **kwargs) -> what the layer puts out."""
Acts = Mapping[str, Act]
"""Path of a module -> what is done around it."""
Resolve = Callable[[Forward], Call | None]
"""What a method makes of a forward; None where it is idle."""


class Applied:
    """One method put on one network: resolves each forward once, and holds nothing of it."""

    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve

    def call(self) -> Call | None:
        """The running forward as this method sees it; None outside of one and where the method is idle."""
        forward = running_forward()
        if forward is None:
            return None
        if self not in forward.calls:
            forward.calls[self] = self.resolve(forward)
        return forward.calls[self]


class Point:
    """The forward of one module with an act around it. inner:
    the forward that was there before, plain or another Point.
    """

    def __init__(self, path: str, inner: Callable, act: Act, applied: Applied) -> None:
        self.path, self.inner, self.act, self.applied = path, inner, act, applied

    def __call__(self, *args, **kwargs):
        call = self.applied.call()
        if call is None:
            return self.inner_of(running_forward())(*args, **kwargs)
        return self.act(call.at(self.path), self.inner_of(call.forward), *args, **kwargs)

    def inner_of(self, forward: Forward | None) -> Callable:
        """The inner forward, on the network that is running:
        core gives each GPU a copy, and hands it the same patches.
        """
        owner = getattr(self.inner, "__self__", None)
        if forward is None or not isinstance(owner, nn.Module):
            return self.inner
        running = _module_at(forward.network, self.path)
        return self.inner if running is owner else functools.partial(self.inner.__func__, running)


def _module_at(network: nn.Module, path: str) -> nn.Module:
    for name in path.split("."):
        network = network._modules[name]
    return network


@contextlib.contextmanager
def inject(network: nn.Module, acts: Acts, resolve: Resolve) -> Iterator[None]:
    """Inside, every forward of `network` runs with the acts: for training, and wherever no ModelPatcher is.

    The network's forward is forward(x, ..., transformer_options=dict);
    x (N, C, H, W). Raises ValueError for a path that it lacks.
    """
    applied = Applied(resolve)
    plain: list[tuple[nn.Module, Any]] = []

    def put(module: nn.Module, forward: Callable) -> None:
        plain.append((module, module.__dict__.get("forward")))
        module.forward = forward

    def entered(inner: Callable) -> Callable:
        def forward(x, *args, **kwargs):
            options = kwargs.setdefault("transformer_options", {})
            with in_forward(network, x.shape[0], options, tuple(x.shape[2:])):
                return inner(x, *args, **kwargs)

        return forward

    try:
        for path, act in acts.items():
            module = module_of(network, path)
            put(module, Point(path, module.forward, act, applied))
        put(network, entered(network.forward))
        yield
    finally:
        for module, before in reversed(plain):
            if before is None:
                del module.forward
            else:
                module.forward = before


def module_of(network: nn.Module, path: str) -> nn.Module:
    """The module of a network at a path. Raises ValueError where there is none."""
    try:
        return network.get_submodule(path)
    except AttributeError as error:
        raise ValueError(
            f"this network ({type(network).__name__}) has no layer '{printable(path)}'; use a method that was"
            " made for this kind of network."
        ) from error
