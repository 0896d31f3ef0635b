"""Rules that every temporal method keeps, in real ComfyUI:
run for each entry of METHODS, and for a method that a test adds.

A rule takes a Case: one method on one kind of checkpoint. It asserts; its name says what.
"""

from __future__ import annotations

import copy
import functools
import re
from dataclasses import dataclass, field, replace

import comfy.cldm.cldm
import comfy.controlnet
import comfy.hooks
import comfy.lora
import comfy.model_management
import comfy.ops
import comfy.sample
import comfy.samplers
import comfy.sd
import pytest
import torch

from ...host.injection import USE_EXISTING, MotionSettings, apply_motion_module
from ...host.injection.animated_image import AnimatedImage
from ...host.injection.apply import attention_with
from ...host.injection.camera import CameraMove
from ...host.injection.frame_rate import FrameRate
from ...host.injection.known_frames import KnownFrames
from ...host.injection.motion_models import (
    MotionModule,
    motion_module_from_file,
    new_motion_module,
    save_motion_module,
)
from ...host.injection.places import places_of
from ...host.injection.reference_image import LCMImage
from ...host.sampling.reuse_deep_features import reuse_deep_features
from ...host.windows import ContextSettings, apply_context_windows
from ...motion_modules.call import Call
from ...motion_modules.camera.moves import moved
from ...motion_modules.method import TemporalMethod
from ...motion_modules.points import inject
from ...samplers.deep_features import ReuseSettings
from ..gold_weights import gold_tensor
from ..networks.image_unets import IMAGE_UNETS, ImageUNet
from .host.media.small_vaes import image_vae
from .host.sampling.replaced_features import replacing

F, H, W = 5, 8, 16
EPS32 = 2.0**-23
STEPS_OF_ROUNDING = 2**10
"""How many roundings of float32 may add up in one sampling
of these networks where sums are taken in another order.
"""


INPUTS = {
    "PIA": lambda: AnimatedImage(image_vae(), _image(), motion="large"),
    # Its position table acts before training wherever it has a factor.
    "AnimateLCM-I2V": lambda: LCMImage(image_vae(), _image(), motion_scale=0.0),
    "Frame rate embedding": lambda: FrameRate(7.0),
    "CameraCtrl": lambda: _camera(),
    "MotionCtrl": lambda: _camera(),
    "Masked frames": lambda: KnownFrames(image_vae(), _image(), "0"),
}
"""Method -> what it needs besides its weights, for the rules."""


def _image() -> torch.Tensor:
    return gold_tensor("image", (1, 40, 56, 3)).sigmoid()


def _camera() -> CameraMove:
    return CameraMove(moved("orbit left", num_frames=7, speed=3.0, focal_length=0.5, aspect=1.5))


def with_inputs(module: MotionModule) -> MotionModule:
    """The module with what its method needs besides the weights, or as it is."""
    return replace(module, inputs=INPUTS[module.method.name]()) if module.method.needs else module


@functools.cache
def checkpoint(name: str):
    """The MODEL of a kind of checkpoint, made once."""
    return IMAGE_UNETS[name].model()


