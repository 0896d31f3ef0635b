"""Training Options: the numbers of a training run that are seldom changed."""

from __future__ import annotations

from comfy_api.latest import io

from ...tuning.objectives import LOSSES
from ...tuning.optimisers import OPTIMISERS
from ...tuning.rates import RATE_SCHEDULES
from ...tuning.recipe import RecipeOptions
from ..base import ZoetropeNode
from .inputs import TrainingOptions


class SetTrainingOptions(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetTrainingOptions",
            display_name="Training Options",
            category="Zoetrope/Training",
            description="Optimizer, learning-rate schedule, averages, losses and chances of a training run.",
            search_aliases=["optimizer", "learning rate schedule", "EMA", "debiased", "训练选项", "优化器"],
            inputs=[*_optimiser_inputs(), *_loss_inputs()],
            outputs=[TrainingOptions.Output("TRAINING_OPTIONS", tooltip="Goes into a training node.")],
        )

    @classmethod
    def execute(cls, **options) -> io.NodeOutput:
        return io.NodeOutput(RecipeOptions(**options))


def _part(name: str, default: float, tooltip: str, **more) -> io.Float.Input:
    bounds = {"min": 0.0, "max": 1.0, "step": 0.01, **more}
    return io.Float.Input(name, default=default, tooltip=tooltip, round=False, **bounds)


def _optimiser_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "optimizer",
            options=list(OPTIMISERS),
            tooltip="AdamW as in the references; 8-bit needs the package bitsandbytes and a GPU.",
        ),
        io.Combo.Input(
            "rate_schedule",
            options=list(RATE_SCHEDULES),
            tooltip="How the learning rate goes over the run; linear and cosine end at 0.",
        ),
        io.Int.Input(
            "warmup_steps", default=0, min=0, max=100_000, tooltip="Steps in which the learning rate rises."
        ),
        _part("weight_decay", 0.01, "Draws weights to 0; 0.01 as published."),
        io.Int.Input(
            "clips_per_step",
            default=1,
            min=1,
            max=1024,
            tooltip="Clips of which an update takes the mean; one after the other, in the memory of one.",
        ),
        _part(
            "clip_norm",
            1.0,
            "The largest norm of an update's gradients. 0 = any.",
            max=1000.0,
            display_name="clip_norm (0 = any)",
        ),
        _part("ema", 0.0, "Decay of an average of the weights, which is the result. 0 = off.", max=0.99999),
    ]


def _loss_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "loss",
            options=LOSSES,
            tooltip="What the error is counted in; as the model was trained fits every model.",
        ),
        _part(
            "debias",
            0.0,
            "How much what differs between frames counts besides: 1 = MotionDirector's debiased loss.",
            max=100.0,
        ),
        _part("text_dropout", 0.1, "Part of the clips that are seen without their text; keeps cfg working."),
        _part("flip", 0.0, "Part of the clips that are mirrored; 0 where left and right matter."),
        _part(
            "single_frames",
            0.0,
            "Part of the clips that are seen as single pictures: 1 = only what things look like, about 0.5 ="
            " Dreamix's mixed tuning. 0 = off.",
            display_name="single_frames (0 = off)",
        ),
        io.Int.Input(
            "sample_every",
            display_name="sample_every (0 = off)",
            default=0,
            min=0,
            max=1_000_000,
            tooltip="Steps between two clips that are sampled and shown in the preview of the run. 0 = off.",
        ),
        io.Int.Input(
            "image_frames",
            display_name="image_frames (0 = off)",
            default=0,
            min=0,
            max=1024,
            tooltip=(
                "Random frames of another clip that are seen as pictures beside each clip: Video Diffusion"
                " Models' joint training keeps single pictures good. 0 = off."
            ),
        ),
    ]
