"""Training runs in ComfyUI: what they leave alone, how they stop and go on, and that every method trains."""

import io
from dataclasses import replace

import comfy.model_management
import comfy.utils
import numpy as np
import pytest
import torch
from PIL import Image
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.camera import CameraMove
from zoetrope.host.injection.frame_rate import FrameRate, set_frame_rate
from zoetrope.host.injection.motion_loras import add_changes
from zoetrope.host.injection.motion_models import new_for_model
from zoetrope.host.tuning import progress
from zoetrope.host.tuning import run as runs
from zoetrope.host.tuning.clips import TrainingClips, add_clip
from zoetrope.host.tuning.temporal_training import train_motion_lora, train_temporal_layers
from zoetrope.motion_modules.frame_rate import METHOD as FRAME_RATE
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module, sample
from zoetrope.tests.comfy.host.context_rig import PRECISE, controlnet, hint_images, windowed, with_control
from zoetrope.tests.comfy.host.tuning.small_runs import FRAMES, a_run, clips, text
from zoetrope.tuning.recipe import Recipe


def weights_of(module):
    return {k: v.detach().clone() for k, v in module.patcher.model.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def stop_at(monkeypatch, step, error):
    """Training raises an error after this step."""

    class Stopping(runs.Shown):
        def __call__(self, progress):
            super().__call__(progress)
            if progress.step == step:
                raise error

    monkeypatch.setattr(runs, "Shown", Stopping)


@pytest.mark.parametrize("method", METHODS)
def test_training_changes_every_weight_that_the_method_trains(method):
    model = golden_model()
    new = new_for_model(model, method)
    if METHODS[method].needs:
        with pytest.raises(ValueError, match="which needs"):
            train_temporal_layers(model, new, a_run())
        return
    module, run = train_temporal_layers(model, new, a_run(steps=4, checkpointing=True))
    assert len(run.losses) == 4 and not module.is_untrained
    before, after = weights_of(new), weights_of(module)
    names = [name for name, _ in new.patcher.model.named_parameters() if METHODS[method].is_trained(name)]
    still = [name for name in names if torch.equal(before[name].float(), after[name])]
    assert names and not still
    kept = before.keys() - set(names)
    assert all(torch.equal(before[name].float(), after[name].float()) for name in kept)


@pytest.mark.parametrize("method", ["AnimateDiff", "Tune-A-Video", "SimDA"])
def test_everything_may_come_from_a_running_graph(method):
    """ComfyUI runs nodes in torch's inference mode: all that is wired in was made there."""
    with torch.inference_mode():
        model = golden_model()
        new, module = new_for_model(model, method), motion_module("v3")
        trained, run = train_temporal_layers(model, new, a_run(checkpointing=True))
        lora, _, of_lora = train_motion_lora(model, module, a_run(checkpointing=True), 2, "attention")
        for one in (trained, lora):
            assert torch.isfinite(sample(apply_motion_module(model, one, MotionSettings()))).all()
    plain = train_temporal_layers(golden_model(), new_for_model(golden_model(), method), a_run())[1]
    assert len(of_lora.losses) == 3 and run.losses[0] == pytest.approx(plain.losses[0], rel=1e-5)


def test_checkpoint_and_module_are_bit_for_bit_what_they_were(monkeypatch):
    model, module = golden_model(), motion_module("v3")
    plain, given = sample(model), weights_of(module)
    with_module = sample(apply_motion_module(model, module, MotionSettings()))
    train_temporal_layers(model, module, a_run())
    train_motion_lora(model, module, a_run(), 4, "attention")
    stop_at(monkeypatch, 2, RuntimeError("the power went"))
    with pytest.raises(RuntimeError, match="the power went"):
        train_motion_lora(model, module, a_run(), 4, "attention")
    assert torch.equal(sample(model), plain)
    assert equal(weights_of(module), given)
    assert torch.equal(sample(apply_motion_module(model, module, MotionSettings())), with_module)


def test_layers_computed_again_give_the_same_losses():
    losses, calls = {}, {False: 0, True: 0}
    for on in calls:
        model = golden_model()

        def count(*_, on=on):
            calls[on] += 1

        model.model.diffusion_model.output_blocks[3][0].in_layers[2].register_forward_hook(count)
        losses[on] = train_temporal_layers(model, motion_module("v3"), a_run(checkpointing=on))[1].losses
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)
    assert calls == {False: 3, True: 6}