@dataclass
class Case:
    """One method on one kind of checkpoint."""

    method: TemporalMethod
    kind: str
    folder: object  # of files that a rule writes
    modules: dict = field(default_factory=dict)
    sampled: dict = field(default_factory=dict)

    @property
    def unet(self) -> ImageUNet:
        return IMAGE_UNETS[self.kind]

    @property
    def images(self) -> int:
        """Images of a batch that are one video of F frames."""
        return F * self.method.streams

    @property
    def plain(self):
        return checkpoint(self.kind)

    def fresh_unet(self) -> torch.nn.Module:
        """The checkpoint's UNet without the patches that core leaves on a loaded one."""
        return self.unet.model().model.diffusion_model

    def new(self) -> MotionModule:
        """An untrained module for this checkpoint."""
        return new_motion_module(self.method, places_of(self.plain.model.diffusion_model))

    def trained(self) -> MotionModule:
        """A module with seeded weights, so that it acts."""
        if "trained" not in self.modules:
            module = self.new()
            with torch.no_grad():
                for name, parameter in module.patcher.model.named_parameters():
                    if self.method.is_trained(name):
                        parameter.copy_(gold_tensor(name, parameter.shape))
            self.modules["trained"] = replace(module, is_untrained=False)
        return self.modules["trained"]

    def picture(self) -> torch.Tensor:
        """What the plain checkpoint samples: made once."""
        if "picture" not in self.sampled:
            self.sampled["picture"] = self.sample(self.plain)
        return self.sampled["picture"]

    def video(self) -> torch.Tensor:
        """What it samples with the trained module as it is applied without settings: made once."""
        if "video" not in self.sampled:
            self.sampled["video"] = self.sample(self.moving())
        return self.sampled["video"]

    def own_layers(self) -> list[torch.nn.Module]:
        """The modules of the method's own network."""
        return list(self.trained().patcher.model.modules())

    def call(self, forward) -> Call:
        """A forward of F frames as the method's acts see it, outside of a sampler."""
        inputs = with_inputs(self.trained()).inputs
        ready = inputs and inputs.for_run(self.plain, torch.Size((self.images, 4, H, W)), F)
        return Call(forward, F, attention=attention_with(forward.options), inputs=ready)

    def moving(self, module: MotionModule | None = None, model=None, **settings):
        settings = MotionSettings(**{"beta_schedule": USE_EXISTING, **settings})
        module = with_inputs(module or self.trained())
        return apply_motion_module(model or self.plain, module, settings)

    def sample(
        self, model, frames=F, steps=2, cfg=3.0, positive=None, negative=None, callback=None, **kwargs
    ) -> torch.Tensor:
        """Core's sampling with both kinds of conditioning: (F, 4, H, W), (2F, 4, H, W) of two streams."""
        latent = torch.zeros(frames * self.method.streams, 4, H, W)
        noise = kwargs.pop("noise", None)
        noise = comfy.sample.prepare_noise(latent, 1) if noise is None else noise
        latent = latent[: len(noise)]
        positive, negative = (
            positive or self.unet.conditioning("positive"),
            negative or self.unet.conditioning("negative"),
        )
        return comfy.sample.sample(
            model,
            noise,
            steps,
            cfg,
            "euler",
            "normal",
            positive,
            negative,
            latent,
            disable_pbar=True,
            seed=1,
            callback=callback,
            **kwargs,
        )


def same(got: torch.Tensor, want: torch.Tensor) -> None:
    """Equal but for the order of float32 sums."""
    tolerance = STEPS_OF_ROUNDING * EPS32 * float(want.abs().max())
    torch.testing.assert_close(got, want, atol=tolerance, rtol=0)


def acts(case: Case, moving, plain=None) -> torch.Tensor:
    """What a moving MODEL makes; it must not be what the plain one makes."""
    got, without = case.sample(moving), case.picture() if plain is None else case.sample(plain)
    assert torch.isfinite(got).all()
    assert (got - without).abs().max() > 1e-3 * without.abs().max()
    return got


def it_changes_nothing_until_it_is_trained(case: Case) -> None:
    """Or lets frames see each other, where the method says so: then one frame alone is the plain one."""
    frames = 1 if case.method.acts_untrained else F
    untrained = case.moving(case.new())
    assert torch.equal(case.sample(untrained, frames=frames), case.sample(case.plain, frames=frames))
    if case.method.acts_untrained:
        acts(case, untrained)


def it_acts_once_it_is_trained(case: Case) -> None:
    acts(case, case.moving())


def strength_0_is_the_plain_checkpoint(case: Case) -> None:
    assert torch.equal(case.sample(case.moving(strength=0.0)), case.picture())


