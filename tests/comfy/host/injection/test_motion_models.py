"""Motion modules and MotionLoRAs as ComfyUI models: whose weights are whose, what a file's numbers become."""

import json
import logging
import subprocess
import sys

import comfy.model_management
import pytest
import torch
from safetensors.torch import save_file
from zoetrope.benchmarks.full_size import random_state_dict
from zoetrope.devtools.paths import ROOT
from zoetrope.host.injection.motion_loras import add_motion_lora_from_file
from zoetrope.host.injection.motion_models import motion_module_from_file
from zoetrope.motion_modules.animatediff.files import to_original_names
from zoetrope.motion_modules.animatediff.layers import MotionConfig, MotionModel, animatediff_sites
from zoetrope.tests.comfy.golden_unet import animatediff_shapes, motion_module, motion_state_dict
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.rounding import WEIGHT, assert_same

SITE = "down_blocks.0.motion_modules.0.temporal_transformer."
BLOCK = SITE + "transformer_blocks.0."
C, RANK = 32, 3
FF = {
    f"{BLOCK}ff.net.0.proj.lora_up.weight": (8 * C, RANK),
    f"{BLOCK}ff.net.0.proj.lora_down.weight": (RANK, C),
}
TO_K = {
    f"{BLOCK}attention_blocks.0.to_k.lora_up.weight": (C, RANK),
    f"{BLOCK}attention_blocks.0.to_k.lora_down.weight": (RANK, C),
}


@pytest.fixture(scope="module")
def v2():
    return motion_module("v2")


@pytest.fixture
def lora_file(tmp_path):
    """A function that writes a MotionLoRA of these shapes, and gives its path and tensors."""

    def write(shapes, metadata=None, name="lora.safetensors", **more):
        tensors = {key: gold_tensor("lora." + key, shape) for key, shape in shapes.items()} | more
        save_file(tensors, tmp_path / name, metadata)
        return str(tmp_path / name), tensors

    return write


def changed(module, key):
    """A weight with its patches, as ComfyUI computes it."""
    return module.patcher.patch_weight_to_device(key, return_weight=True).float()


def own(module, key):
    return module.patcher.model.get_parameter(key).float()


def test_a_pair_is_added_by_hand_and_by_comfyui_alike(v2, lora_file):
    path, t = lora_file({**FF, **TO_K}, **{f"{BLOCK}ff.net.0.proj.alpha": torch.tensor(1.5)})
    module = add_motion_lora_from_file(v2, path, 0.8)
    up, down = (t[f"{BLOCK}ff.net.0.proj.lora_{side}.weight"] for side in ("up", "down"))
    key = BLOCK + "ff.net.0.proj.weight"
    assert_same(changed(module, key), own(v2, key) + 0.8 * 1.5 / RANK * up @ down, WEIGHT)
    up, down = (t[f"{BLOCK}attention_blocks.0.to_k.lora_{side}.weight"] for side in ("up", "down"))
    key = BLOCK + "attention_blocks.0.to_qkv.weight"
    wanted = own(v2, key).clone()
    wanted[C : 2 * C] += 0.8 * up @ down
    assert_same(changed(module, key), wanted, WEIGHT)


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({"unet.lora_alpha": 6, "text_encoder.lora_alpha": 9}, 2.0),
        ({"lora_alpha": 1.5}, 0.5),
        ({"unet.r": RANK}, 1.0),
        (None, 1.0),
    ],
)
def test_the_alpha_that_diffusers_writes_beside_the_tensors_counts(v2, lora_file, settings, scale):
    metadata = None if settings is None else {"format": "pt", "lora_adapter_metadata": json.dumps(settings)}
    path, t = lora_file(FF, metadata)
    up, down = t.values()
    key = BLOCK + "ff.net.0.proj.weight"
    change = changed(add_motion_lora_from_file(v2, path, 1.0), key) - own(v2, key)
    assert_same(own(v2, key) + change, own(v2, key) + scale * up @ down, WEIGHT)


