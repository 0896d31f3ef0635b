"""CameraCtrl and MotionCtrl give the numbers of the published code, on a module that is loaded before."""

import json
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import USE_EXISTING, MotionSettings, apply_motion_module
from zoetrope.host.injection.camera import CameraMove, add_camera_control_from_file, move_camera
from zoetrope.host.injection.motion_loras import add_motion_lora_from_file
from zoetrope.host.injection.motion_models import motion_module_from_file, save_motion_module
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.animatediff.files import fuse_qkv
from zoetrope.motion_modules.animatediff.layers import TemporalTransformer, sdpa_attention, sinusoidal_table
from zoetrope.motion_modules.camera import motion_ctrl
from zoetrope.motion_modules.camera.camera_ctrl import PIXELS, PoseEncoder
from zoetrope.motion_modules.camera.condition import CameraCondition
from zoetrope.motion_modules.camera.moves import moved
from zoetrope.motion_modules.camera.pose_text import read_pose_text
from zoetrope.motion_modules.camera.poses import CameraPoses
from zoetrope.motion_modules.frame_features import FrameFeatures
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.comfy.golden_unet import forward, in_ldm_names, sample, sd1_model
from zoetrope.tests.comfy.golden_unet import motion_module as animatediff_module
from zoetrope.tests.comfy.sampler_run import in_sampling_run
from zoetrope.tests.gold_weights import gold_input, gold_state_dict, gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

FOLDER = GOLDENS / "cameractrl"
GOLDEN = load_file(FOLDER / "unet_cameractrl.safetensors")
META = json.loads((FOLDER / "unet_cameractrl.json").read_text())
MERGE = ".processor.qkv_merge."
POSES = read_pose_text(META["pose_file"], META["original_width"] / META["original_height"])


@cache
def published() -> dict[str, torch.Tensor]:
    """The weights of the whole UNet under their published names."""
    return gold_state_dict(META["shapes"], META["gains"])


@cache
def checkpoint():
    return sd1_model(in_ldm_names({k: v for k, v in published().items() if "motion_modules." not in k}))


def tables(weights, rows):
    """Position tables for every query of a state dict."""
    names = [key for key in weights if key.endswith("to_q.weight")]
    return {
        k.replace("to_q.weight", "pos_encoder.pe"): sinusoidal_table(rows, len(weights[k])) for k in names
    }


def cameractrl_parts() -> tuple[dict, dict]:
    """What CameraCtrl's file holds: of the encoder, and of the attentions."""
    encoder = {k: gold_tensor(f"pose_encoder.{k}", s) for k, s in META["encoder_shapes"].items()}
    return encoder | tables(encoder, 16), {k: v for k, v in published().items() if MERGE in k}


@cache
def motionctrl_file() -> dict[str, torch.Tensor]:
    """What MotionCtrl's file holds, for the module of CameraCtrl's golden file, of seeded numbers."""
    meta = json.loads((GOLDENS / "motionctrl" / "mm_motionctrl_c64.json").read_text())
    parts = [k for k in meta["shapes"] if any(p in k for p in ("attention_blocks.1.", "norms.1.", "cc_proj"))]
    found = {}
    for key, value in published().items():
        if key.endswith("temporal_transformer.proj_in.weight"):
            site, width = key.removesuffix("temporal_transformer.proj_in.weight"), len(value)
            for part in parts:
                # Other numbers than the module has under these names.
                shape = [{64: width, 76: width + 12}[size] for size in meta["shapes"][part]]
                found[site + part] = gold_tensor(f"motionctrl.{site}{part}", shape)
    return found | tables(found, 32)


@pytest.fixture
def v3(tmp_path):
    """The module of the golden file without a camera."""
    own = {k: v for k, v in published().items() if "motion_modules." in k and MERGE not in k}
    save_file(own | tables(own, 32), tmp_path / "v3.safetensors")
    return motion_module_from_file(str(tmp_path / "v3.safetensors"))


@pytest.fixture
def control_files(tmp_path):
    encoder, attentions = cameractrl_parts()
    save_file(encoder | attentions, tmp_path / "pruned.safetensors")
    training = {"epoch": 3, "global_step": 5}
    with_module = {f"module.{k}": v for k, v in attentions.items()}
    parts = {"pose_encoder_state_dict": encoder, "attention_processor_state_dict": with_module}
    torch.save(parts | training, tmp_path / "CameraCtrl.ckpt")
    save_file(motionctrl_file(), tmp_path / "cmcm.safetensors")
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in motionctrl_file().items()}}, tmp_path / "cmcm.ckpt"
    )
    return tmp_path


