"""CameraCtrl and MotionCtrl give the numbers of the published code, on a module that is loaded before."""

import json
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.frame_values import ScaledKeys
from zoetrope.host.injection import USE_EXISTING, MotionSettings, apply_motion_module
from zoetrope.host.injection.camera import CameraMove, add_camera_control_from_file, move_camera
from zoetrope.host.injection.motion_loras import add_motion_lora_from_file
from zoetrope.host.injection.motion_models import motion_module_from_file, save_motion_module
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.animatediff.files import fuse_qkv
from zoetrope.motion_modules.animatediff.layers import TemporalTransformer, sdpa_attention, sinusoidal_table
from zoetrope.motion_modules.camera import motion_ctrl
from zoetrope.motion_modules.camera.camera_ctrl import PoseEncoder
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
    def at_level(self, call, level, like):
        return torch.zeros_like(super().at_level(call, level, like))


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


SIX = moved("orbit left", 6, 2.0, 0.5, 1.5)


def moving(module, poses=SIX, windows=None, strength=1.0, **settings):
    """A MODEL whose camera moves, with the noise schedule of the checkpoint."""
    settings = MotionSettings(beta_schedule=USE_EXISTING, **settings)
    model = apply_motion_module(checkpoint(), move_camera(module, CameraMove(poses, strength)), settings)
    return apply_context_windows(model, windows) if windows else model


@pytest.fixture(params=["cameractrl", "motionctrl"])
def steered(request):
    """A module with each of the controls."""
    return request.getfixturevalue(request.param)


def test_poses_and_their_strength_act(steered):
    want = sample(moving(steered))
    for other in (dict(poses=moved("orbit right", 6, 2.0, 0.5, 1.5)), dict(strength=0.5)):
        assert not torch.allclose(sample(moving(steered, **other)), want, atol=1e-3)
    assert torch.isfinite(sample(moving(steered), size=(7, 11))).all()
    assert torch.equal(sample(moving(steered)), want)


def test_cameractrl_of_strength_0_is_the_module_alone(v3, cameractrl):
    alone = apply_motion_module(checkpoint(), v3, MotionSettings(beta_schedule=USE_EXISTING))
    assert_same(sample(moving(cameractrl, strength=0.0)), sample(alone))


def test_both_prompts_get_cameractrl_s_features_and_one_motionctrl_s_matrix(motionctrl, monkeypatch):
    """Rows of the negative prompt are zeros."""
    seen = []
    plain = CameraCondition.matrices
    monkeypatch.setattr(CameraCondition, "matrices", lambda *args: seen.append(plain(*args)) or seen[-1])
    sample(moving(motionctrl), frames=5, steps=1)
    rows = seen[0].split(5)
    zeros = [not part.any() for part in rows]
    assert sorted(zeros) == [False, True]
    assert torch.equal(rows[zeros.index(False)], SIX.of_frames(range(5)).matrices())


@pytest.mark.parametrize("windows_per_batch", [1, 0])
def test_windows_begin_at_the_origin(steered, windows_per_batch, monkeypatch):
    """Each of frames 0-2 and 2-4 of 5 has the poses of its frames, from its first one on."""
    asked = set()
    plain = CameraPoses.of_frames
    monkeypatch.setattr(
        CameraPoses, "of_frames", lambda poses, frames: asked.add(tuple(frames)) or plain(poses, frames)
    )
    windows = ContextSettings(3, 1, windows_per_batch=windows_per_batch)
    got = sample(moving(steered, windows=windows))
    assert torch.isfinite(got).all()
    assert asked == {(0, 1, 2, 3, 4), (0, 1, 2), (2, 3, 4)}


def test_each_video_goes_the_same_way(steered):
    noise = gold_input("noise", (3, 4, 16, 8)).repeat(2, 1, 1, 1)
    first, second = sample(moving(steered, frames_per_video=3), noise=noise, frames=6).split(3)
    assert_same(first, second)


def test_a_motion_lora_before_or_behind_is_the_same(v3, control_files):
    """Of a layer that no camera control replaces."""
    target = "down_blocks.0.motion_modules.1.temporal_transformer.transformer_blocks.0.attention_blocks.0."
    lora = {
        f"{target}processor.to_v_lora.{side}.weight": gold_tensor(side, shape)
        for side, shape in (("up", (64, 2)), ("down", (2, 64)))
    }
    save_file(lora, control_files / "lora.safetensors")
    for file in ("pruned.safetensors", "cmcm.safetensors"):

        def with_lora(module):
            return add_motion_lora_from_file(module, str(control_files / "lora.safetensors"), 0.7)

        def with_camera(module, file=file):
            return add_camera_control_from_file(module, str(control_files / file))

        behind, before = with_lora(with_camera(v3)), with_camera(with_lora(v3))
        want = sample(moving(behind))
        assert torch.equal(sample(moving(before)), want)
        assert not torch.allclose(sample(moving(with_camera(v3))), want, atol=1e-3)


def test_the_module_that_was_given_is_not_changed(v3, control_files):
    before = {key: value.clone() for key, value in v3.patcher.model.state_dict().items()}
    add_camera_control_from_file(v3, str(control_files / "cmcm.safetensors"))
    assert all(torch.equal(value, before[key]) for key, value in v3.patcher.model.state_dict().items())


def test_a_saved_module_is_the_published_parts_in_one_file(steered, control_files):
    save_motion_module(steered, str(control_files / "saved.safetensors"))
    saved = load_file(control_files / "saved.safetensors")
    encoder, attentions = cameractrl_parts()
    own = encoder | attentions if steered.method.name == "CameraCtrl" else motionctrl_file()
    assert all(torch.equal(saved[key], value) for key, value in own.items())
    again = motion_module_from_file(str(control_files / "saved.safetensors"))
    assert (again.method, again.config) == (steered.method, steered.config)


