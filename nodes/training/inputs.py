"""Types and inputs that several nodes of this folder have."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.tuning.decoder_training import DecoderRun
from ...host.tuning.run import TrainingRun
from ...host.tuning.run_folders import run_folder
from ...tuning.recipe import Recipe, RecipeOptions
from ..animatediff.inputs import MotionModule

TrainingClips = io.Custom("TRAINING_CLIPS")
TrainingOptions = io.Custom("TRAINING_OPTIONS")
MotionLora = io.Custom("MOTION_LORA")
CoreLora = io.Custom("LORA_MODEL")
"""ComfyUI's own type."""


MODEL_TOOLTIP = "The checkpoint, without the motion module; it is not changed."


def run_inputs(learning_rate: float, module: str = "", model: str = MODEL_TOOLTIP) -> list[io.Input]:
    """What every training node takes: the models, the clips, how long, how fast, and the run's name.

    module, model: tooltips; without the first there is no motion module.
    """
    return [
        io.Model.Input("model", tooltip=model),
        *([MotionModule.Input("motion_module", tooltip=module)] if module else []),
        TrainingClips.Input("clips", tooltip="From Training Clip, or Training Clips from Folder."),
        io.Conditioning.Input(
            "empty", tooltip="CLIP Text Encode of an empty text: seen where a clip's text is dropped."
        ),
        *recipe_inputs(learning_rate),
    ]


def recipe_inputs(learning_rate: float) -> list[io.Input]:
    """How long, how fast, from which chance, and the run's name."""
    return [
        io.Int.Input(
            "steps",
            default=300,
            min=1,
            max=1_000_000,
            tooltip="Updates of the weights. A run that is queued again with more goes on.",
        ),
        io.Float.Input(
            "learning_rate",
            default=learning_rate,
            min=1e-8,
            max=1.0,
            step=1e-6,
            round=False,
            tooltip="How large an update is. Lower it where the loss rises or the picture breaks.",
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=0xFFFFFFFFFFFFFFFF,
            control_after_generate=False,
            tooltip="Of the noise, the order of the clips and new weights. The same seed trains the same.",
        ),
        io.String.Input(
            "run_name",
            default="",
            tooltip=(
                "A name under which the state is kept in output/training, so that a stopped run goes on."
                " Empty = nothing is kept."
            ),
        ),
    ]


def weight_input() -> io.Input:
    """How much clips count."""
    return io.Float.Input(
        "weight",
        default=1.0,
        min=0.001,
        max=1000.0,
        step=0.01,
        tooltip="How much the loss of these clips counts, such as of a prior that is to be kept.",
    )


def rank_input() -> io.Input:
    """The rank of a LoRA."""
    return io.Int.Input(
        "rank",
        default=32,
        min=1,
        max=1024,
        tooltip="How much it can learn: 32 as in MotionDirector, 64 and more in published files.",
    )


def options_inputs() -> list[io.Input]:
    """The inputs that may be left alone."""
    return [
        io.Boolean.Input(
            "gradient_checkpointing",
            default=True,
            advanced=True,
            tooltip="Computes layers again in place of keeping them: far less memory, a third slower.",
        ),
        TrainingOptions.Input(
            "options", optional=True, tooltip="From Training Options; without it the usual values."
        ),
    ]


def training_run(
    clips, empty, steps, learning_rate, seed, run_name, gradient_checkpointing, options=None
) -> TrainingRun:
    """What these inputs say."""
    recipe = Recipe(steps=steps, learning_rate=learning_rate, seed=seed, **vars(options or RecipeOptions()))
    return TrainingRun(clips, empty, recipe, run_folder(run_name), gradient_checkpointing)


def decoder_run(
    images, num_frames, change_weight, steps, learning_rate, seed, run_name, gradient_checkpointing,
    options=None,
) -> DecoderRun:  # fmt: skip
    """What the inputs of Train Temporal Decoder say."""
    recipe = Recipe(steps=steps, learning_rate=learning_rate, seed=seed, **vars(options or RecipeOptions()))
    return DecoderRun(images, recipe, num_frames, change_weight, run_folder(run_name), gradient_checkpointing)


def run_outputs() -> list[io.Output]:
    """The loss curve and a sentence."""
    return [
        io.Image.Output("loss", tooltip="The loss of every step and its running mean, as a picture."),
        io.String.Output("STRING", tooltip="Steps, seconds, and the mean loss at first and at last."),
    ]