@pytest.fixture
def cameractrl(v3, control_files):
    return add_camera_control_from_file(v3, str(control_files / "pruned.safetensors"))


@pytest.fixture
def motionctrl(v3, control_files):
    return add_camera_control_from_file(v3, str(control_files / "cmcm.safetensors"))


class ZeroFeatures(FrameFeatures):
    def at_level(self, call, level, like, encode):
        return torch.zeros_like(super().at_level(call, level, like, encode))


@dataclass(frozen=True)
class WithZeroFeatures:
    """The golden case of features that are zero."""

    def for_run(self, model, shape, num_frames):
        condition = CameraCondition(POSES, shape[2:])
        object.__setattr__(condition, "features", ZeroFeatures(num_frames))
        return condition


CASES = {"y": CameraMove(POSES), "y_scale_0.5": CameraMove(POSES, 0.5), "y_zero_features": WithZeroFeatures()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("file", ["pruned.safetensors", "CameraCtrl.ckpt"])
def test_the_whole_unet_with_cameractrl_is_the_published_one(v3, control_files, file, case):
    module = replace(add_camera_control_from_file(v3, str(control_files / file)), inputs=CASES[case])
    assert (module.method.name, module.title) == ("CameraCtrl", "AnimateDiff v3 with CameraCtrl")
    model = apply_motion_module(checkpoint(), module, MotionSettings())
    x, t, ctx = (GOLDEN[name] for name in ("x", "t", "ctx"))
    assert_same(in_sampling_run(model, x, lambda: forward(model, x, t, ctx)), GOLDEN[case])


def test_the_pose_encoder_is_the_published_one(cameractrl):
    encoder: PoseEncoder = cameractrl.patcher.model.pose_encoder
    features = encoder(POSES.rays(*META["pose_image"]), sdpa_attention)
    for level, feature in enumerate(features):
        assert_same(feature.transpose(0, 1)[None], GOLDEN[f"pose_feature{level}"])


def test_one_steered_attention_is_the_published_one(cameractrl):
    transformer = cameractrl.patcher.model.get_submodule(
        "down_blocks.1.motion_modules.0.temporal_transformer"
    )
    attention = transformer.transformer_blocks[0].attention_blocks[0]
    assert_same(attention(GOLDEN["attn_x"], sdpa_attention, GOLDEN["attn_pose"], 1.0), GOLDEN["attn_y"])


def test_a_motion_module_with_motionctrl_is_the_published_one():
    """Of its two videos the first has zeros for matrices, as the negative prompt."""
    folder = GOLDENS / "motionctrl"
    gold = load_file(folder / "mm_motionctrl_c64.safetensors")
    meta = json.loads((folder / "mm_motionctrl_c64.json").read_text())
    weights = gold_state_dict(meta["shapes"], meta["gains"])
    config = animatediff_module("v3").config
    module = TemporalTransformer(64, config, block_class=motion_ctrl.SteeredBlock)
    named = {k.removeprefix("temporal_transformer."): v for k, v in weights.items()}
    module.load_state_dict(fuse_qkv(named | tables(named, 32)))
    pixels = gold["x"].shape[3] * gold["x"].shape[4]
    camera = gold["RT"].repeat_interleave(pixels, 0)
    x = fold_frames(gold["x"])
    with torch.no_grad():
        got = module(x, gold["RT"].shape[1], sdpa_attention, camera=camera, strength=1.0)
    assert_same(unfold_frames(x + got, gold["RT"].shape[1]), gold["y"])


def test_motionctrl_s_file_replaces_what_it_trained(v3, motionctrl):
    assert motionctrl.title == "AnimateDiff v3 with MotionCtrl"
    before, after = (module.patcher.model.state_dict() for module in (v3, motionctrl))
    site = "up_blocks.2.motion_modules.1.temporal_transformer.transformer_blocks.0."
    for part in ("attention_blocks.1.to_out.0.weight", "norms.1.bias", "cc_projection.weight"):
        assert torch.equal(after[site + part], motionctrl_file()[site + part])
    query = motionctrl_file()[f"{site}attention_blocks.1.to_q.weight"]
    assert torch.equal(after[f"{site}attention_blocks.1.to_qkv.weight"].chunk(3)[0], query)
    assert torch.equal(after[f"{site}norms.0.weight"], before[f"{site}norms.0.weight"])
    assert not torch.equal(before[f"{site}norms.1.weight"], after[f"{site}norms.1.weight"])
