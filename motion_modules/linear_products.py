"""Linear layers of motion modules by the faster one of the two libraries that torch brings for the CPU.

torch multiplies float32 matrices with MKL, which takes its slower kernels on processors that Intel did not
make (AMD EPYC, Zen 5: 100 GFLOP/s a core). oneDNN, which torch has for convolutions, does not ask who made
them (225 GFLOP/s). Both round differently: their results differ as those of two processors do. Ours.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable

import torch
import torch.nn.functional as nnf
from torch.overrides import TorchFunctionMode

SMALLEST = 2**20
"""Multiplications from which on oneDNN is asked: below, what a call of it takes is more than it wins."""
WIN = 0.75
"""Of MKL's time that oneDNN may take. In between MKL is kept, so that small differences choose nothing."""


def fast_linear(x: torch.Tensor) -> contextlib.AbstractContextManager:
    """Inside, linear layers of tensors like x are products by oneDNN where that is the faster library.

    Nothing changes for other devices and dtypes, while gradients are recorded, and in torch.compile.
    """
    if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_grad_enabled():
        return contextlib.nullcontext()
    if torch.compiler.is_compiling() or not choice():
        return contextlib.nullcontext()
    return _ByOneDNN()


class _ByOneDNN(TorchFunctionMode):
    """Sees every call of torch's linear function, whichever class of layer makes it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is nnf.linear and not kwargs and _fits(*args):
            return _product(*args)
        return func(*args, **(kwargs or {}))


def _fits(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> bool:
    """Whether all are plain float32 tensors, and large. Quantised weights are of classes of their own."""
    tensors = [x, weight] if bias is None else [x, weight, bias]
    plain = all(type(t) in (torch.Tensor, torch.nn.Parameter) and t.dtype == torch.float32 for t in tensors)
    return plain and x.numel() * weight.shape[0] >= SMALLEST


def _product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


_told: list[bool] = []


def choice() -> bool:
    """Whether this process takes oneDNN."""
    return _told[0] if _told else _onednn_is_faster()


def choose(onednn: bool) -> None:
    """Takes the library that another process has: what is measured here may come out otherwise, and both
    round differently.
    """
    _told[:] = [onednn]


@functools.cache
def _onednn_is_faster() -> bool:
    """Measured once in a process, in a twentieth of a second."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return False
    x, weight = torch.ones(1024, 640), torch.ones(640, 640)
    ours, plain = ([], [])
    for _ in range(5):
        ours.append(_seconds(lambda: _product(x, weight)))
        plain.append(_seconds(lambda: nnf.linear(x, weight)))
    return min(ours) < WIN * min(plain)


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