def test_training_goes_on_top_of_motion_loras_in_windows_and_in_half_precision():
    """Two LoRAs on one module; a MODEL with context windows; a checkpoint in float16."""
    module = motion_module("v2")
    _, first, _ = train_motion_lora(golden_model(), module, a_run(), 2, "attention")
    changed = add_changes(module, list(first.changes), "first", 1.0)
    of_module, of_changed = (
        train_motion_lora(golden_model(), one, a_run(), 2, "attention") for one in (module, changed)
    )
    assert of_module[2].losses != of_changed[2].losses
    before, after = changed.patcher.patches, of_changed[0].patcher.patches
    assert before and {k: len(v) for k, v in after.items()} == {k: 2 * len(v) for k, v in before.items()}
    merged, _ = train_temporal_layers(golden_model(), changed, a_run(steps=1, learning_rate=1e-30))
    key = first.changes[0].key
    assert not torch.equal(weights_of(merged)[key], weights_of(module)[key].float())
    whole = train_motion_lora(golden_model(), module, a_run(), 2, "attention")[2].losses
    for model in (windowed(golden_model()), golden_model(torch.float16)):
        losses = train_motion_lora(model, module, a_run(), 2, "attention")[2].losses
        assert len(losses) == 3 and losses != whole and torch.isfinite(torch.tensor(losses)).all()


@pytest.mark.parametrize("cancel", [False, True], ids=["error", "cancel"])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch, cancel):
    model, module = golden_model(), motion_module("v3")
    options = {"steps": 4, "ema": 0.5, "text_dropout": 0.5, "flip": 0.5, "rate_schedule": "cosine"}
    whole, run = train_temporal_layers(model, module, a_run(**options))
    error = comfy.model_management.InterruptProcessingException if cancel else RuntimeError
    with monkeypatch.context() as patched:
        stop_at(patched, 2, error())
        with pytest.raises(error):
            train_temporal_layers(model, module, a_run(tmp_path, **options))
    gone_on, rest = train_temporal_layers(model, module, a_run(tmp_path, **options))
    assert rest.losses == run.losses
    assert equal(weights_of(gone_on), weights_of(whole))


def test_a_run_goes_on_only_as_it_was_begun(tmp_path):
    model, module = golden_model(), motion_module("v3")
    train_temporal_layers(model, module, a_run(tmp_path))
    assert len(train_temporal_layers(model, module, a_run(tmp_path, steps=5))[1].losses) == 5
    with pytest.raises(ValueError, match=r"learning_rate was 0.01, is 0.02") as found:
        train_temporal_layers(model, module, a_run(tmp_path, learning_rate=0.02))
    assert "another run_name" in str(found.value)
    with pytest.raises(ValueError, match=r"clips was 2 clips, \w+, is 1 clips"):
        train_temporal_layers(model, module, a_run(tmp_path, data=clips(1)))
    with pytest.raises(ValueError, match="trained was AnimateDiff .* is MotionLoRA, rank 2"):
        train_motion_lora(model, module, a_run(tmp_path), 2, "attention")


def test_clips_are_not_mirrored_without_what_a_module_was_given():
    """A frame rate has no sides; images are those of the clip; a camera has sides."""
    model, rate = golden_model(), new_for_model(golden_model(), FRAME_RATE.name)
    assert train_temporal_layers(model, set_frame_rate(rate, FrameRate(8)), a_run(flip=1.0))[1].losses
    given = replace(motion_module("v3"), inputs=CameraMove(None))
    for train in (train_temporal_layers, lambda *args: train_motion_lora(*args, 2, "attention")):
        with pytest.raises(ValueError, match="flip=1 mirrors clips, but not the camera.*set flip to 0"):
            train(model, given, a_run(flip=1.0))


def with_lora(model, strength):
    weight = model.model.diffusion_model.out[2].weight
    changed = model.clone()
    changed.add_patches({"diffusion_model.out.2.weight": ("diff", (torch.ones_like(weight),))}, strength)
    return changed


