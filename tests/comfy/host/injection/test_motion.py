import comfy.hooks
import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.sd
import pytest
import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras import nodes_train
from safetensors.torch import load_file, save_file
from zoetrope.host import injection
from zoetrope.host.injection import MotionSettings, apply_motion_module, motion_loras, motion_models
from zoetrope.host.injection.apply import attention_with
from zoetrope.host.injection.places import places_of
from zoetrope.motion_modules.animatediff.files import to_original_names
from zoetrope.motion_modules.animatediff.layers import (
    MotionConfig,
    MotionModel,
    animatediff_sites,
    motion_acts,
)
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.joint_norm import joint_norm_acts
from zoetrope.motion_modules.points import inject
from zoetrope.tests.comfy.golden_unet import animatediff_shapes, forward, motion_module, sample
from zoetrope.tests.gold_weights import gold_input, gold_tensor
from zoetrope.tests.networks.image_unets import transformer
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import OTHER_BATCH, assert_same


@pytest.fixture(scope="module")
def gold():
    return load_file(GOLDENS / "animatediff" / "unet3d_tiny.safetensors")


@pytest.fixture(scope="module")
def modules():
    return {"v1": motion_module("v1", 24), "v2": motion_module("v2"), "v3": motion_module("v3")}


def test_the_plain_golden_unet_is_the_reference_without_motion(plain, gold):
    assert_same(forward(plain, gold["x"], gold["t"], gold["ctx"]), gold["y_2d"])


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_unet_with_module_gives_the_numbers_of_the_reference(plain, modules, gold, version):
    model = apply_motion_module(plain, modules[version], MotionSettings())
    assert_same(forward(model, gold["x"], gold["t"], gold["ctx"]), gold[f"y_{version}"])


def test_24_frames_give_the_numbers_of_the_reference(plain, modules, gold):
    model = apply_motion_module(plain, modules["v2"], MotionSettings())
    assert_same(forward(model, gold["x24"], gold["t24"], gold["ctx"][:1]), gold["y24_v2"])


def test_motion_lora_gives_the_numbers_of_the_reference(plain, modules, gold, tmp_path, monkeypatch):
    lora = {
        k: gold_tensor("motionlora." + k, s, 0.7) for k, s in animatediff_shapes()["motionlora_rank4"].items()
    }
    save_file(lora, tmp_path / "lora.safetensors")
    monkeypatch.setattr(motion_loras, "find_model_file", lambda key, name: str(tmp_path / name))
    with_lora = motion_loras.add_motion_lora(modules["v2"], "lora.safetensors", 0.8)
    y = forward(apply_motion_module(plain, with_lora, MotionSettings()), gold["x"], gold["t"], gold["ctx"])
    assert_same(y, gold["y_v2_motionlora_0.8"])
    # And the module it was added to is as before.
    y = forward(
        apply_motion_module(plain, modules["v2"], MotionSettings()), gold["x"], gold["t"], gold["ctx"]
    )
    assert_same(y, gold["y_v2"])
    # A LoRA for v2 goes onto v3 without its middle block.
    assert motion_loras.add_motion_lora(modules["v3"], "lora.safetensors", 1.0).patcher.patches


def test_domain_adapter_through_core_s_lora_code_gives_the_numbers_of_the_reference(plain, modules, gold):
    adapter = {
        k: gold_tensor("adapter." + k, s, 0.7) for k, s in animatediff_shapes()["adapter_rank4"].items()
    }
    adapted, _ = comfy.sd.load_lora_for_models(plain, None, adapter, 0.5, 0)
    y = forward(
        apply_motion_module(adapted, modules["v3"], MotionSettings()), gold["x"], gold["t"], gold["ctx"]
    )
    assert_same(y, gold["y_v3_adapter_0.5"])


def _without_beta_change(**kwargs) -> MotionSettings:
    return MotionSettings(beta_schedule=injection.USE_EXISTING, **kwargs)


def test_strength_0_and_a_percent_range_that_is_never_reached_are_the_plain_model_bit_for_bit(plain, modules):
    want = sample(plain)
    assert torch.equal(sample(apply_motion_module(plain, modules["v1"], MotionSettings(strength=0))), want)
    never = apply_motion_module(
        plain, modules["v1"], _without_beta_change(start_percent=0.999, end_percent=0.999)
    )
    assert torch.equal(sample(never), want)
    assert not torch.equal(sample(apply_motion_module(plain, modules["v1"], _without_beta_change())), want)


