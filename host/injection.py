"""Makes a MODEL move: runs a motion module behind the spatial layers of a UNet, without changing the UNet.

The module stays a ModelPatcher of its own, attached to a clone of the MODEL as an additional model. Its layers run from
`forward_timestep_embed_patch`; nothing is inserted into the UNet, so there is nothing to take out again.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace

import comfy.ldm.modules.attention
import comfy.model_patcher
import comfy.model_sampling
import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, UNetModel, forward_timestep_embed
from comfy.patcher_extension import WrappersMP

from ..foreign_text import printable
from ..motion_modules.beta_schedules import BETA_SCHEDULES, schedule_of_version
from .motion_models import MotionModule

KEY = "zoetrope_motion"
PATCH = "forward_timestep_embed_patch"

AUTO = "auto"
USE_EXISTING = "use existing"
BETA_SCHEDULE_CHOICES = [AUTO, USE_EXISTING, *BETA_SCHEDULES]

PER_FRAME = "per frame"
JOINT = "over all frames (AnimateDiff v1)"
JOINT_EVOLVED = "over all frames (AnimateDiff-Evolved)"
GROUP_NORM_CHOICES = [AUTO, PER_FRAME, JOINT, JOINT_EVOLVED]


@dataclass(frozen=True)
class MotionSettings:
    """How a motion module acts on a MODEL. strength 0 = off, 1 = as trained; percents are 0..1 of the noise schedule.

    frames_per_video: 0 when all images of the batch are one video, else the batch is a row of videos of that length.
    """

    strength: float = 1.0
    start_percent: float = 0.0
    end_percent: float = 1.0
    beta_schedule: str = AUTO
    group_norm: str = AUTO
    frames_per_video: int = 0


def apply_motion_module(
    model: comfy.model_patcher.ModelPatcher, motion_module: MotionModule, settings: MotionSettings
) -> comfy.model_patcher.ModelPatcher:
    """A clone of model whose frames know of each other; model itself is not changed.

    strength 0 returns a plain clone: the result is bit for bit that of the MODEL without a module.
    Raises ValueError when the module does not fit the MODEL or a setting is out of range.
    """
    _check_settings(settings)
    unet = _unet_that_fits(model, motion_module)
    patched = model.clone()
    if settings.strength == 0:
        return patched
    _patch_beta_schedule(patched, motion_module, settings.beta_schedule)
    injection = MotionInjection(motion_module, settings, _sigma_range(patched, settings), _blocks_without_transformer(unet))
    patched.set_additional_models(KEY, [*patched.get_additional_models_with_key(KEY), motion_module.patcher.clone()])
    patches = patched.model_options["transformer_options"].setdefault("patches", {})
    # First in the list: core runs only the first entry that matches a layer; ours calls the following ones itself.
    patches[PATCH] = [((SpatialTransformer, ResBlock), injection), *patches.get(PATCH, [])]
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, injection.wrap_diffusion_model)
    _patch_group_norms(patched, unet, injection)
    return patched


@dataclass(frozen=True)
class _Call:
    """One forward of the UNet: frames per video in it, and whether the module acts at this noise level."""

    num_frames: int
    active: bool


class MotionInjection:
    """Runs one motion module inside the forward of a UNet. Holds settings only; what belongs to a call lives in a ContextVar."""

    def __init__(self, module: MotionModule, settings: MotionSettings, sigma_range, blocks_without_transformer):
        self.module = module
        self.settings = settings
        self.sigma_range: tuple[float, float] | None = sigma_range
        self.blocks_without_transformer: frozenset[tuple[str, int]] = blocks_without_transformer
        self.joint_module_norm = settings.group_norm == JOINT_EVOLVED
        self._call: ContextVar[_Call | None] = ContextVar("zoetrope_motion_call", default=None)

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
        if self.sigma_range is None:
            return True
        sigma = float(options["sigmas"].max())
        high, low = self.sigma_range
        return low <= sigma <= high


def _attention_with(transformer_options: dict):
    def attention(q, k, v, heads):
        # Sequences of a few frames: ComfyUI's choice for small inputs, still open to attention overrides.
        function = comfy.ldm.modules.attention.optimized_attention_for_device(q.device, small_input=True)
        return function(q, k, v, heads, transformer_options=transformer_options)

    return attention


def _check_settings(settings: MotionSettings) -> None:
    if not 0.0 <= settings.start_percent <= settings.end_percent <= 1.0:
        raise ValueError(
            f"start_percent={settings.start_percent} must not be larger than end_percent={settings.end_percent}, both between "
            f"0 and 1; raise end_percent or lower start_percent."
        )
    if settings.strength < 0:
        raise ValueError(f"strength={settings.strength} must be 0 (off) or larger; 1 is as trained.")
    if settings.frames_per_video < 0:
        raise ValueError(f"frames_per_video={settings.frames_per_video} must be 0 (all images are one video) or larger.")
    for name, value, choices in (
        ("beta_schedule", settings.beta_schedule, BETA_SCHEDULE_CHOICES),
        ("group_norm", settings.group_norm, GROUP_NORM_CHOICES),
    ):
        if value not in choices:
            raise ValueError(f"{name}='{printable(value)}' is not known; choose one of {', '.join(choices)}.")


def _unet_that_fits(model, motion_module: MotionModule) -> UNetModel:
    unet = model.get_model_object("diffusion_model")
    if not isinstance(unet, UNetModel):
        raise ValueError(
            f"a motion module needs a Stable Diffusion UNet, this MODEL is a {type(unet).__name__}; load an SD1.x checkpoint "
            f"(or SDXL for an SDXL module) with Load Checkpoint."
        )
    config = motion_module.config
    levels = len(unet.channel_mult)
    kinds = {3: "SDXL", 4: "SD1.x"}
    wrong = None
    if levels != config.num_levels:
        wrong = (f"it was made for a UNet of {config.num_levels} levels ({kinds.get(config.num_levels, 'unknown')}), "
                 f"this checkpoint has {levels} ({kinds.get(levels, 'unknown')})")
    else:
        blocks = _blocks(unet)
        for block in motion_module.patcher.model.sites:
            have = _out_channels(blocks.get(block))
            need = motion_module.patcher.model.channels_at(block)
            if have != need:
                wrong = f"at {block[0]} block {block[1]} it has {need} channels, this checkpoint has {have or 'no such block'}"
                break
        if wrong is None and motion_module.config.has_mid and ("middle", 0) in _blocks_without_transformer(unet):
            wrong = "it follows the spatial transformer of the middle block, this checkpoint has none there"
    if wrong:
        raise ValueError(
            f"the motion module '{printable(motion_module.name)}' ({config.version}) does not fit this "
            f"checkpoint: {wrong}. "
            f"Use a motion module that was made for this kind of checkpoint."
        )
    return unet


def _blocks(unet: UNetModel) -> dict[tuple[str, int], torch.nn.Module]:
    blocks = {("input", i): b for i, b in enumerate(unet.input_blocks)}
    blocks |= {("output", i): b for i, b in enumerate(unet.output_blocks)}
    if unet.middle_block is not None:
        blocks["middle", 0] = unet.middle_block
    return blocks


def _out_channels(block) -> int | None:
    if block is None:
        return None
    return next((layer.out_channels for layer in block if isinstance(layer, ResBlock)), None)


def _blocks_without_transformer(unet: UNetModel) -> frozenset[tuple[str, int]]:
    return frozenset(
        key for key, block in _blocks(unet).items() if not any(isinstance(layer, SpatialTransformer) for layer in block)
    )


def _sigma_range(model, settings: MotionSettings) -> tuple[float, float] | None:
    """(highest, lowest) sigma at which the module acts, on the noise schedule of model; None for all of them."""
    if settings.start_percent == 0.0 and settings.end_percent == 1.0:
        return None
    sampling = model.get_model_object("model_sampling")
    return float(sampling.percent_to_sigma(settings.start_percent)), float(sampling.percent_to_sigma(settings.end_percent))


def _patch_beta_schedule(patched, motion_module: MotionModule, choice: str) -> None:
    if choice == USE_EXISTING:
        return
    name = schedule_of_version(motion_module.config.version) if choice == AUTO else choice
    existing = patched.get_model_object("model_sampling")
    if not isinstance(existing, comfy.model_sampling.ModelSamplingDiscrete):
        raise ValueError(
            f"beta_schedule='{printable(choice)}' needs a model with discrete noise levels, this MODEL "
            "samples with "
            f"{type(existing).__name__}; set beta_schedule to '{USE_EXISTING}'."
        )
    settings = dict(BETA_SCHEDULES[name], zsnr=getattr(existing, "zsnr", False))
    # The class of the existing one keeps the prediction type (eps, v, lcm, ...).
    patched.add_object_patch("model_sampling", type(existing)(SimpleNamespace(sampling_settings=settings)))


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
