"""Values over frames in a sampling run: which of them a forward gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ...frame_values import FrameValues, Placed
from ...motion_modules.call import Forward


@dataclass(frozen=True)
class RunValues:
    """sigmas: the noise level that each start_percent of the values stands for. num_frames: of one video of
    the run. size: (H, W) of its latents.
    """

    values: FrameValues
    sigmas: Mapping[float, float]
    num_frames: int
    size: tuple[int, int]

    def placed(self, forward: Forward) -> Placed:
        """The values of the images of a forward: in context windows those of the window's frames.

        Raises ValueError for a mask where the network gets a part of the picture.
        """
        values = self.values.at(lambda start: forward.sigma is None or forward.sigma <= self.sigmas[start])
        if values.shape[1:] != (1, 1) and forward.size != self.size:
            raise ValueError(
                f"a mask of values is for latents of {self.size}, the network got a part of {forward.size}; "
                "limit a prompt by a mask (Conditioning Set Mask), not by an area."
            )
        frames = torch.tensor(forward.frame_numbers()) % self.num_frames
        return Placed(values[frames.clamp(max=len(values) - 1)], forward.size)


def values_in_run(
    values: float | FrameValues, name: str, model, num_frames: int, size: tuple[int, int]
) -> float | RunValues:
    """Values made ready for a run on a MODEL. Raises ValueError for another number of frames."""
    if not isinstance(values, FrameValues):
        return values
    values.check_length(num_frames, name)
    sampling = model.get_model_object("model_sampling")
    starts = (key.start_percent for key in values.keys)
    sigmas = {start: float(sampling.percent_to_sigma(start)) for start in starts}
    return RunValues(values, sigmas, num_frames, size)


def in_forward(values: float | RunValues, forward: Forward) -> float | Placed:
    """The number, or the values of the images of a forward."""
    return values.placed(forward) if isinstance(values, RunValues) else values
