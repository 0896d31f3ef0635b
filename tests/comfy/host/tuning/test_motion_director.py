"""LoRAs of a video network's own layers: MotionDirector's numbers, and every network and part.

Letters: B clips of F frames; golden clips are (B, C, F, H, W).
"""

import comfy.sd
import pytest
import torch
from safetensors.torch import load_file
from zoetrope.host.tuning import network_loras
from zoetrope.host.tuning import run as runs
from zoetrope.host.tuning.clips import add_clip
from zoetrope.host.tuning.trained_weights import LowRankWeights
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.loras import _names
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.comfy.host.tuning.small_runs import a_run, clips
from zoetrope.tests.comfy.video_unets.modelscope.test_network import CASES
from zoetrope.tests.gold_weights import gold_input, gold_state_dict, gold_tensor
from zoetrope.tests.networks.golden_cases import build, golden_description
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same
from zoetrope.tuning.recipe import Recipe
from zoetrope.video_unets.file_shapes import FileShapes
from zoetrope.video_unets.modelscope.network import ModelScopeUNet
from zoetrope.video_unets.temporal_layers import is_temporal

CASE = "motiondirector/train_step"
KINDS = ("spatial", "temporal")


@pytest.fixture(scope="module")
def golden():
    return golden_description(CASE), load_file(GOLDENS / f"{CASE}.safetensors")


@pytest.fixture
def model(golden, tmp_path):
    """The golden network as a MODEL, with the heads that its shapes cannot tell."""
    weights = gold_state_dict(golden[0]["shapes"], golden[0]["gains"])
    torch.save(weights, tmp_path / "unet.bin")
    found = video_model_from_file(str(tmp_path / "unet.bin")).model
    to_network, settings, heads = CASES["diffusers_unet3d/unet3d_w64"]
    shapes = FileShapes({key: value.shape for key, value in weights.items()}, CASE)
    found.model.diffusion_model = build(ModelScopeUNet, settings(shapes) | heads, to_network(weights))
    return found


def golden_pairs(golden, kind):
    """diffusers' name of a layer -> its golden up and down before training."""
    for name, up, down in golden[0]["file_order"][kind]:
        key = f"motiondirector.{kind}.{name}.lora_"
        yield name, gold_tensor(f"{key}up.weight", up, 0.3), gold_tensor(f"{key}down.weight", down)


def with_golden_lora(model, golden, kind):
    names = _names(model).diffusers
    lora = {}
    for name, up, down in golden_pairs(golden, kind):
        lora[f"diffusion_model.{names[name]}.lora_up.weight"] = up
        lora[f"diffusion_model.{names[name]}.lora_down.weight"] = down
    return comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)[0]


