"""Temporal layers of a VAE's decoder are trained: less flicker, the same VAE, runs that go on."""

import comfy.model_management
import pytest
import torch
from zoetrope.host.tuning import decoder_training
from zoetrope.host.tuning.decoder_training import DecoderRun, train_temporal_decoder
from zoetrope.host.video_models.temporal_decoder import (
    DecoderSettings,
    apply_temporal_decoder,
    new_temporal_decoder,
)
from zoetrope.tests.comfy.host.media.small_vaes import image_vae, kl_vae
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tuning.recipe import Recipe

FRAMES = 4


@pytest.fixture(autouse=True)
def as_comfyui_runs_nodes(comfy_base):
    with torch.inference_mode():
        yield


def frames(count=2 * FRAMES, height=64, width=64):
    """Soft shades that drift, so that what a decoder makes of them can be told from noise."""
    down, across = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 3, width), indexing="ij")
    shades = [
        torch.stack((down + n / 5, across - n / 7, down + across), -1).sin() / 2 + 0.5 for n in range(count)
    ]
    return torch.stack(shades)


def a_run(folder=None, data=None, checkpointing=False, change_weight=1.0, **recipe):
    settings = {"steps": 4, "learning_rate": 1e-2, "weight_decay": 0.0, **recipe}
    data = frames() if data is None else data
    return DecoderRun(data, Recipe(**settings), FRAMES, change_weight, folder, checkpointing)


def weights_of(module):
    return {k: v.detach().clone() for k, v in module.patcher.model.state_dict().items()}


def test_training_lowers_the_loss_and_the_flicker_and_leaves_the_vae_alone():
    vae = kl_vae()
    layers, latents = new_temporal_decoder(vae), vae.encode(frames(FRAMES))
    latents = latents + 0.2 * gold_input("flicker", tuple(latents.shape)) * latents.std()
    plain, before = vae.decode(latents), weights_of(layers)
    trained, run = train_temporal_decoder(vae, layers, a_run(steps=40, change_weight=4.0))
    assert sum(run.losses[-4:]) < 0.9 * sum(run.losses[:4])
    assert torch.equal(vae.decode(latents), plain)
    after = weights_of(layers)
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not trained.is_untrained
    made = apply_temporal_decoder(vae, trained, DecoderSettings()).decode(latents)
    wanted = frames(FRAMES)
    flicker, without = ((one - wanted).diff(dim=0).abs().mean() for one in (made, plain))
    assert flicker < 0.9 * without


def test_every_weight_is_trained_and_checkpointing_changes_nothing():
    vae = kl_vae()
    layers = new_temporal_decoder(vae)
    runs = [train_temporal_decoder(vae, layers, a_run(checkpointing=on)) for on in (False, True)]
    assert runs[0][1].losses == pytest.approx(runs[1][1].losses, rel=1e-4)
    before, after = weights_of(layers), weights_of(runs[0][0])
    still = [key for key in before if torch.equal(before[key].float(), after[key].float())]
    assert not still


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_vae_in_half_precision_trains_as_a_whole_one(dtype):
    """The layers stay in float32; what they decode to is that of the VAE's own precision."""
    half = kl_vae.__wrapped__()
    half.vae_dtype = dtype
    half.first_stage_model.to(dtype)
    layers = new_temporal_decoder(half)
    trained, run = train_temporal_decoder(half, layers, a_run(steps=8))
    whole = train_temporal_decoder(kl_vae(), new_temporal_decoder(kl_vae()), a_run(steps=1))[1]
    assert run.losses[0] == pytest.approx(whole.losses[0], rel=0.01)
    assert torch.isfinite(torch.tensor(run.losses)).all() and run.losses[-1] < run.losses[0]
    weights = weights_of(trained)
    assert {value.dtype for value in weights.values()} == {torch.float32}
    before = weights_of(layers)
    assert any(not torch.equal(weights[key], value.float()) for key, value in before.items())
    made = apply_temporal_decoder(half, trained, DecoderSettings()).decode(half.encode(frames(FRAMES)))
    assert torch.isfinite(made).all()
    assert next(half.first_stage_model.parameters()).dtype == dtype


def test_a_stopped_run_goes_on_and_only_as_it_was_begun(tmp_path, monkeypatch):
    vae, other = kl_vae(), kl_vae()
    layers = new_temporal_decoder(vae)
    whole = train_temporal_decoder(vae, layers, a_run(flip=0.5))[1].losses

    class Stopping(decoder_training.Shown):
        def __call__(self, progress):
            super().__call__(progress)
            if progress.step == 2:
                raise comfy.model_management.InterruptProcessingException

    with monkeypatch.context() as patched:
        patched.setattr(decoder_training, "Shown", Stopping)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            train_temporal_decoder(vae, layers, a_run(tmp_path, flip=0.5))
    assert train_temporal_decoder(vae, layers, a_run(tmp_path, flip=0.5))[1].losses == whole
    with pytest.raises(ValueError, match="images was 8, .* is 4, "):
        train_temporal_decoder(vae, layers, a_run(tmp_path, frames(FRAMES), flip=0.5))
    other.first_stage_model.decoder.conv_out.weight.mul_(1.1)
    with pytest.raises(ValueError, match="vae was "):
        train_temporal_decoder(other, layers, a_run(tmp_path, flip=0.5))


def test_odd_sizes_and_frames_that_are_left_over():
    vae = kl_vae()
    trained, run = train_temporal_decoder(
        vae, new_temporal_decoder(vae), a_run(data=frames(FRAMES + 3, 70, 66), steps=2)
    )
    assert len(run.losses) == 2 and trained


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"loss": "velocity"}, "loss=velocity is of networks that sample"),
        ({"debias": 1.0}, "debias=1.0 is of networks"),
        ({"single_frames": 0.5}, "single_frames=0.5 is of networks"),
        ({"sample_every": 5}, "sample_every=5 is of networks"),
        ({"data": frames(3)}, "images holds 3 frames, a clip has num_frames=4"),
        ({"data": frames() * torch.nan}, "not finite"),
        ({"change_weight": float("inf")}, "change_weight=inf must be a finite number"),
    ],
)
def test_bad_input_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        a_run(**settings)


def test_vaes_that_do_not_fit_are_refused():
    vae = kl_vae()
    layers = new_temporal_decoder(vae)
    with pytest.raises(ValueError, match="need the decoder of an image VAE"):
        train_temporal_decoder(image_vae(), layers, a_run())
    with pytest.raises(ValueError, match="has temporal layers on it already"):
        train_temporal_decoder(apply_temporal_decoder(vae, layers, DecoderSettings()), layers, a_run())
