"""What is trained on a checkpoint goes into the files that people load, by core's own nodes."""

import pytest
import torch
from comfy_extras.nodes_model_merging import ModelMergeSimple, ModelSave
from safetensors.torch import load_file
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.tuning.network_loras import train_network_lora
from zoetrope.host.tuning.temporal_training import train_temporal_layers
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module, sample, sd1_model
from zoetrope.tests.comfy.host.context_rig import windowed
from zoetrope.tests.comfy.host.tuning.small_runs import a_run

PREFIX = "model.diffusion_model."


def saved(model, folder):
    """The UNet that core's Save Model writes, under its names without a prefix."""
    saver = ModelSave()
    saver.output_dir = str(folder)
    saver.save(model, filename_prefix="merged")
    (path,) = folder.glob("merged*.safetensors")
    tensors = load_file(path)
    assert all(key.startswith(PREFIX) for key in tensors)
    return {key.removeprefix(PREFIX): value for key, value in tensors.items()}


def under_a_module(model):
    return apply_motion_module(model, motion_module("v3"), MotionSettings())


@pytest.fixture(scope="module")
def trained(comfy_base):
    """A checkpoint with a LoRA that was trained under a motion module and context windows."""
    run = a_run(single_frames=0.5)
    return train_network_lora(windowed(under_a_module(golden_model())), run, 2, "spatial and text")[0]


def test_a_trained_lora_is_saved_into_the_checkpoint(trained, tmp_path):
    """The file is a plain checkpoint: nothing of the module and the windows is in it."""
    merged, plain = saved(trained, tmp_path), golden_model().model.diffusion_model.state_dict()
    assert merged.keys() == plain.keys()
    changed = {key for key, value in merged.items() if not torch.equal(value, plain[key])}
    assert changed and all(".attn" in key or ".ff." in key for key in changed)
    alone = under_a_module(sd1_model(merged))
    wanted = sample(trained, frames=3)  # a single window
    torch.testing.assert_close(sample(alone, frames=3), wanted, rtol=1e-4, atol=1e-4)


def test_a_trained_lora_is_merged_with_another_checkpoint_by_half(trained):
    plain = golden_model()
    none, half, whole = (
        sample(ModelMergeSimple().merge(plain, trained, ratio)[0], frames=3) for ratio in (1.0, 0.5, 0.0)
    )
    assert torch.equal(none, sample(plain, frames=3))
    assert not torch.allclose(whole, none, atol=1e-4) and torch.isfinite(half).all()
    assert not torch.allclose(half, none, atol=1e-5) and not torch.allclose(half, whole, atol=1e-5)


def test_layers_over_frames_stay_a_file_of_their_own(tmp_path):
    """Save Model of a checkpoint with trained layers on it writes the checkpoint as it was."""
    module, _ = train_temporal_layers(golden_model(), motion_module("v3"), a_run())
    model = apply_motion_module(golden_model(), module, MotionSettings())
    sample(model)
    merged, plain = saved(model, tmp_path), golden_model().model.diffusion_model.state_dict()
    assert merged.keys() == plain.keys() and all(torch.equal(merged[key], plain[key]) for key in plain)