def trained(model, golden, kind, monkeypatch, steps=1):
    """The LoRA by diffusers' names, the run, and the gradients before the step."""
    meta, io = golden
    z, noise = (gold_input(f"md.{name}", io["x_t"].shape) for name in ("z", "noise"))
    context = gold_input("md.ctx", (2, 7, meta["config"]["cross_attention_dim"]))
    only = slice(None) if kind == "temporal" else [meta["frame_spatial"]] * 2  # a clip of one frame twice
    found = None
    for video, text in zip(z, context, strict=True):
        latents = model.model.latent_format.process_out(video.movedim(0, 1)[only])
        found = add_clip(found, {"samples": latents}, [[text[None], {}]])
    names = _names(model).diffusers
    values = {names[name]: (up, down) for name, up, down in golden_pairs(golden, kind)}
    gradients, norms = {}, []

    class Golden(LowRankWeights):
        def __post_init__(self):
            super().__post_init__()
            assert self.changes.keys() == values.keys()
            for name, change in self.changes.items():
                for parameter, value in zip((change.up[0], change.down[0]), values[name], strict=True):
                    parameter.data.copy_(value)
                    side = "up" if parameter is change.up[0] else "down"
                    parameter.register_hook(
                        lambda g, key=(name, side): gradients.__setitem__(key, gradients.get(key, 0) + g)
                    )

    def seen(number, shape, sampling, recipe):
        which = runs.clip_of(number, 2, recipe.seed)
        level = sampling.sigmas[int(io["t"][which])]
        anchor, single = meta["anchor_temporal"], recipe.single_frames == 1
        return runs.SeenClip(level, noise[which].movedim(0, 1)[only], False, False, anchor, single)

    monkeypatch.setattr(network_loras, "LowRankWeights", Golden)
    monkeypatch.setattr(runs, "seen_clip", seen)
    recipe = Recipe(
        steps=steps, clips_per_step=2, learning_rate=meta["lr"], weight_decay=meta["weight_decay"],
        text_dropout=0.0, clip_norm=0.0, single_frames=float(kind == "spatial"),
        debias=float(kind == "temporal"),
    )  # fmt: skip
    run = runs.TrainingRun(found, [[context[:1], {}]], recipe)
    _, lora, sampler = network_loras.train_network_lora(model, run, meta["rank"], kind)
    ours = {ours: name for name, ours in names.items()}
    norms = torch.stack([g.square().sum() for g in gradients.values()]).sum().sqrt()
    return (
        lora,
        sampler,
        {f"{ours[name]}.lora_{side}.weight": g for (name, side), g in gradients.items()},
        norms,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_that_of_the_published_code(kind, model, golden, monkeypatch):
    wanted = golden[1]
    if kind == "temporal":  # trained beside the spatial LoRA
        model = with_golden_lora(model, golden, "spatial")
    lora, run, gradients, norm = trained(model, golden, kind, monkeypatch)
    parts = {"spatial": ["loss_spatial"], "temporal": ["loss_temporal_mse", "loss_temporal_debiased"]}[kind]
    total = sum(float(wanted[part]) for part in parts)
    assert run.losses[0] == pytest.approx(total, rel=1e-5)
    assert float(norm) == pytest.approx(float(wanted[f"grad_norm_{kind}"]), rel=1e-4)
    ours = _names(model).diffusers
    keys = [key.removeprefix(f"grad.{kind}.") for key in wanted if key.startswith(f"grad.{kind}.")]
    assert len(keys) >= 4
    for key in keys:
        assert_same(gradients[key], wanted[f"grad.{kind}.{key}"], 1e-4)
        name, side, _ = key.rsplit(".", 2)
        after = lora[f"diffusion_model.{ours[name]}.{side}.weight"]
        assert_same(after, wanted[f"after.{kind}.{key}"], 1e-4)


@pytest.mark.parametrize("system", VIDEO_NETWORKS)
def test_every_video_network_has_both_kinds_of_layers(system, tmp_path):
    """What is named or classed as looking at frames is temporal, all else is spatial."""
    tiny = VIDEO_NETWORKS[system]
    tiny.write(tmp_path / "network.pth")
    network = video_model_from_file(str(tmp_path / "network.pth")).model.model.diffusion_model
    temporal, spatial, text = (network_loras.lora_layers(network, p) for p in network_loras.PARTS[:3])
    everything = network_loras.lora_layers(network, "all")
    assert temporal and spatial and set(spatial) <= set(text)
    assert set(everything) == set(temporal) | set(text) and not set(temporal) & set(text)
    assert all(is_temporal(network, name) for name in temporal)
    words = ("temp", "time_stack", "TemporalTransformer")
    for name in everything:
        kinds = [
            type(network.get_submodule(name.rsplit(".", n)[0])).__name__ for n in range(1, name.count("."))
        ]
        assert any(w in part for w in words for part in (name, *kinds)) == (name in temporal)


@pytest.mark.parametrize("system", ["modelscope", "videocrafter2_t2v_512", "lavie_base", "svd"])
@pytest.mark.parametrize("part", ["temporal", "spatial"])
def test_a_lora_of_a_video_network_is_trained_and_acts(system, part, tmp_path):
    """In inference mode, as ComfyUI runs nodes; pictures do not train what looks at frames alone."""
    tiny = VIDEO_NETWORKS[system]
    tiny.write(tmp_path / "network.pth")
    with torch.inference_mode():
        model = video_model_from_file(str(tmp_path / "network.pth")).model
        frames = tiny.num_frames
        channels = model.get_model_object("latent_format").latent_channels
        data, text = None, tiny.prompt("text", frames)
        for number in range(2):
            latents = gold_input(f"clip {number}", (frames, channels, *tiny.latent[1:]), 5)
            data = add_clip(data, {"samples": latents}, text)
        run = runs.TrainingRun(data, text, Recipe(steps=2, learning_rate=1e-2, single_frames=0.5))
        plain = {k: v.clone() for k, v in model.model.diffusion_model.state_dict().items()}
        patched, lora, sampler = network_loras.train_network_lora(model, run, 2, part)
    assert torch.isfinite(torch.tensor(sampler.losses)).all()
    assert any(value.any() for key, value in lora.items() if ".lora_up." in key)
    changed = {key.removeprefix("diffusion_model.") for key in patched.patches}
    assert changed == {
        f"{name}.weight" for name in network_loras.lora_layers(patched.model.diffusion_model, part)
    }
    after = model.model.diffusion_model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in plain.items())


def test_what_a_network_lacks_is_said():
    with pytest.raises(ValueError, match="no layers of its own for layers=temporal"):
        network_loras.train_network_lora(golden_model(), a_run(), 2, "temporal")


def test_single_frames_are_seen_without_the_layers_over_frames():
    """A clip of single frames has the loss of its frames as clips of one, whatever their order."""
    model = golden_model()
    losses = [
        network_loras.train_network_lora(
            model, a_run(data=clips(1), steps=1, single_frames=share, text_dropout=0.0), 2, "spatial and text"
        )[2].losses[0]
        for share in (0.0, 1.0)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)  # an image checkpoint knows single frames alone
