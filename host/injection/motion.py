"""Apply Motion Module: a temporal method's module on a MODEL,
with its settings, its noise schedule and its checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import torch
from comfy.patcher_extension import WrappersMP

from ...foreign_text import printable
from ...frame_values import FrameValues, Placed, ScaledKeys
from ...motion_modules.animatediff.families import FAMILIES
from ...motion_modules.call import SINGLE_FRAMES, STREAMS, Call, Forward, streams_in
from ...motion_modules.joint_norm import joint_norm_acts
from ...motion_modules.points import Point
from ...motion_modules.unet_places import UNetPlaces
from ..node_notes import current_node, say
from ..sampling.prompt_frames import refuse_other_frames
from ..sampling.video_frames import frames_in_batch
from .apply import KEY, apply_method, attention_with
from .block_factors import block_factors
from .context_guidance import RUNS, ContextGuidance
from .frame_limits import check_frames, check_run
from .motion_models import MotionModule
from .places import places_in
from .run_checks import EVERY_SIGMA, odd_in_run, refuse_latents, refuse_other_windows, sigma_range
from .run_inputs import inputs_in_forward
from .run_values import RunValues, in_forward, values_in_run
from .schedule import AUTO, put_trained_schedule
from .settings import (
    AS_EVOLVED,
    AS_EVOLVED_OLD,
    JOINT,
    JOINT_EVOLVED,
    JOINT_MODULE,
    PER_FRAME,
    MotionSettings,
)
from .views import VIEWS, refuse_without_views, views_in


def apply_motion_module(
    model: comfy.model_patcher.ModelPatcher, motion_module: MotionModule, settings: MotionSettings
) -> comfy.model_patcher.ModelPatcher:
    """A clone of model whose frames know of each other; model itself is not changed.

    strength 0 returns a plain clone: the result is bit for bit that of the MODEL without a module.
    Raises ValueError when the module does not fit the MODEL.
    """
    places = places_that_fit(model, motion_module)
    _refuse_without_inputs(motion_module)
    refuse_second_keys(model, motion_module)
    if motion_module.is_untrained:
        say(_untrained_text(motion_module), current_node())
    scheduled, method = model.clone(), motion_module.method
    if method.streams > 1:
        scheduled.model_options["transformer_options"][STREAMS] = method.streams
    if settings.strength == 0:
        say("Apply Motion Module is off: its strength is 0.", current_node())
        return scheduled
    patcher = motion_module.patcher.clone()
    put_trained_schedule(scheduled, method.beta_schedule(motion_module.config), settings.beta_schedule)
    if advice := method.advice(motion_module.config):
        say(advice, current_node())
    _refuse_scale_without_attention(motion_module, settings)
    factors = block_factors((settings.strength, settings.attention_scale), places)
    calls = MotionCalls(motion_module, settings, sigma_range(scheduled, settings), factors)
    acts = {**_joint_norms(motion_module, places, settings.group_norm), **method.acts(patcher.model, places)}
    patched = apply_method(scheduled, acts, calls, [patcher])
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, calls.wrap_outer_sample)
    if (scale := getattr(motion_module.inputs, "context_guidance", 1.0)) != 1.0:
        patched.set_model_sampler_post_cfg_function(ContextGuidance(calls, scale))
    return patched


@dataclass(frozen=True)
class Run:
    """What is found once for a sampling run: the range of sigma in which the module acts, its inputs, and its
    values over frames.

    It travels in transformer_options, which core hands to the threads of other GPUs too.
    """

    sigma_range: tuple[float, float]
    inputs: Any = None
    strength: float | RunValues = 1.0
    attention_scale: float | RunValues = 1.0

    def acts_at(self, sigma: float | None) -> bool:
        """Whether the module acts at a noise level, which need not be known where it acts at all."""
        high, low = self.sigma_range
        return self.sigma_range == EVERY_SIGMA or low <= sigma <= high


class MotionCalls:
    """What a motion module makes of each forward:
    the frames of a video, and whether it acts at this noise level.

    Holds settings only; what belongs to a sampling run is a `Run`.
    """

    def __init__(
        self,
        module: MotionModule,
        settings: MotionSettings,
        range_: tuple[float, float],
        factors: Callable[[str], tuple[float, float]] | None = None,
    ):
        self.module, self.settings, self.factors = module, settings, factors
        self.node_id = current_node()
        self._outside_of_runs = Run(range_, None, settings.strength, settings.attention_scale)

    def wrap_outer_sample(self, executor, noise, latent_image, sampler, sigmas, *args, **kwargs):
        """OUTER_SAMPLE wrapper: refuses latents that are no frames,
        says what is odd, finds the percent range and makes inputs ready.

        The range is on the noise schedule of this run, which another node may have changed behind ours.
        """
        model = executor.class_obj.model_patcher
        streams = streams_in(model.model_options["transformer_options"])
        refuse_latents(model, noise.shape, self.module.node, streams)
        if VIEWS in model.model_options["transformer_options"]:
            refuse_without_views(self.module.method, self.module.name)
        range_ = sigma_range(model, self.settings)
        handler = model.model_options.get("context_handler")
        refuse_other_windows(handler, streams)
        single = SINGLE_FRAMES in executor.class_obj.model_options["transformer_options"]
        of_video = 1 if single else self.settings.frames_per_video
        frames = frames_in_batch(noise.shape[0], model.model_options["transformer_options"], of_video)
        refuse_other_frames(executor.class_obj, frames, noise.shape[0] // frames)
        told = odd_in_run(self.settings, range_, frames, sigmas, handler, self.module.node)
        for text in () if single else told:
            say(text, self.node_id)
        at_once = getattr(sampler, "frames_at_once", None)
        check_run(self.module, model, frames, sigmas[:-1].tolist(), at_once)
        run = self._run(model, range_, noise.shape, frames)
        options = executor.class_obj.model_options.setdefault("transformer_options", {})
        before = options.get(RUNS, {})
        options[RUNS] = {**before, self: run}
        try:
            return executor(noise, latent_image, sampler, sigmas, *args, **kwargs)
        finally:
            options[RUNS] = before

    def _run(self, model, range_: tuple[float, float], shape: torch.Size, num_frames: int) -> Run:
        inputs = self.module.inputs and self.module.inputs.for_run(model, shape, num_frames)
        strength, scale = (
            values_in_run(getattr(self.settings, name), name, model, num_frames, tuple(shape[2:]))
            for name in ("strength", "attention_scale")
        )
        return Run(range_, inputs, strength, scale)

    def __call__(self, forward: Forward) -> Call | None:
        frames = self._frames_of_video(forward)
        run = forward.options.get(RUNS, {}).get(self, self._outside_of_runs)
        values_given = any(isinstance(v, FrameValues) for v in (run.strength, run.attention_scale))
        if values_given or (self.module.method.needs and run.inputs is None):
            raise RuntimeError(
                f"'{printable(self.module.name)}' ran outside of a sampler, where its inputs are made ready; "
                "use it with a KSampler or SamplerCustom."
            )
        if not run.acts_at(forward.sigma):
            return None
        strength = in_forward(run.strength, forward)
        if isinstance(strength, Placed) and not strength.values.any():
            return None  # such as the frames of a window in which another module acts
        join = _joins_module_norms(self.module, self.settings.group_norm)
        scale = in_forward(run.attention_scale, forward)
        attention = attention_with(forward.options)
        attention = attention if scale == 1 else ScaledKeys(attention, scale)
        views = views_in(forward, frames)
        return Call(
            forward,
            frames,
            strength,
            attention,
            join,
            inputs=inputs_in_forward(self.module.inputs, run.inputs, forward.options),
            factors_at=self.factors,
            views=views,
        )

    def _frames_of_video(self, forward: Forward) -> int:
        if SINGLE_FRAMES in forward.options:
            return 1
        streams = streams_in(forward.options)
        frames = self.settings.frames_per_video or forward.num_frames // streams
        if self.settings.frames_per_video and forward.is_windowed:
            raise ValueError(
                f"frames_per_video={frames} of {self.module.node} cannot be combined with context windows;"
                f" set it to 0 there and set frames_per_video of the node 'Context Windows' to {frames}."
            )
        if forward.num_frames % (streams * frames):
            twice = " with their motion" if streams > 1 else ""
            raise ValueError(
                f"the batch of {forward.num_frames} images is not a whole number of videos of"
                f" frames_per_video={frames}{twice}; make the latent batch a multiple of {streams * frames}"
                " or set frames_per_video to 0 (the whole batch is one video)."
            )
        check_frames(self.module, frames, forward.is_windowed, forward.options.get(VIEWS))
        return frames


def places_that_fit(model, motion_module: MotionModule) -> UNetPlaces:
    """Where the layers of a MODEL's UNet lie.
    Raises ValueError saying why the motion module does not fit it.
    """
    places = places_in(model)
    if wrong := motion_module.method.misfit(motion_module.patcher.model, places):
        raise ValueError(
            f"the motion module '{printable(motion_module.name)}' ({motion_module.title}) does not fit this "
            f"checkpoint: {wrong}. "
            "Use a motion module that was made for this kind of checkpoint."
        )
    return places


def applied_modules(model) -> list[MotionModule]:
    """The modules that Apply Motion Module has put on a MODEL."""
    points = (patch for patch in model.object_patches.values() if isinstance(patch, Point))
    calls = {point.applied.resolve for point in points}
    return [one.module for one in calls if isinstance(one, MotionCalls)]


def refuse_second_keys(model, motion_module) -> None:
    """Raises ValueError where another method of the MODEL decides already what its self-attentions read."""
    if not motion_module.method.sets_keys:
        return
    for other in applied_modules(model):
        if other.method.sets_keys:
            raise ValueError(
                f"'{printable(other.name)}' ({other.method.name}) decides already which frames "
                f"the self-attentions of this MODEL read, and '{printable(motion_module.name)}' "
                f"({motion_module.method.name}) does too; apply one of them."
            )


def _refuse_scale_without_attention(motion_module: MotionModule, settings: MotionSettings) -> None:
    """Raises ValueError where keys of an attention over frames should be scaled, and there is none."""
    if settings.attention_scale != 1 and not motion_module.method.attends:
        raise ValueError(
            f"attention_scale must be 1 for '{printable(motion_module.name)}' ({motion_module.method.name}), "
            "whose layers have no attention over frames; set it to 1."
        )


def _refuse_without_inputs(motion_module: MotionModule) -> None:
    """Raises ValueError where a module lacks what its method needs besides its weights."""
    if (needs := motion_module.method.needs) and motion_module.inputs is None:
        method = motion_module.method.name
        raise ValueError(f"'{printable(motion_module.name)}' is a module of {method}, which needs {needs}.")


def _untrained_text(motion_module: MotionModule) -> str:
    does = (
        "lets frames see each other without training"
        if motion_module.method.acts_untrained
        else ("changes nothing")
    )
    return f"These layers ({motion_module.method.name}) are not trained yet: until then the module {does}."


def _joint_norms(motion_module: MotionModule, places: UNetPlaces, choice: str) -> dict:
    """The UNet's norms that see all frames of a video,
    by the choice of a person or as the module was trained.
    """
    choice = _as_evolved(motion_module, choice)
    if choice == AUTO:
        choice = JOINT if motion_module.method.joint_norms(motion_module.config) else PER_FRAME
    if choice not in (JOINT, JOINT_EVOLVED):
        return {}
    return joint_norm_acts(places, with_transformers=choice == JOINT_EVOLVED)


def _as_evolved(motion_module: MotionModule, choice: str) -> str:
    """The choice that is AnimateDiff-Evolved's for this file; files that it does not know are as trained."""
    if choice not in (AS_EVOLVED, AS_EVOLVED_OLD):
        return choice
    version = getattr(motion_module.config, "version", "")
    if version not in FAMILIES:
        return AUTO
    is_per_frame = version == "v3" or (version == "v2" and choice == AS_EVOLVED)
    return PER_FRAME if is_per_frame else JOINT_EVOLVED


def _joins_module_norms(motion_module: MotionModule, choice: str) -> bool:
    """Whether the module's own norms see all frames of a video, by the same choice."""
    choice = _as_evolved(motion_module, choice)
    if choice == AUTO:
        return motion_module.method.joint_module_norms(motion_module.config)
    return choice in (JOINT_EVOLVED, JOINT_MODULE)
