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
from comfy.model_sampling import EPS, ModelSamplingDiscrete
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_model_advanced import LCM, ModelSamplingDiscreteDistilled

from ...foreign_text import printable
from ...motion_modules.beta_schedules import BETA_SCHEDULES, BetaSchedule
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

    def __init__(self, patches: dict, schedule: str, own: BetaSchedule):
        super().__init__(patches)
        self.schedule = schedule
        self.own = own

    def __setitem__(self, name: str, value: object):
        if name == PATCH and _has_betas(value, self.own):
            schedule = BETA_SCHEDULES[self.schedule]
            as_lcm = schedule.lcm_steps and _predicts_as_lcm(value)
            value = _made(_LCM[schedule.lcm_steps] if as_lcm else type(value), schedule, value.zsnr)
        super().__setitem__(name, value)

    def copy(self) -> _PatchesWithTrainedBetas:
        return type(self)(self, self.schedule, self.own)


def put_trained_schedule(patched, trained: str | None, choice: str) -> None:
    """Gives a MODEL the schedule that a module was trained with (None = the checkpoint's own), or the chosen
    one; it keeps its prediction type, except that one for LCM predicts as LCM.

    Raises ValueError for a MODEL without discrete noise levels, and for LCM on one that predicts other
    things than noise.
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
    own = BetaSchedule((patched.model.model_config.sampling_settings or {},))
    patched.object_patches = _PatchesWithTrainedBetas(patched.object_patches, schedule, own)
    kind = _kind(existing, schedule)
    patched.add_object_patch(PATCH, _made(kind, BETA_SCHEDULES[schedule], existing.zsnr))
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


class _Lcm50(ModelSamplingDiscreteDistilled, LCM):
    """What core's ModelSamplingDiscrete makes for lcm."""


class _Lcm100(_Lcm50):
    original_timesteps = 100


_LCM = {50: _Lcm50, 100: _Lcm100}


def _kind(existing: ModelSamplingDiscrete, schedule: str) -> type[ModelSamplingDiscrete]:
    """The class of a schedule, which decides how a model predicts: the existing one's, or LCM's.

    Raises ValueError where LCM is wanted of a model that predicts other things than noise.
    """
    steps = BETA_SCHEDULES[schedule].lcm_steps
    if steps is None:
        return type(existing)
    predicts_noise = type(existing).calculate_denoised is EPS.calculate_denoised
    if not predicts_noise and not _predicts_as_lcm(existing):
        raise ValueError(
            f"beta_schedule='{printable(schedule)}' is for checkpoints that predict noise (eps), this MODEL "
            "predicts something else; choose another beta_schedule."
        )
    return _LCM[steps]


def _predicts_as_lcm(sampling: ModelSamplingDiscrete) -> bool:
    """Whether core's node made it for lcm. In a running ComfyUI the node's class is not the one we import."""
    bases = type(sampling).__mro__
    return any(base.__name__ == "LCM" and module_name(base) == module_name(LCM) for base in bases)


def _made(kind: type, schedule: BetaSchedule, zsnr: bool) -> ModelSamplingDiscrete:
    """A schedule of this class with these betas."""
    several = [kind(SimpleNamespace(sampling_settings={**betas, "zsnr": zsnr})) for betas in schedule.betas]
    if len(several) > 1:
        several[0].set_sigmas(torch.stack([one.sigmas for one in several]).mean(0))
    return several[0]


def _has_betas(sampling: object, schedule: BetaSchedule) -> bool:
    """Whether a schedule is what its class makes of these betas."""
    if not isinstance(sampling, ModelSamplingDiscrete):
        return False
    # Only core's constructors are known to make a schedule of settings.
    if not module_name(type(sampling).__init__).startswith(("comfy.", "comfy_extras.")):
        return False
    return torch.equal(_made(type(sampling), schedule, sampling.zsnr).sigmas.cpu(), sampling.sigmas.cpu())
