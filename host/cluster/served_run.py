"""A sampling run in a worker, whose sampler does what the head asks for.

Everything that methods, hooks and ControlNets make ready for a run is made ready by core as in any run; only
the steps come from outside. So a window is evaluated here by the same code as there.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

import comfy.model_management
import comfy.samplers
import torch
from comfy.context_windows import IndexListContextWindow

from ..windows.batch import WindowBatch
from ..windows.controls import HintStore


@dataclass(frozen=True)
class RunInputs:
    """What the head's guider samples: conds as set_conds made them, by name; noise, latents and mask as they
    go into the run, on the CPU; noise levels from first to last.
    """

    conds: dict[str, list[dict]]
    noise: torch.Tensor
    latent_image: torch.Tensor
    sigmas: torch.Tensor
    denoise_mask: torch.Tensor | None
    seed: int | None
    cfg: float


@dataclass(frozen=True)
class WindowRequest:
    """One call of the network, or as many as memory needs. windows: their frames, of equal number. frames:
    all of them, once each; x: the latents of those. shape, strides: of the latents of all
    frames. kinds: which conds
    of the run each result is for, as (name, places), None where there are none. options: transformer_options
    that differ from those at the begin of the run.
    """

    windows: list[list[int]]
    overlap: int
    axis: int
    frames: list[int]
    x: torch.Tensor
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    timestep: torch.Tensor
    kinds: list[tuple[str, list[int]] | None]
    options: dict


class ServingSampler(comfy.samplers.Sampler):
    """Does the work that is put into its queue, until None comes; then it is done for good."""

    def __init__(self) -> None:
        self.work: queue.SimpleQueue[tuple[Future, Callable] | None] = queue.SimpleQueue()
        self.is_serving, self.is_over = Future(), False

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise,
        latent_image=None, denoise_mask=None, disable_pbar=False,
    ) -> torch.Tensor:  # fmt: skip
        if not self.is_serving.done():
            self.is_serving.set_result(None)
        hints = HintStore()
        while not self.is_over:
            item = self.work.get()
            if item is None:
                self.is_over = True
                break
            future, call = item
            try:
                future.set_result(call(model_wrap, extra_args["model_options"], hints))
            except BaseException as error:
                future.set_exception(error)
        return noise


class RunThread:
    """A thread that is there already, because none begins without memory. A worker that ends does not wait
    for it, as it would for that of a ThreadPoolExecutor.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Future, Callable, tuple]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, call: Callable, *arguments) -> Future:
        future: Future = Future()
        self._calls.put((future, call, arguments))
        return future

    def _work(self) -> None:
        while True:
            future, call, arguments = self._calls.get()
            try:
                future.set_result(call(*arguments))
            except BaseException as error:
                future.set_exception(error)


class ServedRun:
    """model: this worker's own. Raises what the run raises before its first step."""

    def __init__(self, model, inputs: RunInputs, thread: RunThread) -> None:
        self.sampler = ServingSampler()
        self.run = thread.submit(self._run, model, inputs)
        self._wait(self.sampler.is_serving)

    def _run(self, model, inputs: RunInputs) -> None:
        with torch.inference_mode():
            guider = comfy.samplers.CFGGuider(model)
            guider.original_conds = inputs.conds
            guider.set_cfg(inputs.cfg)
            guider.sample(
                inputs.noise, inputs.latent_image, self.sampler, inputs.sigmas, inputs.denoise_mask,
                disable_pbar=True, seed=inputs.seed,
            )  # fmt: skip

    def _wait(self, future: Future) -> object:
        """Its result, or the end of the run, which is an error here."""
        wait([future, self.run], return_when=FIRST_COMPLETED)
        if not future.done():
            self.run.result()
            raise RuntimeError("the run ended too early")
        return future.result()

    def windows(self, request: WindowRequest) -> list[list[torch.Tensor]]:
        """For each window its results, one for each kind."""
        future: Future = Future()
        self.sampler.work.put((future, lambda *run: evaluate(request, *run)))
        return self._wait(future)

    def end(self) -> None:
        self.sampler.work.put(None)
        wait([self.run])


def evaluate(
    request: WindowRequest, guider, model_options: dict, hints: HintStore
) -> list[list[torch.Tensor]]:
    """What `ContextWindowHandler.execute` does with a group of windows."""
    device = guider.model_patcher.load_device
    x = torch.empty_strided(request.shape, request.strides, dtype=request.x.dtype, device=device).zero_()
    frames = torch.tensor(request.frames, device=device)
    x.index_copy_(request.axis, frames, request.x.to(device))
    windows = [
        IndexListContextWindow(
            list(frames), request.axis, request.shape[request.axis], context_overlap=request.overlap
        )
        for frames in request.windows
    ]
    conds = [
        None if kind is None else [guider.conds[kind[0]][place] for place in kind[1]]
        for kind in request.kinds
    ]
    options = {
        **model_options,
        "transformer_options": {**model_options.get("transformer_options", {}), **request.options},
    }
    batch = WindowBatch(guider.inner_model, windows, conds, x, request.timestep.to(device), options, hints)
    with comfy.model_management.cuda_device_context(device):
        results = batch.evaluate(comfy.samplers._calc_cond_batch_outer)
    return [[result.cpu() for result in of_window] for of_window in results]