def half_the_strength_is_another_picture(case: Case) -> None:
    assert not torch.allclose(case.sample(case.moving(strength=0.5)), case.video(), atol=1e-3)


def one_frame_is_a_picture(case: Case) -> None:
    assert torch.isfinite(case.sample(case.moving(), frames=1)).all()


def several_videos_do_not_mix(case: Case) -> None:
    moving, video = case.moving(frames_per_video=3), 3 * case.method.streams
    noise = torch.randn(2 * video, 4, H, W, generator=torch.Generator().manual_seed(2))
    together = case.sample(moving, noise=noise, frames=6)
    same(together, torch.cat([case.sample(moving, noise=part, frames=3) for part in noise.split(video)]))


def windows_may_be_shorter_than_it_was_trained_for(case: Case) -> None:
    windows = [ContextSettings(context_length=3, context_overlap=1, windows_per_batch=n) for n in (1, 0)]
    one_by_one, together = (
        case.sample(apply_context_windows(case.moving(), settings)) for settings in windows
    )
    same(together, one_by_one)
    assert torch.isfinite(together).all()
    if case.method.per_frame:
        same(together, case.video())


def one_window_is_no_window(case: Case) -> None:
    windowed = apply_context_windows(case.moving(), ContextSettings(context_length=F, context_overlap=2))
    assert torch.equal(case.sample(windowed), case.video())


def half_precision_is_close_to_float32(case: Case) -> None:
    """In bfloat16 and float16 the UNet with the module rounds like the plain UNet: of the type's own size."""
    network, unet = case.trained().patcher.model, case.fresh_unet()
    for dtype in (torch.bfloat16, torch.float16):
        half_network, half_unet = copy.deepcopy(network).to(dtype), case.fresh_unet()
        half_unet.to(dtype).dtype = dtype
        for name, parameter in half_network.named_parameters():
            if case.method.keeps_float32(name):
                parameter.data = parameter.data.float()
        rounded = _forward(case, half_unet, half_network, dtype)
        assert rounded.dtype == dtype
        error = rounded.float() - _forward(case, unet, network, torch.float32)
        plain = _forward(case, half_unet, None, dtype).float() - _forward(case, unet, None, torch.float32)
        assert error.square().mean() < 100 * plain.square().mean()


def _forward(case: Case, unet, network, dtype: torch.dtype) -> torch.Tensor:
    """One forward of a UNet on seeded frames, with a network's acts or plain."""
    acts_ = case.method.acts(network, places_of(unet)) if network is not None else {}
    n = case.images
    y = (
        gold_tensor("y", (n, case.plain.model.adm_channels)).to(dtype)
        if unet.num_classes is not None
        else None
    )
    x, context = gold_tensor("x", (n, 4, H, W)) * 4, gold_tensor("context", (n, 7, case.unet.text_width))
    with torch.no_grad(), inject(unet, acts_, case.call):
        return unet(x.to(dtype), torch.full((n,), 500.0), context=context.to(dtype), y=y)


def gradients_reach_exactly_what_is_trained(case: Case) -> None:
    network, unet = case.trained().patcher.model, case.fresh_unet()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(case.method.is_trained(name))

    n = case.images
    x, t, context, y = (
        torch.randn(n, 4, H, W),
        torch.full((n,), 500.0),
        torch.randn(n, 7, case.unet.text_width),
        None,
    )
    if unet.num_classes is not None:
        y = torch.randn(n, case.plain.model.adm_channels)
    try:
        with torch.enable_grad(), inject(unet, case.method.acts(network, places_of(unet)), case.call):
            unet(x, t, context=context, y=y).square().mean().backward()
        reached = {
            name for name, p in network.named_parameters() if p.grad is not None and bool((p.grad != 0).any())
        }
    finally:
        network.requires_grad_(False).zero_grad(set_to_none=True)
    assert reached == {name for name, _ in network.named_parameters() if case.method.is_trained(name)}
    assert all(p.grad is None for p in unet.parameters())