@pytest.mark.parametrize("group_norm", [injection.PER_FRAME, injection.JOINT, injection.JOINT_EVOLVED])
def test_the_plain_model_is_bit_identical_after_a_run_a_failed_run_and_an_interrupted_run(
    plain, modules, group_norm
):
    want = sample(plain)
    moving = apply_motion_module(plain, modules["v1"], MotionSettings(group_norm=group_norm))
    assert not torch.equal(sample(moving), want)
    assert torch.equal(sample(plain), want)

    def fail(*args):
        raise RuntimeError("out of memory, say")

    failing = moving.clone()
    failing.set_model_output_block_patch(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        sample(failing)
    assert torch.equal(sample(plain), want)

    def interrupt(step, denoised, x, total):
        raise comfy.model_management.InterruptProcessingException()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(moving, callback=interrupt)
    assert torch.equal(sample(plain), want)
    assert not [m for m in plain.model.diffusion_model.modules() if isinstance(m, MotionModel)]


def test_cond_and_uncond_batched_or_one_by_one_give_the_same(plain, modules, monkeypatch):
    moving = apply_motion_module(plain, modules["v1"], MotionSettings())
    chunks = []
    seen = moving.clone()
    seen.set_model_unet_function_wrapper(
        lambda f, a: chunks.append(len(a["cond_or_uncond"])) or f(a["input"], a["timestep"], **a["c"])
    )
    batched = sample(seen)
    assert set(chunks) == {2}
    chunks.clear()
    monkeypatch.setattr(plain.model, "memory_required", lambda *args, **kwargs: 1e15)
    split = sample(seen)
    assert set(chunks) == {1}
    assert_same(split, batched, OTHER_BATCH)


@pytest.mark.parametrize(
    ("sampler", "scheduler"),
    [
        ("euler", "karras"),
        ("euler_ancestral", "normal"),
        ("dpmpp_2m", "simple"),
        ("dpmpp_2m_sde", "ddim_uniform"),
        ("ddim", "beta"),
        ("uni_pc", "normal"),
        ("lcm", "sgm_uniform"),
        ("heun", "exponential"),
    ],
)
def test_core_s_samplers_run_and_the_module_acts_in_them(plain, modules, sampler, scheduler):
    moving = sample(
        apply_motion_module(plain, modules["v3"], _without_beta_change()),
        sampler=sampler,
        scheduler=scheduler,
        steps=3,
    )
    assert torch.isfinite(moving).all()
    assert not torch.allclose(moving, sample(plain, sampler=sampler, scheduler=scheduler, steps=3), atol=1e-3)


def test_advanced_ksampler_ranges_join_to_the_full_run(plain, modules):
    moving = apply_motion_module(plain, modules["v2"], MotionSettings())
    whole = sample(moving, steps=4)
    first = sample(moving, steps=4, last_step=2, force_full_denoise=False)
    positive, negative = ([[gold_input(n, (1, 7, 48)), {}]] for n in ("positive", "negative"))
    latent = comfy.sample.sample(
        moving,
        torch.zeros_like(first),
        4,
        3.0,
        "euler",
        "normal",
        positive,
        negative,
        first,
        disable_noise=True,
        start_step=2,
        disable_pbar=True,
        seed=1,
    )
    assert_same(latent, whole)


def test_several_videos_in_a_batch_are_those_videos_one_by_one(plain, modules, gold):
    model = apply_motion_module(plain, modules["v1"], MotionSettings(frames_per_video=5))
    x = torch.randn(1, 4, 15, 16, 8)
    together = forward(model, x, gold["t24"], gold["ctx"][:1])
    alone = [forward(model, part, gold["t24"], gold["ctx"][:1]) for part in x.split(5, dim=2)]
    assert_same(together, torch.cat(alone, 2), OTHER_BATCH)
    with pytest.raises(ValueError, match="frames_per_video=5"):
        forward(model, x[:, :, :7], gold["t24"], gold["ctx"][:1])


@pytest.mark.parametrize("frames", [1, 2, 32])
def test_fewer_frames_than_trained_up_to_the_table_s_end(plain, modules, frames):
    assert torch.isfinite(
        sample(
            apply_motion_module(plain, modules["v3"], MotionSettings()), frames=frames, size=(8, 8), steps=1
        )
    ).all()


def test_33_frames_name_the_context_windows(plain, modules):
    model = apply_motion_module(plain, modules["v3"], MotionSettings())
    with pytest.raises(ValueError, match="33 frames are more than the 32.*Context Windows"):
        sample(model, frames=33, size=(8, 8), steps=1)
    assert torch.isfinite(sample(model, frames=3, size=(8, 8), steps=1)).all()


def test_two_modules_add_up_and_both_norms_survive(plain, modules, gold):
    x, t, ctx = gold["x24"], gold["t24"], gold["ctx"][:1]
    once = apply_motion_module(plain, modules["v2"], MotionSettings(strength=0.5, group_norm=injection.JOINT))
    twice = apply_motion_module(once, modules["v2"], MotionSettings(strength=0.5, group_norm=injection.JOINT))
    assert len(twice.get_nested_additional_models()) == 2
    y = forward(twice, x, t, ctx)
    assert torch.isfinite(y).all()
    assert not torch.allclose(y, forward(once, x, t, ctx), atol=1e-3)


def test_the_result_survives_clone_and_later_patches(plain, modules):
    moving = apply_motion_module(plain, modules["v2"], MotionSettings())
    want = sample(moving)
    later = moving.clone()
    calls = []
    later.set_model_attn1_patch(lambda q, k, v, options: calls.append(1) or (q, k, v))
    assert torch.equal(sample(later.clone()), want)
    assert calls


def test_another_pack_s_layer_patch_keeps_working_before_and_after_ours(plain, modules):
    def add(amount):
        def handler(layer, x, emb, context, options, *rest):
            # what other packs do: run the layer, change the result
            return layer(x, context, options) + amount

        return (SpatialTransformer, handler)

    def patched_before():
        model = plain.clone()
        model.set_model_forward_timestep_embed_patch(add(0.25))
        return model

    other_only = sample(patched_before())
    before = sample(apply_motion_module(patched_before(), modules["v2"], _without_beta_change()))
    ours = apply_motion_module(plain, modules["v2"], _without_beta_change())
    only_ours = sample(ours)
    ours.set_model_forward_timestep_embed_patch(add(0.25))
    after = sample(ours)
    assert not torch.allclose(before, other_only, atol=1e-3)
    assert not torch.allclose(before, only_ours, atol=1e-3)
    assert torch.equal(before, after)


def test_clones_of_one_checkpoint_with_different_modules_take_turns(plain, modules):
    clones = {
        "plain": plain,
        "v1": apply_motion_module(plain, modules["v1"], MotionSettings()),
        "v3": apply_motion_module(plain, modules["v3"], MotionSettings()),
        "both": apply_motion_module(
            apply_motion_module(plain, modules["v2"], MotionSettings()), modules["v1"], MotionSettings()
        ),
    }
    alone = {name: sample(model, steps=1) for name, model in clones.items()}
    assert len({float(result.sum()) for result in alone.values()}) == len(clones)
    for name in ("v3", "plain", "v1", "both", "v1", "plain", "v3"):
        assert torch.equal(sample(clones[name], steps=1), alone[name]), name


def test_the_layers_train_the_same_with_core_s_gradient_checkpointing(plain, gold):
    """Core's trainer runs whole blocks again in the backward pass,
    where no wrapper stands around the forward.
    """
    module = motion_module("v1", 24)
    trained = module.patcher.model.requires_grad_(True)
    unet = plain.model.diffusion_model
    acts = {**joint_norm_acts(places_of(unet)), **motion_acts(trained, places_of(unet))}
    inputs = (
        gold["x24"][0].transpose(0, 1),
        gold["t24"].float().expand(24),
        gold["ctx"][:1].expand(24, -1, -1),
    )
    blocks = [*unet.input_blocks[1:], unet.middle_block, *unet.output_blocks]
    gradients = []
    for checkpointed in (False, True):
        with inject(unet, acts, lambda forward: Call(forward, 24, attention=attention_with(forward.options))):
            for block in blocks if checkpointed else ():
                nodes_train.patch(block)
            try:
                with torch.enable_grad():
                    unet(inputs[0], inputs[1], context=inputs[2]).square().mean().backward()
            finally:
                for block in blocks if checkpointed else ():
                    nodes_train.unpatch(block)
        gradients.append(
            {name: p.grad.clone() for name, p in trained.named_parameters() if p.grad is not None}
        )
        trained.zero_grad(set_to_none=True)
    plain_gradients, again = gradients
    assert plain_gradients.keys() == again.keys() and len(again) > 200
    for name, gradient in plain_gradients.items():
        assert_same(again[name], gradient)


def test_a_compiled_model_gives_the_same_and_leaves_the_plain_one_alone(plain, modules):
    want, moving = sample(plain, steps=1), apply_motion_module(plain, modules["v1"], MotionSettings())
    compiled = moving.clone()
    set_torch_compile_wrapper(compiled, backend="eager")
    assert_same(sample(compiled, steps=1), sample(moving, steps=1))
    assert torch.equal(sample(plain, steps=1), want)


def test_core_lora_hooks_apply_under_the_module(plain, modules):
    moving = apply_motion_module(plain, modules["v3"], MotionSettings())
    adapter = {
        k: gold_tensor("adapter." + k, s, 0.7) for k, s in animatediff_shapes()["adapter_rank4"].items()
    }
    group = comfy.hooks.create_hook_lora(adapter, 1.0, 1.0)
    hooked = [[gold_input("positive", (1, 7, 48)), {"hooks": group}]]
    want = sample(moving)
    assert not torch.allclose(sample(moving, positive=hooked), want, atol=1e-3)
    assert torch.equal(sample(moving), want)


def test_partially_loaded_weights_as_in_low_vram_mode_give_the_same(plain, modules, gold):
    moving = apply_motion_module(plain, modules["v2"], MotionSettings())
    args = (moving, gold["x24"], gold["t24"], gold["ctx"][:1])
    want = forward(*args)
    patchers = [moving, *moving.get_nested_additional_models()]
    for patcher in patchers:
        patcher.detach()
        patcher.patch_model(device_to=patcher.load_device, lowvram_model_memory=4096)
        assert patcher.model.model_lowvram
    try:
        assert_same(forward(*args), want)
    finally:
        for patcher in patchers:
            patcher.detach()


def test_beta_schedule_is_the_trained_one_and_can_be_kept(plain, modules):
    def sigma_max(**kwargs):
        return float(
            apply_motion_module(plain, modules["v3"], MotionSettings(**kwargs))
            .get_model_object("model_sampling")
            .sigma_max
        )

    assert sigma_max() == pytest.approx(25.15, abs=0.01)
    assert sigma_max(beta_schedule="linear (AnimateDiff-SDXL)") == pytest.approx(65.93, abs=0.01)
    assert sigma_max(beta_schedule=injection.USE_EXISTING) == float(plain.model.model_sampling.sigma_max)


def test_evolved_norm_mode_differs_from_the_reference_mode(plain, modules, gold):
    args = (gold["x24"], gold["t24"], gold["ctx"][:1])
    results = [
        forward(apply_motion_module(plain, modules["v1"], MotionSettings(group_norm=mode)), *args)
        for mode in (injection.PER_FRAME, injection.JOINT, injection.JOINT_EVOLVED)
    ]
    assert all((a - b).abs().max() > 0.01 for i, a in enumerate(results) for b in results[:i])
    places = places_of(plain.model.diffusion_model)
    assert [len(joint_norm_acts(places, with_transformers)) for with_transformers in (False, True)] == [
        45,
        61,
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start_percent": 0.8, "end_percent": 0.2}, "start_percent=0.8"),
        ({"strength": -1.0}, "strength=-1.0"),
        ({"frames_per_video": -1}, "frames_per_video=-1"),
        ({"beta_schedule": "cosine"}, "beta_schedule='cosine'"),
        ({"group_norm": "batch"}, "group_norm='batch'"),
    ],
)
def test_bad_settings_are_refused(plain, modules, settings, message):
    with pytest.raises(ValueError, match=message):
        apply_motion_module(plain, modules["v3"], MotionSettings(**settings))


