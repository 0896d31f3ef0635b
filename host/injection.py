"""Makes a MODEL move: runs a motion module behind the spatial layers of a UNet, without changing the UNet.

The module stays a ModelPatcher of its own, attached to a clone of the MODEL as an additional model. Its layers run from
`forward_timestep_embed_patch`; nothing is inserted into the UNet, so there is nothing to take out again.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

import comfy.ldm.modules.attention
import comfy.model_patcher
import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, UNetModel, forward_timestep_embed
from comfy.patcher_extension import WrappersMP

from ..foreign_text import printable
from .motion_fit import blocks_without_transformer, unet_that_fits
from .motion_models import MotionModule
from .motion_run import EVERY_SIGMA, odd_in_run, refuse_latents, sigma_range
from .motion_settings import GROUP_NORM_CHOICES, JOINT, JOINT_EVOLVED, PER_FRAME, MotionSettings
from .node_notes import current_node, say
from .trained_schedule import AUTO, BETA_SCHEDULE_CHOICES, USE_EXISTING, put_trained_schedule

__all__ = [
    "AUTO", "BETA_SCHEDULE_CHOICES", "GROUP_NORM_CHOICES", "JOINT", "JOINT_EVOLVED", "PER_FRAME",
    "USE_EXISTING", "MotionInjection", "MotionSettings", "apply_motion_module",
]  # fmt: skip

KEY = "zoetrope_motion"
PATCH = "forward_timestep_embed_patch"

def apply_motion_module(
    model: comfy.model_patcher.ModelPatcher, motion_module: MotionModule, settings: MotionSettings
) -> comfy.model_patcher.ModelPatcher:
    """A clone of model whose frames know of each other; model itself is not changed.

    strength 0 returns a plain clone: the result is bit for bit that of the MODEL without a module.
    Raises ValueError when the module does not fit the MODEL.
    """
    unet = unet_that_fits(model, motion_module)
    patched = model.clone()
    if settings.strength == 0:
        say("Apply Motion Module is off: its strength is 0.", current_node())
        return patched
    put_trained_schedule(patched, motion_module.config.version, settings.beta_schedule)
    range_ = sigma_range(patched, settings)
    injection = MotionInjection(motion_module, settings, range_, blocks_without_transformer(unet))
    patched.set_additional_models(KEY, [*patched.get_additional_models_with_key(KEY), motion_module.patcher.clone()])
    patches = patched.model_options["transformer_options"].setdefault("patches", {})
    # First in the list: core runs only the first entry that matches a layer; ours calls the following ones itself.
    patches[PATCH] = [((SpatialTransformer, ResBlock), injection), *patches.get(PATCH, [])]
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, injection.wrap_outer_sample)
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, injection.wrap_diffusion_model)
    _patch_group_norms(patched, unet, injection)
    return patched


@dataclass(frozen=True)
class _Call:
    """One forward of the UNet: frames per video in it, and whether the module acts at this noise level."""

    num_frames: int
    active: bool


class MotionInjection:
    """Runs one motion module inside the forward of a UNet.

    Holds settings only; what belongs to a sampling run or to a call of the network lives in a ContextVar.
    """

    def __init__(self, module: MotionModule, settings: MotionSettings, range_: tuple[float, float],
                 without_transformer: frozenset[tuple[str, int]]):
        self.module = module
        self.settings = settings
        self.sigma_range = range_
        self.blocks_without_transformer = without_transformer
        self.node_id = current_node()
        self.joint_module_norm = settings.group_norm == JOINT_EVOLVED
        self._run_range: ContextVar[tuple | None] = ContextVar("zoetrope_motion_run", default=None)
        self._call: ContextVar[_Call | None] = ContextVar("zoetrope_motion_call", default=None)

    def wrap_outer_sample(self, executor, noise, latent_image, sampler, sigmas, *args, **kwargs):
        """OUTER_SAMPLE wrapper: refuses latents that are no frames, says what is odd, finds the range.

        The range is on the noise schedule of this run, which another node may have changed behind ours.
        """
        model = executor.class_obj.model_patcher
        refuse_latents(model, noise.shape)
        range_ = sigma_range(model, self.settings)
        handler = model.model_options.get("context_handler")
        for text in odd_in_run(self.settings, range_, noise.shape, sigmas, handler):
            say(text, self.node_id)
        token = self._run_range.set(range_)
        try:
            return executor(noise, latent_image, sampler, sigmas, *args, **kwargs)
        finally:
            self._run_range.reset(token)

    def wrap_diffusion_model(self, executor, x, timesteps=None, context=None, y=None, control=None,
                             transformer_options=None, **kwargs):
        """DIFFUSION_MODEL wrapper: fixes frame count and activity for everything below this forward."""
        options = {} if transformer_options is None else transformer_options
        token = self._call.set(self._describe_call(x.shape[0], options))
        try:
            return executor(x, timesteps, context, y, control, options, **kwargs)
        finally:
            self._call.reset(token)

    def __call__(self, layer, x, emb, context, transformer_options, output_shape, time_context, num_video_frames,
                 image_only_indicator):
        """forward_timestep_embed_patch handler: the layer as without us, then the motion module of this block."""
        x = self._run_layer(layer, x, emb, context, transformer_options, output_shape, time_context, num_video_frames,
                            image_only_indicator)
        block = transformer_options.get("block")
        temporal = self.module.patcher.model.at(block)
        if temporal is None or isinstance(layer, SpatialTransformer) == (block in self.blocks_without_transformer):
            return x
        call = self._call.get() or self._describe_call(x.shape[0], transformer_options)
        if not call.active:
            return x
        motion = temporal(x, call.num_frames, _attention_with(transformer_options), self.joint_module_norm)
        return torch.add(x, motion, alpha=self.settings.strength)

    def joint_frames(self) -> int | None:
        """Frames over which UNet norms take their statistics in the current call; None outside of an active one."""
        call = self._call.get()
        return call.num_frames if call is not None and call.active else None

    def _run_layer(self, layer, x, emb, context, transformer_options, output_shape, time_context, num_video_frames,
                   image_only_indicator):
        """What core would do with this layer if we were not in the list, the other packs' entries included."""
        patches = transformer_options["patches"]
        entries = patches[PATCH]
        ours = max(i for i, (_, handler) in enumerate(entries) if handler is self)
        options = {**transformer_options, "patches": {**patches, PATCH: entries[ours + 1:]}}
        x = forward_timestep_embed((layer,), x, emb, context, options, output_shape, time_context, num_video_frames,
                                   image_only_indicator)
        options["patches"] = patches
        transformer_options.update(options)  # counters such as transformer_index live in this dict
        return x

    def _describe_call(self, batch_size: int, options: dict) -> _Call:
        return _Call(self._frames_in(batch_size, options), self._acts_at(options))

    def _frames_in(self, batch_size: int, options: dict) -> int:
        chunks = len(options.get("cond_or_uncond", (0,)))
        if batch_size == 0 or batch_size % chunks:
            raise ValueError(f"a batch of {batch_size} images cannot be split into {chunks} equal parts; give at least one frame.")
        per_chunk = batch_size // chunks
        frames = self.settings.frames_per_video or per_chunk
        if self.settings.frames_per_video and options.get("context_window") is not None:
            raise ValueError(
                f"frames_per_video={frames} of Apply Motion Module cannot be combined with context windows; set it to 0 there "
                f"and set frames_per_video of the node 'Context Windows' to {frames}."
            )
        if per_chunk % frames:
            raise ValueError(
                f"the batch of {per_chunk} images is not a whole number of videos of frames_per_video={frames}; make the "
                f"latent batch a multiple of {frames} or set frames_per_video to 0 (the whole batch is one video)."
            )
        longest = self.module.config.position_length
        if frames > longest and options.get("context_window") is not None:
            raise ValueError(
                f"windows of {frames} frames are more than the {longest} that the motion module "
                f"'{printable(self.module.name)}' knows; lower "
                f"context_length of the context windows to at most {longest} (16 is usual)."
            )
        if frames > longest:
            raise ValueError(
                f"{frames} frames are more than the {longest} that the motion module "
                f"'{printable(self.module.name)}' knows; add the "
                f"node 'Context Windows' (for example context_length=16) behind 'Apply Motion Module', or make at most "
                f"{longest} frames."
            )
        return frames

    def _acts_at(self, options: dict) -> bool:
        high, low = self._run_range.get() or self.sigma_range
        return (high, low) == EVERY_SIGMA or low <= float(options["sigmas"].max()) <= high


