"""Evaluation of context windows: several of them in one call of the network where memory allows.

ComfyUI's own batching of conds does the work. It gets one list of conds for each window and kind (positive,
negative, ...), the latents of the first window for their shape, and stacks as many chunks as fit into memory.
Just before a ControlNet or the network is called, each chunk gets the latents of its own window, found by the
identity that was given to its cond. So areas, masks, hooks, memory checks and several GPUs stay ComfyUI's
business, and the network sees len(cond_or_uncond) chunks as always.

Two windows A = frames 0..15, B = 12..27, positive and negative prompt, all in one call of the network:

    conds given to core     [A pos, A neg, B pos, B neg]     kinds 0 1 2 3, one identity each
    what core stacks        64 rows, all with A's latents    cond_or_uncond [3, 2, 1, 0]
    what the network gets   [B, B, A, A], 16 rows each       cond_or_uncond [1, 0, 1, 0] (kind modulo 2)
    what comes back         [[A pos, A neg], [B pos, B neg]]
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import comfy.model_management
import torch
from comfy.context_windows import IndexListContextWindow
from comfy.samplers import add_area_dims

from .conds import BATCH_AXIS, window_conds
from .controls import (
    HintStore,
    control_chain,
    finds_its_frames,
    hint_count,
    hints_of_frames,
    selects_frames_itself,
)
from .patches import frame_numbers


class BatchedContextWindow(IndexListContextWindow):
    """What transformer_options["context_window"] is while chunks
    of several windows are evaluated in one call.

    windows has the window of each chunk, in the order of the
    chunks; index_list the frames of all of them one after another.
    """

    def __init__(self, windows: list[IndexListContextWindow]):
        frames = [frame for window in windows for frame in window.index_list]
        first = windows[0]
        super().__init__(frames, first.dim, first.total_frames, context_overlap=first.context_overlap)
        self.windows = windows


@dataclass
class Chunk:
    """One cond of one window: what is needed to give it its latents when its turn comes."""

    window: IndexListContextWindow
    latents: torch.Tensor
    area: tuple | None


class WindowedControl:
    """Stands for a control object while windows are evaluated:
    gives each chunk its latents and its frames' hints.

    Anything else that is asked of it is answered by the control object itself.
    """

    def __init__(self, control, batch: WindowBatch):
        self._control = control
        self._batch = batch

    def __getattr__(self, name: str):
        return getattr(self._control, name)

    def get_instance_for_device(self, device):
        return WindowedControl(self._control.get_instance_for_device(device), self._batch)

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        batch = self._batch
        chunks = batch.chunks_of(transformer_options)
        options = batch.options_of(chunks, transformer_options)
        x = batch.latents_of(chunks, x_noisy)
        if batch.frame_axis != BATCH_AXIS:  # more than one hint has been refused
            return self._control.get_control(x, t, cond, batched_number, options)
        windows = [chunk.window for chunk in chunks]
        if all(window is windows[0] for window in windows) and any(
            map(selects_frames_itself, control_chain(self._control))
        ):
            frames = windows[0].index_list
        else:
            frames = [frame for window in windows for frame in window.index_list]
        with hints_of_frames(self._control, frames, windows[0].total_frames, x, batch.hints):
            return self._control.get_control(x, t, cond, batched_number, options)


def _may_share_calls(control) -> bool:
    """Whether a control object gives each chunk of a call what it would give it alone."""
    return type(control).__module__ == "comfy.controlnet" or finds_its_frames(control)


@dataclass
class WindowBatch:
    """The evaluation of some windows of equal length at one point of the sampling:
    x_in are the latents of all frames.
    """

    model: object
    windows: list[IndexListContextWindow]
    conds: list[list[dict] | None]
    x_in: torch.Tensor
    timestep: torch.Tensor
    model_options: dict
    hints: HintStore
    chunks: dict[uuid.UUID, Chunk] = field(default_factory=dict)
    controls: dict[tuple, WindowedControl] = field(default_factory=dict)

    @property
    def frame_axis(self) -> int:
        return self.windows[0].dim

    def evaluate(self, calc_cond_batch: Callable) -> list[list[torch.Tensor]]:
        """For each window its results, one for each list of conds,
        with the window's frames on the frame axis.
        """
        latents = [window.get_tensor(self.x_in) for window in self.windows]
        conds = [
            self._conds_of(kind, cond, window, x)
            for window, x in zip(self.windows, latents, strict=True)
            for kind, cond in enumerate(self.conds)
        ]
        timestep = self.timestep
        if self.frame_axis == BATCH_AXIS and timestep.shape[0] == self.x_in.shape[0]:
            timestep = self.windows[0].get_tensor(timestep, dim=0)
        options = {
            **self.model_options,
            "transformer_options": {**self.model_options.get("transformer_options", {})},
        }
        options["transformer_options"]["context_window"] = self._shown_window(self.windows)
        if len(self.windows) == 1:
            options["transformer_options"]["ad_params"] = frame_numbers(self.windows[0])
        options["model_function_wrapper"] = self._call_model
        results = calc_cond_batch(self.model, conds, latents[0], timestep, options)
        kinds = len(self.conds)
        return [results[start : start + kinds] for start in range(0, len(results), kinds)]

    def _conds_of(
        self, kind: int, conds: list[dict] | None, window: IndexListContextWindow, latents: torch.Tensor
    ):
        if conds is None:
            return None
        result = window_conds(conds, window, self.x_in, self.model)
        for place, cond in enumerate(result):
            # The same cond of the same window has the same identity at every step,
            # so caches that go by it keep windows apart.
            cond["uuid"] = uuid.uuid5(cond["uuid"], f"{kind} {place} {window.index_list}")
            self.chunks[cond["uuid"]] = Chunk(window, latents, cond.get("area"))
            if cond.get("control") is not None:
                cond["control"] = self._control_of(cond["control"], window)
        return result

    def _control_of(self, control, window: IndexListContextWindow) -> WindowedControl:
        """Conds with the same control object here are evaluated together;
        foreign classes get their windows one by one.
        """
        for part in control_chain(control):
            if self.frame_axis != BATCH_AXIS and hint_count(part) > 1:
                raise ValueError(
                    f"a ControlNet with {hint_count(part)} hint images cannot be divided into windows along"
                    " the time axis of video latents; give it a single image, or use a model whose frames"
                    " are the batch."
                )
        together = all(map(_may_share_calls, control_chain(control)))
        key = (id(control), None if together else tuple(window.index_list))
        if key not in self.controls:
            self.controls[key] = WindowedControl(control, self)
        return self.controls[key]

    def _shown_window(self, windows: list[IndexListContextWindow]) -> IndexListContextWindow:
        same = all(window is windows[0] for window in windows)
        return windows[0] if same else BatchedContextWindow(windows)

    def chunks_of(self, transformer_options: dict) -> list[Chunk]:
        """The chunks of one call of the network, in the order of the batch."""
        return [self.chunks[identity] for identity in transformer_options["uuids"]]

    def options_of(self, chunks: list[Chunk], transformer_options: dict) -> dict:
        """The transformer_options of one call:
        kinds of conds (0 positive, 1 negative, ...) and window as without batching.
        """
        return {
            **transformer_options,
            "cond_or_uncond": [kind % len(self.conds) for kind in transformer_options["cond_or_uncond"]],
            "context_window": self._shown_window([chunk.window for chunk in chunks]),
        }

    def latents_of(self, chunks: list[Chunk], stand_in: torch.Tensor) -> torch.Tensor:
        """The latents of the chunks, stacked, in place of the stand-in that ComfyUI has stacked."""
        if len(self.windows) == 1:
            return stand_in
        parts = []
        for chunk in chunks:
            part = chunk.latents
            if chunk.area is not None:
                sizes = stand_in.shape[2:]
                starts = add_area_dims(list(chunk.area), len(sizes))[-len(sizes) :]
                for dim, (start, size) in enumerate(zip(starts, sizes, strict=True), start=2):
                    part = part.narrow(dim, start, size)
            parts.append(part)
        return torch.cat(parts).to(stand_in.device)

    def _call_model(self, apply_model: Callable, args: dict) -> torch.Tensor:
        comfy.model_management.throw_exception_if_processing_interrupted()
        options = args["c"]["transformer_options"]
        chunks = self.chunks_of(options)
        x = self.latents_of(chunks, args["input"])
        options = self.options_of(chunks, options)
        c = {**args["c"], "transformer_options": options}
        inner = self.model_options.get("model_function_wrapper")
        if inner is None:
            return apply_model(x, args["timestep"], **c)
        return inner(
            apply_model,
            {"input": x, "timestep": args["timestep"], "c": c, "cond_or_uncond": options["cond_or_uncond"]},
        )