def test_a_module_for_another_base_model_is_refused(plain, tmp_path):
    for channels, message in (
        ((32, 64, 128), "SDXL.*4 .SD1.x"),
        ((32, 64, 64, 64), "64 channels, this checkpoint has 128"),
    ):
        sd = to_original_names(MotionModel(MotionConfig("any", animatediff_sites(channels, with_mid=False))))
        save_file(sd, tmp_path / "other.safetensors")
        other = motion_models.motion_module_from_file(str(tmp_path / "other.safetensors"))
        with pytest.raises(ValueError, match=message):
            apply_motion_module(plain, other, MotionSettings())


def test_a_model_that_is_not_a_unet_is_refused(modules):
    with pytest.raises(
        ValueError, match="needs a Stable Diffusion UNet, this MODEL is a Flux.*Load Checkpoint"
    ):
        apply_motion_module(transformer(), modules["v3"], MotionSettings())


@pytest.mark.parametrize(
    ("version", "choice", "same"),
    [
        ("v1", injection.AS_EVOLVED, injection.JOINT_EVOLVED),
        ("v2", injection.AS_EVOLVED, injection.PER_FRAME),
        ("v2", injection.AS_EVOLVED_OLD, injection.JOINT_EVOLVED),
        ("v3", injection.AS_EVOLVED_OLD, injection.PER_FRAME),
    ],
)
def test_norms_of_the_other_pack_go_by_the_file(plain, modules, version, choice, same):
    got, wanted = (
        sample(apply_motion_module(plain, modules[version], MotionSettings(group_norm=norms)), frames=2)
        for norms in (choice, same)
    )
    assert torch.equal(got, wanted)