def _attention_with(transformer_options: dict):
    def attention(q, k, v, heads):
        # Sequences of a few frames: ComfyUI's choice for small inputs, still open to attention overrides.
        function = comfy.ldm.modules.attention.optimized_attention_for_device(q.device, small_input=True)
        return function(q, k, v, heads, transformer_options=transformer_options)

    return attention


def _patch_group_norms(patched, unet: UNetModel, injection: MotionInjection) -> None:
    """Statistics over all frames where the module was trained with them, as reversible object patches."""
    mode = injection.settings.group_norm
    if mode == AUTO:
        mode = JOINT if injection.module.config.version == "v1" else PER_FRAME
    if mode == PER_FRAME:
        return
    for path in _joint_norm_paths(unet, with_transformers=mode == JOINT_EVOLVED):
        name = f"diffusion_model.{path}.forward"
        existing = patched.get_model_object(name)
        if isinstance(existing, _JointNormForward):  # a second module on the same MODEL
            forward = _JointNormForward(existing.plain_forward, (*existing.injections, injection))
        else:
            forward = _JointNormForward(existing, (injection,))
        patched.add_object_patch(name, forward)


def _joint_norm_paths(unet: UNetModel, with_transformers: bool) -> list[str]:
    """The 45 norms of AnimateDiff v1 in an SD1.x UNet (ResBlocks and output); with transformers the 61 of AnimateDiff-Evolved."""
    paths = ["out.0"]
    for path, module in unet.named_modules():
        if isinstance(module, ResBlock):
            paths += [f"{path}.in_layers.0", f"{path}.out_layers.0"]
        elif with_transformers and isinstance(module, SpatialTransformer):
            paths.append(f"{path}.norm")
    return paths


class _JointNormForward:
    """forward of a GroupNorm that sees the frames of a video as one picture while the injection is active."""

    def __init__(self, plain_forward, injections: tuple[MotionInjection, ...]):
        self.plain_forward = plain_forward
        self.injections = injections

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """x (B*F, C, H, W) -> (B*F, C, H, W)."""
        frames = next((f for i in self.injections if (f := i.joint_frames()) is not None), None)
        if frames is None:
            return self.plain_forward(x)
        n, c, h, w = x.shape
        b = n // frames
        video = x.view(b, frames, c, h * w).transpose(1, 2).reshape(b, c, frames * h, w)
        return self.plain_forward(video).view(b, c, frames, h * w).transpose(1, 2).reshape(n, c, h, w)
