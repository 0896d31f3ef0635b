"""A trained MotionLoRA acts from its file as it did where it was trained."""

import folder_paths
import pytest
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_loras import add_motion_lora_from_file
from zoetrope.host.tuning.temporal_training import LORA_LAYERS, save_motion_lora, train_motion_lora
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module, sample
from zoetrope.tests.comfy.host.tuning.small_runs import a_run
from zoetrope.tests.rounding import assert_same


@pytest.mark.parametrize("layers", LORA_LAYERS)
def test_a_motion_lora_acts_from_its_file_as_it_was_trained(layers, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    model, module = golden_model(), motion_module("v2")
    trained, lora, run = train_motion_lora(model, module, a_run(), 3, layers)
    path = save_motion_lora(lora, "motion_loras/mine")
    assert path.parent == tmp_path / "motion_loras"
    loaded = add_motion_lora_from_file(module, str(path), 1.0)
    samples = [sample(apply_motion_module(model, m, MotionSettings())) for m in (module, trained, loaded)]
    assert_same(samples[2], samples[1], 1e-5)
    assert float((samples[1] - samples[0]).abs().max()) > 1e-3
    assert all(change.alpha is None for change in lora.changes) and len(run.losses) == 3


def test_an_untrained_motion_lora_changes_nothing():
    model, module = golden_model(), motion_module("v3")
    trained, _, _ = train_motion_lora(model, module, a_run(steps=1, learning_rate=1e-30), 3, "attention")
    kept, changed = (sample(apply_motion_module(model, m, MotionSettings())) for m in (module, trained))
    assert_same(changed, kept, 1e-6)