def test_ckpt_files_are_read_as_the_others(v3, control_files, motionctrl):
    loaded = add_camera_control_from_file(v3, str(control_files / "cmcm.ckpt"))
    want = motionctrl.patcher.model.state_dict()
    assert all(torch.equal(value, want[key]) for key, value in loaded.patcher.model.state_dict().items())


def test_a_v2_module_is_steered_but_in_the_middle(control_files, caplog):
    """Its middle block gives what it gives without the control."""
    v2 = with_middle(control_files)
    for file in ("pruned.safetensors", "cmcm.safetensors"):
        steered = add_camera_control_from_file(v2, str(control_files / file))
        assert f"'{file}' steers no layer at mid_block.motion_modules.0" in caplog.text
        tokens = gold_input("tokens", (3, 5, 128))
        camera = gold_input("camera", (3, 5, 128 if file == "pruned.safetensors" else 12))
        with torch.no_grad():
            plain, block = (
                module.patcher.model.get_submodule("mid_block.motion_modules.0.temporal_transformer")
                .transformer_blocks[0]
                for module in (v2, steered)
            )  # fmt: skip
            assert_same(
                block(tokens, sdpa_attention, camera=camera, strength=1.0), plain(tokens, sdpa_attention)
            )


def with_middle(folder):
    """The golden module with one more site, in the middle, of seeded numbers."""
    own = {k: v for k, v in published().items() if "motion_modules." in k and MERGE not in k}
    last = "down_blocks.3.motion_modules.0."
    middle = {k.replace(last, "mid_block.motion_modules.0."): v.clone() for k, v in own.items() if last in k}
    save_file(own | middle | tables(own | middle, 32), folder / "v2.safetensors")
    return motion_module_from_file(str(folder / "v2.safetensors"))


def test_files_that_are_something_else_or_damaged_are_refused(v3, cameractrl, control_files):
    encoder, attentions = cameractrl_parts()
    first = next(iter(attentions))
    bad = {
        "is no camera control: .* found keys of a UNet without motion modules": {
            "down_blocks.0.x": torch.ones(3)
        },
        "lacks the key 'pose_encoder.encoder_conv_in.bias'|lacks the key 'encoder_conv_in.bias'": {
            k: v for k, v in (encoder | attentions).items() if k != "encoder_conv_in.bias"
        },
        "holds numbers that are not finite": encoder | attentions | {first: attentions[first] * torch.nan},
        "steers a module of 32 channels at .* this one has 64": encoder
        | {k: v[:32] for k, v in attentions.items()},
    }
    for message, tensors in bad.items():
        save_file({k: v.contiguous() for k, v in tensors.items()}, control_files / "bad.safetensors")
        with pytest.raises(ValueError, match=message):
            add_camera_control_from_file(v3, str(control_files / "bad.safetensors"))
    for module in (cameractrl, replace(v3, method=motion_ctrl.METHOD)):
        with pytest.raises(ValueError, match="CameraCtrl goes on a plain AnimateDiff module"):
            add_camera_control_from_file(module, str(control_files / "pruned.safetensors"))
    save_motion_module(cameractrl, str(control_files / "saved.safetensors"))
    with pytest.raises(ValueError, match=r"a motion module with CameraCtrl \(use Load Motion Module\)"):
        add_camera_control_from_file(v3, str(control_files / "saved.safetensors"))
    for file in ("pruned.safetensors", "CameraCtrl.ckpt", "cmcm.safetensors"):
        with pytest.raises(ValueError, match="is a camera control; .* 'Load Camera Control'"):
            motion_module_from_file(str(control_files / file))


def test_bad_input_is_named(v3, steered):
    with pytest.raises(ValueError, match="camera_poses holds 3 poses and the video has 5 frames"):
        sample(moving(steered, SIX.of_frames(range(3))))
    with pytest.raises(ValueError, match="is a module of AnimateDiff without camera control"):
        move_camera(v3, CameraMove(SIX))
    with pytest.raises(ValueError, match="needs camera poses; put the node 'Move Camera'"):
        apply_motion_module(checkpoint(), steered, MotionSettings())
    with pytest.raises(ValueError, match="strength=nan must be a finite number"):
        CameraMove(SIX, float("nan"))


def test_cameractrl_knows_16_frames_and_whole_images(cameractrl):
    poses = moved("hold", 17, 1.0, 0.5, 1.5)
    with pytest.raises(ValueError, match="17 frames are more than the 16"):
        sample(moving(cameractrl, poses), frames=17)
    part = [[gold_input("positive", (1, 7, 48)), {"area": (8, 4, 0, 0), "strength": 1.0}]]
    with pytest.raises(ValueError, match="the network got a part of .*limit a prompt by a mask"):
        sample(moving(cameractrl), positive=part)


def test_the_scale_of_keys_is_for_the_module_not_for_the_encoder(cameractrl, monkeypatch):
    used = []
    plain = PoseEncoder.forward
    monkeypatch.setattr(
        PoseEncoder,
        "forward",
        lambda encoder, rays, attention: used.append(attention) or plain(encoder, rays, attention),
    )
    scaled = sample(moving(cameractrl, attention_scale=1.5))
    assert not torch.allclose(scaled, sample(moving(cameractrl)), atol=1e-3)
    assert len(used) == 2 and not any(isinstance(attention, ScaledKeys) for attention in used)
