"""What the training nodes do: temporal layers of any method, and MotionLoRAs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file

from ...foreign_text import printable
from ...motion_modules.animatediff.layers import MotionModel
from ...motion_modules.animatediff.motion_lora import LowRankChange, published_motion_lora
from ..files.output_names import write_to_output
from ..injection.camera import CameraMove
from ..injection.motion import apply_motion_module
from ..injection.motion_loras import add_changes
from ..injection.motion_models import MotionModule
from ..injection.settings import MotionSettings
from .run import TrainingRun, TrainingSampler, train
from .trained_weights import LowRankWeights, OwnWeights

LORA_LAYERS = {
    "attention": ("to_qkv", "to_out.0"),
    "attention and feed-forward": ("to_qkv", "to_out.0", "net.0.proj", "net.2"),
}
"""name -> ends of the names of the layers. The first are those of the published MotionLoRAs, the second
MotionDirector's.
"""


@dataclass(frozen=True)
class TrainedMotionLora:
    """What travels on a MOTION_LORA link: changes of a motion module, and what they were made by."""

    changes: tuple[LowRankChange, ...]
    metadata: dict[str, str]


def train_temporal_layers(
    model, motion_module: MotionModule, run: TrainingRun
) -> tuple[MotionModule, TrainingSampler]:
    """A trained copy of a module, on a MODEL that it fits; both stay as they are.

    Raises ValueError as `apply_motion_module` and `train` do.
    """
    _refuse_flips_of_inputs(motion_module, run)
    weights = OwnWeights.of(motion_module)
    applied = apply_motion_module(model, weights.module, MotionSettings())
    sampler = train(applied, weights, run, f"{motion_module.method.name} {motion_module.name}")
    return weights.finished(), sampler


def train_motion_lora(
    model, motion_module: MotionModule, run: TrainingRun, rank: int, layers: str
) -> tuple[MotionModule, TrainedMotionLora, TrainingSampler]:
    """The module with a new MotionLoRA on it, the LoRA itself, and the run; the module given stays as it is.

    Raises ValueError for a module of another method than AnimateDiff's, and as `train` does.
    """
    network = motion_module.patcher.model
    if not isinstance(network, MotionModel):
        raise ValueError(
            f"a MotionLoRA changes AnimateDiff's modules, '{printable(motion_module.name)}' is a module of"
            f" {printable(motion_module.method.name)}; train its own layers with Train Temporal Layers."
        )
    _refuse_flips_of_inputs(motion_module, run)
    ends = LORA_LAYERS[layers]
    names = [name for name, _ in network.named_modules() if name.endswith(ends)]
    weights = LowRankWeights(network, names, rank, run.recipe.seed)
    applied = apply_motion_module(model, motion_module, MotionSettings())
    sampler = train(applied, weights, run, f"MotionLoRA, rank {rank}, {layers}, on {motion_module.name}")
    changes = tuple(
        LowRankChange(f"{name}.weight", part if name.endswith(weights.fused) else None, up, down)
        for name, change in weights.changes.items()
        for part, (up, down) in enumerate(change.pairs())
    )
    trained = TrainedMotionLora(changes, metadata_of(run, motion_module))
    return add_changes(motion_module, list(changes), "new MotionLoRA", 1.0), trained, sampler


def _refuse_flips_of_inputs(motion_module: MotionModule, run: TrainingRun) -> None:
    """Raises ValueError where clips are mirrored and the image or the camera of a module is not."""
    if run.recipe.flip and isinstance(motion_module.inputs, CameraMove):
        raise ValueError(
            f"flip={run.recipe.flip:g} mirrors clips, but not the camera that"
            f" '{printable(motion_module.name)}' was given; set flip to 0."
        )


def metadata_of(run: TrainingRun, motion_module: MotionModule) -> dict[str, str]:
    """What a file says of how it was made."""
    recipe = ", ".join(f"{name}={value}" for name, value in vars(run.recipe).items())
    return {"module": motion_module.name, "recipe": recipe, "clips": run.clips.fingerprint()}


def save_motion_lora(lora: TrainedMotionLora, filename_prefix: str) -> Path:
    """Writes a MotionLoRA under AnimateDiff's key names, in float32, below output/; see write_to_output."""
    tensors = published_motion_lora(lora.changes)
    return write_to_output(
        filename_prefix, ".safetensors", lambda path: save_file(tensors, path, lora.metadata)
    )
