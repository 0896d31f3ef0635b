"""Every temporal method on SD1.5 at full size: time of a step and memory, against the plain checkpoint.

Layers are new ones: an untrained layer computes what a trained one does. Plain steps and steps with a method
take turns, so that other work on the machine hits both. Ratios are time with the method / time without.
Memory is what the process holds more than before while layers are made, loaded and run (Linux, or a GPU).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .animatediff import positive
from .peak_memory import Peak
from .step_times import FRAMES, ratios, times_of

COLUMNS = {
    "step_ratio": "time ratio",
    "step_cpu_ratio": "ratio, cpu",
    "parameters": "parameters",
    "weights_mib": "weights, MiB",
    "more_mib": "memory, MiB",
}
"""What the table says of each number of a method."""


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object {method: {key of COLUMNS: number}} as the last line."""
    from ..motion_modules.methods import METHODS

    parser = argparse.ArgumentParser(prog="bench methods", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--size", type=positive, default=128, help="picture width and height in pixels (128)")
    parser.add_argument("--repeats", type=positive, default=2, help="measured steps of each kind (2)")
    parser.add_argument(
        "--only", nargs="+", choices=METHODS, default=list(METHODS), help="these methods (all)"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.only, options.size, options.repeats)
    if options.json:
        print(json.dumps(result))
    else:
        print_table(result, options.size)
    return result


def measure(folder: Path, names: list[str], size: int, repeats: int) -> dict[str, dict[str, float]]:
    """The numbers of each method on one loaded checkpoint."""
    import comfy.model_management

    from .full_size import load_sd15

    model, found = load_sd15(folder), {}
    for name in names:
        comfy.model_management.unload_all_models()
        give_memory_back()
        with Peak(model.load_device) as memory:
            found[name] = numbers_of(model, name, size, repeats)
        found[name]["more_mib"] = round(memory.more / 2**20, 1)
    return found


def give_memory_back() -> None:
    """What the method before has left goes back to the system: it would hide what this one takes."""
    gc.collect()  # modules and patchers that know each other
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library than glibc keeps what it keeps
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def numbers_of(model, name: str, size: int, repeats: int) -> dict[str, float]:
    """Time and weights of one method on a MODEL."""
    from ..host.injection import USE_EXISTING, MotionSettings, apply_motion_module
    from ..host.injection.motion_models import new_for_model

    module = new_for_model(model, name)
    if module.method.needs:
        module = replace(module, inputs=PlainInputs(name))
    weights = list(module.patcher.model.parameters())
    moving = apply_motion_module(model, module, MotionSettings(beta_schedule=USE_EXISTING))
    ratio = ratios(times_of(model, moving, size, repeats))
    return {
        "step_ratio": ratio["step_ratio"],
        "step_cpu_ratio": ratio["step_cpu_ratio"],
        "parameters": sum(weight.numel() for weight in weights),
        "weights_mib": round(sum(weight.numel() * weight.element_size() for weight in weights) / 2**20, 1),
    }


@dataclass(frozen=True)
class PlainInputs:
    """What a method needs besides its weights: a black image without a VAE, 8 frames per second, a camera
    that stands still.
    """

    method: str

    def for_run(self, model, shape: torch.Size, num_frames: int):
        from ..motion_modules.animatelcm_i2v import ReferenceImage
        from ..motion_modules.camera.condition import CameraCondition
        from ..motion_modules.camera.moves import moved
        from ..motion_modules.pia import PIAImage

        if self.method == "Frame rate embedding":
            return 8.0
        black = torch.zeros(1, *shape[1:])
        if self.method == "AnimateLCM-I2V":
            return ReferenceImage(black, num_frames)
        if self.method in ("CameraCtrl", "MotionCtrl"):
            return CameraCondition(moved("hold", num_frames, 1.0, 0.5, 1.0), shape[2:])
        return PIAImage(black, torch.ones(num_frames))


def print_table(result: dict, size: int) -> None:
    print(f"{FRAMES} frames of {size} px, SD1.5 at full size; medians")
    print(f"  {'':36}" + "".join(f"{title:>18}" for title in COLUMNS.values()))
    for name, numbers in result.items():
        print(f"  {name:36}" + "".join(f"{numbers[key]:>18}" for key in COLUMNS))
