"""The noise schedule that a motion module was trained with, in front of and behind Apply Motion Module.

ComfyUI's samplers and schedulers ask a MODEL for its `model_sampling` before sampling starts, so the schedule
must be right in the graph. Nodes such as ModelSamplingDiscrete put a new object there, made with the
checkpoint's own betas; they mean to change the kind of prediction. The object patches of our clone, and of
its clones, give such an object the trained betas.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import torch
from comfy.model_sampling import ModelSamplingDiscrete
from comfy.patcher_extension import WrappersMP

from ...foreign_text import printable
from ...motion_modules.beta_schedules import BETA_SCHEDULES
from ..code_origin import module_name
from ..node_notes import current_node, say

AUTO = "auto"
USE_EXISTING = "use existing"
BETA_SCHEDULE_CHOICES = [AUTO, USE_EXISTING, *BETA_SCHEDULES]

KEY = "zoetrope_trained_schedule"
PATCH = "model_sampling"


class _PatchesWithTrainedBetas(dict):
    """Object patches of a MODEL.
    A `model_sampling` with the checkpoint's own betas gets the trained ones; any other stays.
    """

    def __init__(self, patches: dict, schedule: str, own_settings: dict):
        super().__init__(patches)
        self.schedule = schedule
        self.own_settings = own_settings

    def __setitem__(self, name: str, value: object):
        if name == PATCH and _has_betas(value, self.own_settings):
            value = _remade(value, BETA_SCHEDULES[self.schedule])
        super().__setitem__(name, value)

    def copy(self) -> _PatchesWithTrainedBetas:
        return type(self)(self, self.schedule, self.own_settings)


def put_trained_schedule(patched, trained: str | None, choice: str) -> None:
    """Gives a MODEL the schedule that a module was trained with (None = the checkpoint's own), or the chosen
    one; it keeps its prediction type.

    Raises ValueError for a MODEL without discrete noise levels.
    """
    schedule = trained if choice == AUTO else choice
    if choice == USE_EXISTING or schedule is None:
        return
    existing = patched.get_model_object(PATCH)
    if not isinstance(existing, ModelSamplingDiscrete):
        raise ValueError(
            f"beta_schedule='{printable(choice)}' needs a model with discrete noise levels, this MODEL "
            f"samples with {type(existing).__name__}; set beta_schedule to '{USE_EXISTING}'."
        )
    own_settings = patched.model.model_config.sampling_settings or {}
    patched.object_patches = _PatchesWithTrainedBetas(patched.object_patches, schedule, own_settings)
    # The class of the existing one keeps the prediction type (eps, v, lcm, ...).
    patched.add_object_patch(PATCH, _remade(existing, BETA_SCHEDULES[schedule]))
    patched.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    patched.add_wrapper_with_key(
        WrappersMP.OUTER_SAMPLE, KEY, partial(_say_if_replaced, schedule, current_node())
    )


def _say_if_replaced(schedule: str, node_id: str | None, executor, *args, **kwargs):
    """OUTER_SAMPLE wrapper: a schedule that was put behind Apply Motion Module and is neither the
    checkpoint's nor the trained one."""
    sampling = executor.class_obj.model_patcher.get_model_object(PATCH)
    if not _has_betas(sampling, BETA_SCHEDULES[schedule]):
        say(
            f"A node behind Apply Motion Module has replaced the noise schedule '{printable(schedule)}' "
            "that the motion module was trained with (the largest noise level is "
            f"{float(sampling.sigma_max):.1f}). Put that node in front of Apply Motion Module, or set its "
            f"beta_schedule to '{USE_EXISTING}' if you mean it.",
            node_id,
        )
    return executor(*args, **kwargs)


def _remade(existing: ModelSamplingDiscrete, settings: dict) -> ModelSamplingDiscrete:
    """A schedule of the same class as existing, with the betas of settings."""
    return type(existing)(SimpleNamespace(sampling_settings={**settings, "zsnr": existing.zsnr}))


def _has_betas(sampling: object, settings: dict) -> bool:
    """Whether a schedule is what its class makes of settings."""
    if not isinstance(sampling, ModelSamplingDiscrete):
        return False
    # Only core's constructors are known to make a schedule of settings.
    if not module_name(type(sampling).__init__).startswith(("comfy.", "comfy_extras.")):
        return False
    return torch.equal(_remade(sampling, settings).sigmas.cpu(), sampling.sigmas.cpu())