def test_a_run_goes_on_only_with_its_checkpoint_its_loras_and_its_module(tmp_path):
    """Whatever core has made of the weights in between, and whatever else is wired to the MODEL."""
    model, module = golden_model(), motion_module("v3")
    lora = with_lora(model, 0.5)
    train_motion_lora(lora, module, a_run(tmp_path), 2, "attention")
    sample(model)
    sample(lora)  # its weights are the merged ones now
    gone_on = train_motion_lora(windowed(lora), module, a_run(tmp_path, steps=4), 2, "attention")[2]
    assert len(gone_on.losses) == 4
    for other in (model, with_lora(model, 0.25)):
        with pytest.raises(ValueError, match=r"checkpoint was \w+ with LoRAs \w+, is \w+"):
            train_motion_lora(other, module, a_run(tmp_path), 2, "attention")
    changed = golden_model()
    with torch.no_grad():
        changed.model.diffusion_model.out[2].weight.mul_(1.01)
    with pytest.raises(ValueError, match="checkpoint was"):
        train_motion_lora(with_lora(changed, 0.5), module, a_run(tmp_path), 2, "attention")
    other = train_temporal_layers(golden_model(), module, a_run(steps=1))[0]
    with pytest.raises(ValueError, match=r"modules was \w+, is \w+"):
        train_motion_lora(lora, other, a_run(tmp_path), 2, "attention")


def test_a_loss_that_is_no_number_stops_with_the_last_good_weights(tmp_path, monkeypatch):
    model, module = golden_model(), motion_module("v3")
    good, _ = train_temporal_layers(model, module, a_run(steps=2))
    loss = runs.clip_loss
    calls = []

    def third_is_nan(*args):
        calls.append(loss(*args))
        return calls[-1] * (torch.nan if len(calls) == 3 else 1)

    monkeypatch.setattr(runs, "clip_loss", third_is_nan)
    with pytest.raises(ValueError, match="the loss of step 3 is nan.*after step 2"):
        train_temporal_layers(model, module, a_run(tmp_path))
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    after = weights_of(good)
    assert state["step"] == 2 and all(torch.equal(v, after[k]) for k, v in state["weights"].items())


def test_the_same_seed_trains_the_same_and_another_does_not():
    model, module = golden_model(), motion_module("v3")
    one, same, other = (
        train_motion_lora(model, module, a_run(seed=seed), 3, "attention")[2].losses for seed in (1, 1, 2)
    )
    assert one == same and one != other


def test_a_clip_counts_by_its_weight():
    """The loss of each is its own, times its weight."""
    latents = [{"samples": clip.latents} for clip in clips(2).clips]

    def losses(*weights):
        data = None
        for latent, weight in zip(latents, weights, strict=True):
            data = add_clip(data, latent, text(), weight=weight)
        run = a_run(data=data, steps=2, learning_rate=1e-30, text_dropout=0.0)
        return train_temporal_layers(golden_model(), motion_module("v3"), run)[1].losses

    plain, weighted = losses(1.0, 1.0), losses(0.25, 1.0)
    which = [runs.clip_of(number, 2, 0) for number in range(2)]
    wanted = [loss * (0.25, 1.0)[clip] for loss, clip in zip(plain, which, strict=True)]
    assert sorted(which) == [0, 1] and weighted == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(ValueError, match="weight=0 of clip 1 must be a number above 0"):
        add_clip(None, latents[0], text(), weight=0)


def test_pictures_beside_clips_are_of_other_clips_and_count_as_frames():
    """The loss is that of a clip of F frames and of N pictures, each frame counting alike."""
    model, module, data = golden_model(), motion_module("v3"), clips(3)
    options = {"data": data, "text_dropout": 0.0, "learning_rate": 1e-30}
    plain = train_temporal_layers(model, module, a_run(**options))[1].losses
    joint = train_temporal_layers(model, module, a_run(image_frames=4, **options))[1].losses
    recipe = Recipe(image_frames=4, text_dropout=0.0, single_frames=1.0)
    chosen = [runs.beside(number, [FRAMES] * 3, recipe) for number in range(3)]
    for number, (other, rows) in enumerate(chosen):
        assert other != runs.clip_of(number, 3, 0) and len(rows) == 4
        assert all(0 <= row < FRAMES for row in rows)
    assert len({tuple(rows) for _, rows in chosen}) > 1
    of_pictures = [(both * (FRAMES + 4) - clip * FRAMES) / 4 for both, clip in zip(joint, plain, strict=True)]
    for number, (other, rows) in enumerate(chosen):
        clip = data.clips[other]
        alone = add_clip(None, {"samples": clip.latents[rows]}, clip.positive)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(runs, "seen_clip", lambda _, *rest, n=number: SEEN(runs.BESIDE - n, *rest))
            run = a_run(steps=1, text_dropout=0.0, data=alone, single_frames=1.0)
            (loss,) = train_temporal_layers(model, module, run)[1].losses
        assert loss == pytest.approx(of_pictures[number], rel=1e-3)
    assert len(train_temporal_layers(model, module, a_run(image_frames=2, data=clips(1)))[1].losses) == 3


