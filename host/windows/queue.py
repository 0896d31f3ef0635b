"""Windows over a queue of frames: the frames at hand are a part of a longer video, each with a noise level of
its own, and of each window only the last frames are taken.

What belongs to frames (prompts, hints, masks, values) is found by their numbers in the video.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from comfy.context_windows import ContextHandlerABC, IndexListContextWindow

from .batch import WindowBatch
from .conds import BATCH_AXIS, window_conds
from .controls import HintStore


class QueueWindow(IndexListContextWindow):
    """A window of some places of a queue; index_list has the numbers of its frames in the video."""

    def __init__(self, places: Sequence[int], frames: Sequence[int], total_frames: int):
        super().__init__([frames[place] for place in places], BATCH_AXIS, total_frames)
        self.places = list(places)

    def get_tensor(self, full: torch.Tensor, device=None, dim=None, retain_index_list=()) -> torch.Tensor:
        """The rows of the window out of those of the queue."""
        return full[self.places].to(device)


@dataclass(frozen=True)
class QueuePart:
    """places: of a window in the queue, of which the last `written` are taken."""

    places: Sequence[int]
    written: int


class QueueHandler(ContextHandlerABC):
    """Evaluates the conds of a queue window by window, where ComfyUI looks for a handler of windows.

    frames: the number of each row of the queue in the video of total_frames.
    """

    def __init__(
        self, parts: Sequence[QueuePart], frames: Sequence[int], total_frames: int, hints: HintStore
    ):
        super().__init__()
        self.parts, self.frames, self.total_frames, self.hints = parts, frames, total_frames, hints

    @property
    def is_one_call(self) -> bool:
        """Whether all rows are one window."""
        return len(self.parts) == 1

    def should_use_context(self, model, conds, x_in, timestep, model_options) -> bool:
        return True

    def get_resized_cond(self, cond_in, x_in, window, device=None):
        """The conds of one window, without their ControlNets' hints; for other code that asks for them."""
        return None if cond_in is None else window_conds(cond_in, window, x_in)

    def execute(self, calc_cond_batch: Callable, model, conds, x_in, timestep, model_options):
        """The results of all rows, one tensor like x_in for each list of conds; rows that no window takes are
        as they are in x_in.
        """
        results = [x_in.clone() for _ in conds]
        for part in self.parts:
            window = QueueWindow(part.places, self.frames, self.total_frames)
            batch = WindowBatch(model, [window], conds, x_in, timestep, model_options, self.hints)
            (of_window,) = batch.evaluate(calc_cond_batch)
            rows = list(part.places)[-part.written :]
            for result, new in zip(results, of_window, strict=True):
                result[rows] = new[-part.written :].to(result)
        return results