def saving_and_loading_keeps_keys_and_numbers(case: Case) -> None:
    module, path = case.trained(), case.folder / "module.safetensors"
    save_motion_module(module, str(path))
    loaded = motion_module_from_file(str(path))
    assert loaded.method.name == case.method.name
    assert (
        case.method.to_file(loaded.patcher.model).keys() == case.method.to_file(module.patcher.model).keys()
    )
    weights = loaded.patcher.model.state_dict()
    for key, value in module.patcher.model.state_dict().items():
        assert torch.equal(weights[key], value), key
    assert torch.equal(case.sample(case.moving(loaded)), case.video())


def a_controlnet_works_beside_it(case: Case) -> None:
    controlled = [[text, {**values, "control": _controlnet(case), "control_apply_to_uncond": True}]
                  for text, values in case.unet.conditioning("positive")]  # fmt: skip
    got = case.sample(case.moving(), positive=controlled)
    assert not torch.allclose(got, case.video(), atol=1e-3)
    assert not torch.allclose(got, case.sample(case.plain, positive=controlled), atol=1e-3)


@functools.cache
def _controlnet_of(kind: str):
    settings = dict(checkpoint(kind).model.model_config.unet_config)
    of_unets_only = ("out_channels", "transformer_depth_output", "disable_unet_model_creation")
    settings = {key: value for key, value in settings.items() if key not in of_unets_only}
    network = comfy.cldm.cldm.ControlNet(
        **settings, hint_channels=3, operations=comfy.ops.disable_weight_init
    )
    network.load_state_dict(
        {key: 0.1 * gold_tensor(key, value.shape) for key, value in network.state_dict().items()}
    )
    cpu = torch.device("cpu")
    return comfy.controlnet.ControlNet(network.eval().requires_grad_(False), load_device=cpu)


def _controlnet(case: Case):
    hints = torch.rand(F, 3, H * 8, W * 8, generator=torch.Generator().manual_seed(4))
    return _controlnet_of(case.kind).copy().set_cond_hint(hints, 0.7)


def _lora(case: Case) -> dict:
    """A rank-2 LoRA of the first spatial transformer, in the spelling of core's own files."""
    path = next(
        block.transformers[0]
        for block in places_of(case.plain.model.diffusion_model).blocks.values()
        if block.transformers
    )
    weight = case.plain.model.diffusion_model.get_submodule(f"{path}.transformer_blocks.0.attn1.to_q").weight
    keys = comfy.lora.model_lora_keys_unet(case.plain.model)
    name = next(
        key
        for key, target in keys.items()
        if str(target).endswith(f"{path}.transformer_blocks.0.attn1.to_q.weight")
    )
    return {f"{name}.lora_up.weight": gold_tensor("up.weight", (weight.shape[0], 2)),
            f"{name}.lora_down.weight": gold_tensor("down.weight", (2, weight.shape[1]))}  # fmt: skip


def a_lora_of_the_checkpoint_works_under_it(case: Case) -> None:
    with_lora, _ = comfy.sd.load_lora_for_models(case.plain, None, _lora(case), 1.0, 0)
    got = acts(case, case.moving(model=with_lora), with_lora)
    assert not torch.allclose(got, case.video(), atol=1e-3)


def hooks_work_beside_it(case: Case) -> None:
    group = comfy.hooks.create_hook_lora(_lora(case), 1.0, 1.0)
    hooked = [[text, {**values, "hooks": group}] for text, values in case.unet.conditioning("positive")]
    want = case.video()
    assert not torch.allclose(case.sample(case.moving(), positive=hooked), want, atol=1e-3)
    assert torch.equal(case.sample(case.moving()), want)


