"""Gradients through a MODEL whose weights were loaded where ComfyUI records none.

ComfyUI runs nodes in torch's inference mode, and a tensor made there cannot be kept for a backward pass.
Core's training copies the whole model instead. Here each weight is stood for by a tensor on the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def differentiable(modules: Iterable[torch.nn.Module]) -> Iterator[None]:
    """Opens torch's recording of gradients, in which modules give gradients to what goes into them.

    Their weights get none. Weights are as they were afterwards, whatever happens. Other tensors made where
    ComfyUI records none (prompts, values of nodes) are stood for too, wherever a function gets them.
    """
    with torch.inference_mode(False), torch.enable_grad():
        replaced = []
        try:
            for module in {id(part): part for whole in modules for part in whole.modules()}.values():
                for tensors in (module._parameters, module._buffers):
                    for name, tensor in tensors.items():
                        if tensor is not None:
                            replaced.append((tensors, name, tensor))
                            tensors[name] = _stand_in(tensor)
            # Behind the weights: inside, a tensor that is asked what it is answers for its stand-in. A
            # backward pass that computes layers again is outside of it, and has the weights' alone.
            with _Recordable():
                yield
        finally:
            for tensors, name, tensor in replaced:
                tensors[name] = tensor


def _stand_in(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor on the same memory that needs no gradients and may be kept for a backward pass."""
    if not tensor.is_inference() and not tensor.requires_grad:
        return tensor
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):  # quantized weights have no memory to share
        return tensor.detach().clone()
    same = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    same.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride())
    return torch.nn.Parameter(same, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else same


class _Recordable(TorchFunctionMode):
    """Functions of torch get what may be kept for a backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        """Of a tensor's id: the tensor, which keeps the id its own, and what stands for it."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = {} if kwargs is None else {name: self._of(value) for name, value in kwargs.items()}
        return function(*map(self._of, args), **kwargs)

    def _of(self, value):
        if isinstance(value, torch.Tensor) and value.is_inference():
            if id(value) not in self.known:
                self.known[id(value)] = value, _stand_in(value)
            return self.known[id(value)][1]
        if type(value) in (list, tuple):
            return type(value)(map(self._of, value))
        return value


def recordable(value):
    """Tensors in lists and dicts copied, so that they may be kept for a backward pass."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: recordable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(recordable, value))
    return value


def with_controls_beside(inner: Callable | None = None) -> Callable:
    """A model_function_wrapper around another, or around the network itself, in which what ControlNets add
    may have gradients beside it.
    """

    def call(apply_model: Callable, args: dict) -> torch.Tensor:
        if (control := args["c"].get("control")) is not None:
            args = {**args, "c": {**args["c"], "control": _beside(control)}}
        if inner is not None:
            return inner(apply_model, args)
        return apply_model(args["input"], args["timestep"], **args["c"])

    return call


class _Beside(torch.Tensor):
    """What a ControlNet adds: core adds it in place, to features that layers have kept for their gradient."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            plain = [arg.as_subclass(torch.Tensor) if isinstance(arg, cls) else arg for arg in args]
            function = torch.Tensor.add if function is torch.Tensor.add_ else function
            return function(*plain, **(kwargs or {}))


def _beside(control: dict[str, list]) -> dict[str, list]:
    """What ControlNets add to each block, a list for each kind of block, so that a sum is a new tensor."""
    return {
        kind: [None if added is None else added.as_subclass(_Beside) for added in of_kind]
        for kind, of_kind in control.items()
    }