@pytest.mark.parametrize("text", ["{", "[3]", '{"lora_alpha": "much"}', '{"lora_alpha": NaN}'])
def test_settings_beside_the_tensors_that_cannot_be_read_are_refused(v2, lora_file, text):
    with pytest.raises(ValueError, match="'lora.safetensors' has .*save it again"):
        add_motion_lora_from_file(v2, lora_file(FF, {"lora_adapter_metadata": text})[0], 1.0)


@pytest.mark.parametrize("name", ["alpha_pattern", "use_rslora"])
def test_scales_that_cannot_be_applied_are_refused(v2, lora_file, name):
    path, _ = lora_file(FF, {"lora_adapter_metadata": json.dumps({f"unet.{name}": {"to_q": 2}})})
    with pytest.raises(ValueError, match=f"lora.safetensors.*{name}"):
        add_motion_lora_from_file(v2, path, 1.0)


def test_every_motion_lora_has_a_network_of_its_own_that_shares_what_is_not_changed(v2, lora_file):
    path, _ = lora_file(FF)
    modules = [v2, add_motion_lora_from_file(v2, path, 1.0)]
    modules.append(add_motion_lora_from_file(modules[1], path, -0.5))
    networks = [m.patcher.model for m in modules]
    assert len(set(map(id, networks))) == 3
    assert len({m.patcher.patches_uuid for m in modules}) == 3
    for parameters in zip(*(network.parameters() for network in networks), strict=True):
        assert len({p.data_ptr() for p in parameters}) == 1
        assert len(set(map(id, parameters))) == 3
    assert [len(m.patcher.patches.get(BLOCK + "ff.net.0.proj.weight", ())) for m in modules] == [0, 1, 2]
    assert not any(p.patcher.backup is q.patcher.backup for p in modules for q in modules if p is not q)


def test_a_module_that_is_loaded_gives_its_own_weights_not_the_patched_ones(v2, lora_file):
    first, t = lora_file(FF)
    second, _ = lora_file(TO_K, name="second.safetensors")
    loaded = add_motion_lora_from_file(v2, first, 1.0)
    wanted = changed(add_motion_lora_from_file(loaded, second, 1.0), BLOCK + "ff.net.0.proj.weight")
    comfy.model_management.load_models_gpu([loaded.patcher])
    assert not torch.equal(
        own(loaded, BLOCK + "ff.net.0.proj.weight"), own(v2, BLOCK + "ff.net.0.proj.weight")
    )
    later = add_motion_lora_from_file(loaded, second, 1.0)
    assert torch.equal(changed(later, BLOCK + "ff.net.0.proj.weight"), wanted)
    comfy.model_management.load_models_gpu([later.patcher])
    assert torch.equal(own(later, BLOCK + "ff.net.0.proj.weight"), wanted)
    loaded.patcher.detach()
    later.patcher.detach()
    for key in (BLOCK + "ff.net.0.proj.weight", BLOCK + "attention_blocks.0.to_qkv.weight"):
        assert torch.equal(own(loaded, key), own(v2, key)) and torch.equal(own(later, key), own(v2, key))


@pytest.mark.parametrize(("up", "down"), [((8 * C, 5), (5, 2 * C)), ((4 * C, 5), (5, C))])
def test_a_lora_for_another_size_is_refused_by_name(v2, lora_file, up, down):
    path, _ = lora_file(
        {f"{BLOCK}ff.net.0.proj.lora_up.weight": up, f"{BLOCK}ff.net.0.proj.lora_down.weight": down}
    )
    with pytest.raises(
        ValueError,
        match=f"'lora.safetensors' is made for {down[1]} channels .to {up[0]}.*has {C} .to {8 * C}",
    ):
        add_motion_lora_from_file(v2, path, 1.0)