def masked_conditionings_work_beside_it(case: Case) -> None:
    mask = torch.zeros(1, H, W)
    mask[..., : W // 2] = 1
    positive = [
        [text, {**values, "mask": mask, "mask_strength": 1.0}]
        for text, values in case.unet.conditioning("masked")
    ]
    got = case.sample(case.moving(), positive=positive + case.unet.conditioning("positive"))
    assert torch.isfinite(got).all() and not torch.allclose(got, case.video(), atol=1e-3)


def deep_features_are_reused_with_it(case: Case) -> None:
    """Steps that compute the outer blocks only, with its layers in them, on either side of its node."""
    moving, settings = case.moving(), ReuseSettings(interval=2, depth=4)
    got = case.sample(reuse_deep_features(moving, settings))
    same(got, case.sample(replacing(moving, 2, 4)))
    assert torch.equal(case.sample(case.moving(model=reuse_deep_features(case.plain, settings))), got)


def what_it_needs_is_asked_for(case: Case) -> None:
    """Where it needs something besides its weights, a module without it is refused."""
    if case.method.needs:
        with pytest.raises(ValueError, match=f"which needs {re.escape(case.method.needs)}"):
            apply_motion_module(case.plain, case.new(), MotionSettings())


def little_memory_gives_the_same(case: Case) -> None:
    moving, want = case.moving(), case.video()
    patchers = [moving, *moving.get_nested_additional_models()]
    for patcher in patchers:
        patcher.detach()
        patcher.patch_model(device_to=patcher.load_device, lowvram_model_memory=4096)
    try:
        same(case.sample(moving), want)
    finally:
        for patcher in patchers:
            patcher.detach()


def conditionings_one_by_one_give_the_same(case: Case) -> None:
    moving, model = case.moving(), case.plain.model
    want, factor = case.video(), model.memory_usage_factor
    model.memory_usage_factor = 1e9  # now core finds room for one conditioning only
    try:
        same(case.sample(moving), want)
    finally:
        model.memory_usage_factor = factor


def two_of_it_work_on_one_model(case: Case) -> None:
    """Or are refused, where only one can decide what self-attentions read."""
    if case.method.sets_keys:
        with pytest.raises(ValueError, match="decides already which frames"):
            case.moving(model=case.moving())
        return
    once = case.moving(strength=0.5)
    twice = case.moving(model=once, strength=0.5)
    acts(case, twice, once)


def the_checkpoint_is_bit_identical_afterwards(case: Case) -> None:
    """After a run, a run that failed, and one that was interrupted."""
    want, moving = case.picture(), case.moving()
    assert not torch.equal(case.sample(moving), want)
    assert torch.equal(case.sample(case.plain), want)

    def fail(*args):
        raise RuntimeError("out of memory, say")

    failing = moving.clone()
    failing.set_model_output_block_patch(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        case.sample(failing)
    assert torch.equal(case.sample(case.plain), want)

    def interrupt(step, denoised, x, total):
        raise comfy.model_management.InterruptProcessingException()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        case.sample(moving, callback=interrupt)
    assert torch.equal(case.sample(case.plain), want)
    assert not set(map(id, case.own_layers())) & set(map(id, case.plain.model.modules()))


RULES = [
    it_changes_nothing_until_it_is_trained,
    it_acts_once_it_is_trained,
    strength_0_is_the_plain_checkpoint,
    half_the_strength_is_another_picture,
    one_frame_is_a_picture,
    several_videos_do_not_mix,
    windows_may_be_shorter_than_it_was_trained_for,
    one_window_is_no_window,
    half_precision_is_close_to_float32,
    gradients_reach_exactly_what_is_trained,
    saving_and_loading_keeps_keys_and_numbers,
    a_controlnet_works_beside_it,
    a_lora_of_the_checkpoint_works_under_it,
    hooks_work_beside_it,
    masked_conditionings_work_beside_it,
    deep_features_are_reused_with_it,
    what_it_needs_is_asked_for,
    little_memory_gives_the_same,
    conditionings_one_by_one_give_the_same,
    two_of_it_work_on_one_model,
    the_checkpoint_is_bit_identical_afterwards,
]