SEEN = runs.seen_clip


def test_samples_are_shown_on_the_way_and_change_nothing(monkeypatch):
    shown = []
    monkeypatch.setattr(
        comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, preview, **_: shown.append((value, preview))
    )
    monkeypatch.setattr(progress, "PREVIEW_SECONDS", 0.0)
    losses = {}
    for every in (0, 2):
        with torch.inference_mode():
            run = a_run(checkpointing=True, steps=5, sample_every=every)
            losses[every] = train_temporal_layers(golden_model(), motion_module("v3"), run)[1].losses
    assert losses[0] == losses[2]
    plain, sampled = ([p for value, p in shown[i : i + 5]] for i in (0, 5))
    assert {p[0] for p in plain} == {"JPEG"} and [p[0] for p in sampled] == ["JPEG", *4 * ["WEBP"]]
    pictures = []
    for _, picture, _ in sampled[1:]:
        out = io.BytesIO()
        picture.save(out)
        opened = Image.open(out)
        assert opened.n_frames == FRAMES and opened.height > progress.CURVE[1]
        pictures.append(np.asarray(opened.convert("RGB"))[progress.CURVE[1] + 8 :].astype(float))
    one, same, other = (np.abs(pictures[0] - picture).mean() for picture in pictures[:3])
    assert one == 0 and same < 1 < other, "the newest sample stays until the next one"


def test_the_debiased_loss_counts_besides():
    model, module = golden_model(), motion_module("v3")
    plain, debiased = (
        train_temporal_layers(model, module, a_run(steps=1, debias=d))[1].losses[0] for d in (0.0, 1.0)
    )
    assert debiased > plain * 1.5


def test_data_that_cannot_be_trained_on_is_refused_before_work_starts():
    model, module = golden_model(), motion_module("v3")
    mixed = add_clip(clips(1), {"samples": torch.zeros(FRAMES, 4, 8, 8)}, text())
    for data, sentence in (
        (TrainingClips(), "there is no clip"),
        (mixed, "need the same size: clip 1 .* clip 2 of"),
        (add_clip(None, {"samples": torch.zeros(FRAMES, 16, 8, 8)}, text()), "the MODEL takes 4"),
        (clips(1, frames=33), "32"),
    ):
        run = runs.TrainingRun(data, text(99), Recipe(steps=1), None)
        with pytest.raises(ValueError, match=sentence):
            train_temporal_layers(model, module, run)
    for samples, sentence in (
        (torch.zeros(1, 4, 8, 8), "at least 2"),
        (torch.full((3, 4, 8, 8), torch.nan), "not finite"),
        (torch.zeros(1, 4, 3, 8, 8), "the frames of a clip are the batch"),
    ):
        with pytest.raises(ValueError, match=sentence):
            add_clip(None, {"samples": samples}, text())


def test_a_quantised_checkpoint_is_refused():
    model = golden_model()
    weight = model.model.diffusion_model.input_blocks[0][0].weight
    weight.data = weight.data.to(torch.float8_e4m3fn)
    with pytest.raises(ValueError, match="quantised .*input_blocks.0.0.weight"):
        train_temporal_layers(model, motion_module("v3"), a_run())


def test_a_clip_may_have_a_controlnet_and_the_checkpoint_a_lora():
    """What belongs to the conditioning and to the MODEL acts in training as in sampling."""
    model, module = golden_model(PRECISE), motion_module("v3")
    told = with_control(text(), controlnet(hint_images(FRAMES)))
    latents = {"samples": clips(1).clips[0].latents}
    key = "diffusion_model.input_blocks.1.1.proj_in.weight"
    weight = model.model.get_parameter(key)
    with_lora = model.clone()
    with_lora.add_patches({key: ("diff", (torch.ones_like(weight),))}, 0.1)
    plain = sample(model)
    losses = [
        train_motion_lora(one, module, a_run(data=add_clip(None, latents, texts)), 2, "attention")[2].losses
        for one, texts in ((model, text()), (model, told), (with_lora, text()))
    ]
    assert len({tuple(found) for found in losses}) == 3
    assert torch.equal(sample(model), plain)
