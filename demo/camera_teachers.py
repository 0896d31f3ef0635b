"""MotionLoRAs that teach camera control: what they change of a prediction, frame by frame as strong as a
curve of the camera wants.

A MotionLoRA goes its way evenly. With a strength for each frame, in place of one for all, it also goes a
curve that turns; several together go sideways and forwards. What they change says far more than a clip, whose
loss is mostly noise that nobody can predict (docs/measurements.md, "Camera curves").
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch

from ..motion_modules.animatediff.layers import MotionModel


class Teachers:
    """A finished module with MotionLoRAs on it. loras: stage -> its parameters as they are trained,
    `layer.up.part` and `layer.down.part`.

    It runs one clip at a time, for strengths are of frames.
    """

    def __init__(self, motion: MotionModel, loras: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
        self.motion, self.shares = motion, {}
        layers: dict[str, dict[str, torch.Tensor]] = {}
        kind = next(motion.parameters())
        for stage, parameters in loras.items():
            for name in {key.rsplit(".", 2)[0] for key in parameters}:
                ups = sorted(key for key in parameters if key.startswith(f"{name}.up."))
                parts = [parameters[key] @ parameters[key.replace(".up.", ".down.")] for key in ups]
                layers.setdefault(name, {})[stage] = torch.cat(parts).to(kind)
        for name, changes in layers.items():
            motion.get_submodule(name).register_forward_hook(self._hook(changes))

    def _hook(self, changes: Mapping[str, torch.Tensor]):
        def change(_layer, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
            """Of tokens (pixels, F, C)."""
            for stage, share in self.shares.items():
                if stage in changes and bool(share.any()):
                    output = output + (inputs[0] @ changes[stage].T) * share.to(output)[:, None]
            return output

        return change

    @contextlib.contextmanager
    def at(self, shares: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Within: with these strengths, stage -> (F,)."""
        self.shares = dict(shares)
        try:
            yield
        finally:
            self.shares = {}
