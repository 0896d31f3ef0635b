"""Several Apply Motion Module on one MODEL, and one module on several MODELs: each runs with its own weights.

The oracle is the module alone: all others are idle (a percent range that no step reaches), so the result is
that of the one that acts, bit for bit.
"""

import pytest
import torch
from safetensors.torch import save_file
from zoetrope.host import injection
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_loras import add_motion_lora_from_file
from zoetrope.tests.comfy.golden_unet import animatediff_shapes, motion_module, sample
from zoetrope.tests.comfy.host.context_rig import evaluate, prompt, seeded
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.rounding import assert_same

SIZE = {"size": (8, 8), "steps": 2, "frames": 3}


@pytest.fixture(scope="module")
def loras(tmp_path_factory):
    """Paths of two MotionLoRAs: of attention, and of a feed-forward layer."""
    folder = tmp_path_factory.mktemp("loras")
    shapes = animatediff_shapes()["motionlora_rank4"]
    ff = "up_blocks.3.motion_modules.2.temporal_transformer.transformer_blocks.0.ff.net.2."
    files = {
        "attention": shapes,
        "feed-forward": {ff + "lora_up.weight": (32, 3), ff + "lora_down.weight": (3, 128)},
    }
    for name, shapes in files.items():
        save_file(
            {k: gold_tensor(name + k, s, 3.0) for k, s in shapes.items()}, folder / f"{name}.safetensors"
        )
    return {name: str(folder / f"{name}.safetensors") for name in files}


@pytest.fixture(scope="module")
def modules(loras):
    """One file, with different MotionLoRAs and strengths of them."""
    module = motion_module("v2")
    return {
        "none": module,
        "attention": add_motion_lora_from_file(module, loras["attention"], 1.0),
        "weaker": add_motion_lora_from_file(module, loras["attention"], 0.25),
        "both": add_motion_lora_from_file(
            add_motion_lora_from_file(module, loras["attention"], 1.0), loras["feed-forward"], 1.0
        ),
    }


def settings(idle=False, **more):
    never = {"start_percent": 0.999, "end_percent": 0.999} if idle else {}
    return MotionSettings(beta_schedule=injection.USE_EXISTING, **never, **more)


@pytest.fixture(scope="module")
def alone(plain, modules):
    results = {
        name: sample(apply_motion_module(plain, module, settings()), **SIZE)
        for name, module in modules.items()
    }
    values = list(results.values())
    assert all((a - b).abs().max() > 1e-2 * b.std() for i, a in enumerate(values) for b in values[:i])
    return results


PAIRS = [
    ("none", "attention"),
    ("attention", "none"),
    ("attention", "weaker"),
    ("weaker", "both"),
    ("both", "none"),
]


@pytest.mark.parametrize(("idle", "acting"), PAIRS)
@pytest.mark.parametrize("idle_first", [True, False])
def test_of_two_each_acts_with_its_own_weights(plain, modules, alone, idle, acting, idle_first):
    order = [(idle, True), (acting, False)]
    model = plain
    for name, is_idle in order if idle_first else reversed(order):
        model = apply_motion_module(model, modules[name], settings(is_idle))
    assert torch.equal(sample(model, **SIZE), alone[acting])


@pytest.mark.parametrize("acting", ["none", "attention", "both"])
def test_of_three_each_acts_with_its_own_weights(plain, modules, alone, acting):
    model = plain
    for name in ("attention", "none", "both"):
        model = apply_motion_module(model, modules[name], settings(name != acting))
    assert torch.equal(sample(model.clone(), **SIZE), alone[acting])


def test_one_after_another_in_the_schedule_is_each_in_its_part(plain, modules):
    """At a high noise level only the first acts, at a low one only the second: each as alone, bit for bit."""
    model = plain
    for name, start, end in (("attention", 0.0, 0.5), ("both", 0.501, 1.0)):
        model = apply_motion_module(model, modules[name], settings(start_percent=start, end_percent=end))
    noise, positive, negative = seeded(3, 4, 8, 8), prompt(), prompt(seed=3)
    for sigma, name, other in ((9.0, "attention", "both"), (0.7, "both", "attention")):
        acting, silent = (
            evaluate(
                apply_motion_module(plain, modules[n], settings()),
                noise,
                positive,
                negative,
                sigmas=(sigma, 0.0),
            )
            for n in (name, other)
        )
        assert torch.equal(evaluate(model, noise, positive, negative, sigmas=(sigma, 0.0)), acting)
        assert not torch.equal(acting, silent)


def test_the_same_module_twice_is_loaded_once_and_acts_twice(plain, modules):
    half = settings(strength=0.5)
    model = apply_motion_module(
        apply_motion_module(plain, modules["attention"], half), modules["attention"], half
    )
    networks = {id(patcher.model) for patcher in model.get_nested_additional_models()}
    assert networks == {id(modules["attention"].patcher.model)}
    assert torch.isfinite(sample(model, **SIZE)).all()


def test_one_module_on_two_clones_of_a_checkpoint_with_different_loras(plain, modules, alone):
    """As in one prompt with two samplers, in turn and again."""
    one = apply_motion_module(plain.clone(), modules["attention"], settings())
    other = apply_motion_module(plain.clone(), modules["none"], settings())
    for model, name in ((one, "attention"), (other, "none"), (one, "attention"), (other, "none")):
        assert torch.equal(sample(model, **SIZE), alone[name])


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
@pytest.mark.parametrize("group_norm", [injection.AUTO, injection.JOINT_EVOLVED])
def test_every_version_with_its_norms(plain, loras, version, group_norm):
    module = motion_module(version, 24 if version == "v1" else 32)
    changed = add_motion_lora_from_file(module, loras["attention"], 1.0)
    wanted = sample(apply_motion_module(plain, changed, settings(group_norm=group_norm)), **SIZE)
    model = apply_motion_module(plain, module, settings(True, group_norm=group_norm))
    assert torch.equal(
        sample(apply_motion_module(model, changed, settings(group_norm=group_norm)), **SIZE), wanted
    )


def test_with_little_memory_each_keeps_its_own_weights(plain, modules, alone):
    """Partial loading: weights stay where they are and are patched while they are used."""
    for acting in ("none", "attention"):
        model = plain
        for name in ("attention", "none"):
            model = apply_motion_module(model, modules[name], settings(name != acting))
        patchers = [model, *model.get_nested_additional_models()]
        for patcher in patchers:
            patcher.detach()
            patcher.patch_model(device_to=patcher.load_device, lowvram_model_memory=4096)
            assert patcher.model.model_lowvram
        try:
            assert_same(sample(model, **SIZE), alone[acting])
        finally:
            for patcher in patchers:
                patcher.detach()
