"""Oscillating guidance on a MODEL: the guider's own scale is another one at every other step.

The scale is changed, not the guidance function (of which a MODEL has one): Guidance over Frames, both Rescale
nodes and everything behind them see the scale of the step, and core leaves out the negative prompt in the
steps whose scale is 1.
"""

from __future__ import annotations

from comfy.patcher_extension import WrappersMP

from ...samplers.oscillating_guidance import OscillationSettings, guidance_of_step
from .guiders import check_one_scale
from .steps import step_of

KEY = "zoetrope_oscillating_guidance"


def oscillate_guidance(model, settings: OscillationSettings):
    """A clone of the MODEL whose guidance alternates; oscillation set earlier is replaced.

    Sampling raises ValueError with a guider that has no scale, or two.
    """

    def predict_noise(executor, x, timestep, model_options, seed):
        guider = executor.class_obj
        high = guider.cfg
        guider.cfg = guidance_of_step(settings, step_of(timestep, model_options), high)
        try:
            return executor(x, timestep, model_options, seed)
        finally:
            guider.cfg = high

    model = model.clone()
    for kind, wrapper in (
        (WrappersMP.PREDICT_NOISE, predict_noise),
        (WrappersMP.OUTER_SAMPLE, _check_guider),
    ):
        model.remove_wrappers_with_key(kind, KEY)
        model.add_wrapper_with_key(kind, KEY, wrapper)
    return model


def _check_guider(executor, *args, **kwargs):
    check_one_scale(executor.class_obj, "Oscillating Guidance")
    return executor(*args, **kwargs)