def test_a_lora_for_sites_that_the_module_lacks_is_refused_by_name(v2, lora_file):
    path, _ = lora_file(
        {key.replace("motion_modules.0", "motion_modules.7"): shape for key, shape in FF.items()}
    )
    with pytest.raises(
        ValueError, match="'lora.safetensors' changes 'down_blocks.0.motion_modules.7.*does not have"
    ):
        add_motion_lora_from_file(v2, path, 1.0)


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -float("inf")])
def test_a_strength_that_is_no_number_is_refused(v2, lora_file, strength):
    with pytest.raises(ValueError, match=f"strength={strength} must be a finite number"):
        add_motion_lora_from_file(v2, lora_file(FF)[0], strength)


@pytest.mark.parametrize(
    "key", [BLOCK + "ff.net.2.bias", BLOCK + "attention_blocks.1.to_v.weight", SITE + "norm.weight"]
)
def test_a_module_with_numbers_that_are_not_finite_is_refused_by_name(tmp_path, key):
    tensors = motion_state_dict("v3")
    tensors[key] = tensors[key].clone()
    tensors[key].view(-1)[-1] = float("nan")
    save_file(tensors, tmp_path / "broken.safetensors")
    with pytest.raises(ValueError, match=f"'broken.safetensors': '{key}' holds numbers that are not finite"):
        motion_module_from_file(str(tmp_path / "broken.safetensors"))


def notes(caplog, module, path, strength=1.0):
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        add_motion_lora_from_file(module, path, strength)
    return [record.message for record in caplog.records]


def test_odd_pairs_of_module_and_lora_run_and_are_said(v2, lora_file, caplog):
    v3 = motion_module("v3")
    shapes = animatediff_shapes()["motionlora_rank4"]
    whole, _ = lora_file(shapes)
    without_middle, _ = lora_file(
        {k: s for k, s in shapes.items() if "mid_block" not in k}, name="v1.safetensors"
    )
    assert notes(caplog, v2, whole) == []
    assert notes(caplog, v3, without_middle) == []
    (text,) = notes(caplog, v3, whole)
    changes = len(shapes) // 2
    left_out = sum("mid_block" in key for key in shapes) // 2
    assert "'lora.safetensors' was made for v2 and 'v3.safetensors' is v3" in text
    assert f"{left_out} of its {changes} changes" in text
    (text,) = notes(caplog, v2, without_middle)
    assert "'v1.safetensors' changes nothing in the middle block" in text
    assert notes(caplog, v2, whole, 0.0) == ["The MotionLoRA 'lora.safetensors' is off: its strength is 0."]


def test_tensors_for_the_checkpoint_are_said(v2, lora_file, caplog):
    shapes = animatediff_shapes()["motionlora_rank4"] | {
        "unet.down_blocks.0.attentions.0.proj_in.lora_up.weight": (C, RANK)
    }
    (text,) = notes(caplog, v2, lora_file(shapes)[0])
    assert (
        "has 1 tensors that are for the checkpoint" in text and "down_blocks.0.attentions.0.proj_in" in text
    )


LOADING = """
import runpy, sys

dev = runpy.run_path(sys.argv[1])
dev["import_pack_as"]()
dev["enter_comfyui"](dev["find_comfyui"](), sys.argv[2])
from zoetrope.benchmarks.peak_memory import Peak
from zoetrope.host.injection.motion_models import motion_module_from_file

with Peak() as peak:
    module = motion_module_from_file(sys.argv[3])
print(peak.more / sum(p.nbytes for p in module.patcher.model.parameters()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["module.safetensors", "module.ckpt"])
def test_loading_in_another_dtype_takes_little_more_than_the_module(tmp_path, name):
    """In a process of its own: float16 in the file, float32 on the CPU, 180 MB."""
    network = MotionModel(MotionConfig("v3", animatediff_sites((320,) * 4, with_mid=False)), device="meta")
    network.load_state_dict(random_state_dict(network, 0), assign=True)
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)(to_original_names(network), path)
    command = [sys.executable, "-c", LOADING, str(ROOT / "dev.py"), str(tmp_path / "base"), str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert 0.95 < float(done.stdout.splitlines()[-1]) < 1.25
