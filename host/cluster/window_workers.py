"""Windows of one video on workers: the head's side.

Noise, guidance, fusion, previews and cancelling stay here. A worker gets the conds once a run, and at each
step the latents of the frames of its windows. Results are added up in the order of the windows, so they are
those of a run without workers that evaluates as many windows in a call.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import comfy.model_management
import comfy.samplers
import torch
from comfy.context_windows import IndexListContextWindow
from comfy.patcher_extension import WrappersMP

from ...cluster.scheduler import Run
from ...cluster.worker import Worker
from ...foreign_text import printable
from ..sampling.reuse_deep_features import KEY as DEEP_FEATURES
from ..windows.handler import WINDOW_RUNS, ContextWindowHandler
from ..windows.patches import seen_by_the_network
from .control_nets import Controls
from .pools import WorkerSettings, end_workers, in_use, workers_of
from .prompt_part import Part
from .served_run import RunInputs, WindowRequest
from .shipping import Unshippable, receive, ship

KEY = "zoetrope_window_workers"


@dataclass(frozen=True)
class WindowWorkers:
    """What the node knows. parts: of the MODEL and of each CONTROL_NET in control_nets. seen: what the
    network's calls of the MODEL go through, by identity: a MODEL that was changed behind the node has others.
    """

    settings: WorkerSettings
    model: Part
    control_parts: tuple[Part, ...]
    control_nets: tuple[object, ...]
    seen: tuple = ()


def run_windows_on_workers(model, workers: WindowWorkers):
    """A clone of the MODEL whose context windows are evaluated by workers.

    Raises ValueError for a MODEL without Context Windows. Sampling raises ValueError where the workers cannot
    be had, lack a file or a node, or where the MODEL was changed behind this node.
    """
    model = model.clone()
    if not isinstance(model.model_options.get("context_handler"), ContextWindowHandler):
        raise ValueError(
            "Run Windows on Workers needs a MODEL with context windows; put the node Context Windows in front"
            " of it."
        )

    def outer_sample(executor, noise, latent_image, sampler, sigmas, denoise_mask=None, *args, **kwargs):
        guider, before = executor.class_obj, executor.class_obj.model_options
        seed = kwargs.get("seed", args[2] if len(args) > 2 else None)
        run = WindowRun(workers, guider, (noise, latent_image, sigmas, denoise_mask, seed))
        guider.model_options = {**before, WINDOW_RUNS: run}
        with in_use():
            try:
                return executor(noise, latent_image, sampler, sigmas, denoise_mask, *args, **kwargs)
            finally:
                guider.model_options = before
                run.end()

    def sampler_sample(executor, guider, sigmas, extra_args, *args, **kwargs):
        run = extra_args["model_options"].get(WINDOW_RUNS)
        if isinstance(run, WindowRun):
            run.base = dict(extra_args["model_options"].get("transformer_options", {}))
        return executor(guider, sigmas, extra_args, *args, **kwargs)

    for kind, wrapper in (
        (WrappersMP.OUTER_SAMPLE, outer_sample),
        (WrappersMP.SAMPLER_SAMPLE, sampler_sample),
    ):
        model.remove_wrappers_with_key(kind, KEY)
        model.add_wrapper_with_key(kind, KEY, wrapper)
    workers = WindowWorkers(
        workers.settings,
        workers.model,
        workers.control_parts,
        workers.control_nets,
        seen_by_the_network(model),
    )
    return model


class WindowRun:
    """One sampling run. inputs: noise, latents, noise levels, mask and seed as they go into it."""

    def __init__(self, workers: WindowWorkers, guider, inputs: tuple) -> None:
        self.workers, self.guider, self.inputs = workers, guider, inputs
        self.id, self.base = uuid.uuid4().hex, {}
        self.ready: Sequence[Worker] | None = None
        self.shared: object = None
        self.begun: set[int] = set()
        self.stays: str | None = None

    def results(
        self, groups: Sequence[list[IndexListContextWindow]], conds, x_in: torch.Tensor,
        timestep: torch.Tensor, model_options: dict, evaluate: Callable,
    ) -> Iterator[list[list[torch.Tensor]]]:  # fmt: skip
        """What `evaluate` gives for each group of windows, in their order; without workers where this run
        cannot leave here.
        """
        try:
            kinds = self._kinds(conds)
            options = self._changed(model_options.get("transformer_options", {}))
            ship(options)
            if self.stays is None and x_in.requires_grad:
                raise Unshippable("gradients through the network")
            if self.stays is None and self.ready is None:
                self._begin()
        except Unshippable as error:
            self._stay(str(error))
        if self.stays is not None:
            yield from map(evaluate, groups)
            return
        requests = _Requests(groups, x_in, timestep, kinds, options)
        run = Run(
            self.ready, range(len(groups)), lambda worker, number: self._submit(worker, requests[number]),
            local=lambda number: evaluate(groups[number]),
            check=comfy.model_management.throw_exception_if_processing_interrupted,
        )  # fmt: skip
        for result in run.results():
            yield receive(result) if isinstance(result, bytes) else result

    def _stay(self, why: str) -> None:
        if self.stays is None:
            logging.warning(f"Run Windows on Workers: this run stays here, for {why} cannot go to workers.")
        self.stays = why

    def _submit(self, worker: Worker, request: bytes):
        if id(worker) not in self.begun:
            self.begun.add(id(worker))
            worker.submit("begin", self.id, self.shared)
        return worker.submit("windows", self.id, request)

    def _begin(self) -> None:
        """Makes the workers ready. Raises Unshippable for what must stay here, ValueError for faults."""
        guider, workers = self.guider, self.workers
        patcher = guider.model_patcher
        if seen_by_the_network(patcher) != workers.seen:
            raise ValueError(
                "the MODEL was changed behind Run Windows on Workers, whose workers do not know of it; put"
                " the node last, directly in front of the sampler."
            )
        for name in ("sample", "outer_sample", "inner_sample"):
            if getattr(type(guider), name) is not getattr(comfy.samplers.CFGGuider, name):
                raise Unshippable(f"a run of the guider {printable(type(guider).__name__)}")
        if patcher.get_wrappers(WrappersMP.OUTER_SAMPLE, DEEP_FEATURES):
            raise Unshippable("what Reuse Deep Features keeps from step to step")
        conds = guider.original_conds
        controls = Controls((cond for kind in conds.values() for cond in kind), workers.control_nets)
        noise, latents, sigmas, mask, seed = self.inputs
        inputs = RunInputs(conds, noise, latents, sigmas, mask, seed, getattr(guider, "cfg", 1.0))
        check = comfy.model_management.throw_exception_if_processing_interrupted
        data = ship((workers.model, workers.control_parts, controls.found, ship(inputs, controls.numbers)))
        try:
            pool = workers_of(workers.settings)
            self.ready = pool.ready(check)
            self.shared = pool.share(data)
        except Exception:
            end_workers()  # the next run connects anew
            raise

    def _kinds(self, conds) -> list[tuple[str, list[int]] | None]:
        """Which conds of the run are asked for. Raises Unshippable for others."""
        known = {id(cond): (name, place) for name, kind in self.guider.conds.items()
                 for place, cond in enumerate(kind)}  # fmt: skip
        found: list = []
        for kind in conds:
            if kind is None:
                found.append(None)
                continue
            places = [known.get(id(cond)) for cond in kind]
            names = {place[0] for place in places if place is not None}
            if None in places or len(names) > 1:
                raise Unshippable("conds that are made anew at each step")
            found.append((names.pop() if names else "positive", [place for _, place in places]))
        return found

    def _changed(self, options: dict) -> dict:
        """What a sampler or guider has put into transformer_options since the begin of the run."""
        return {
            key: value
            for key, value in options.items()
            if not isinstance(self.base.get(key), dict | list) and self.base.get(key) is not value
        }

    def end(self) -> None:
        for worker in self.ready or ():
            if id(worker) in self.begun and worker.is_alive:
                worker.submit("end")


class _Requests:
    """The request of each group as bytes, made when it is asked for: one at a time takes memory."""

    def __init__(self, groups, x_in, timestep, kinds, options) -> None:
        self.groups, self.x_in, self.timestep = groups, x_in, timestep
        self.kinds, self.options = kinds, options

    def __getitem__(self, number: int) -> bytes:
        group, axis = self.groups[number], self.groups[number][0].dim
        frames = sorted({frame for window in group for frame in window.index_list})
        x = self.x_in.index_select(axis, torch.tensor(frames, device=self.x_in.device))
        return ship(
            WindowRequest(
                [list(window.index_list) for window in group],
                group[0].context_overlap,
                axis,
                frames,
                x,
                tuple(self.x_in.shape),
                self.x_in.stride(),
                self.timestep,
                self.kinds,
                self.options,
            )  # fmt: skip
        )
