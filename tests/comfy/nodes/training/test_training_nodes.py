"""Training in a running ComfyUI over its HTTP API: trained on the demo, saved, loaded, sampled with."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from zoetrope.devtools.server import ComfyError
from zoetrope.motion_modules.animatediff.motion_lora import read_motion_lora
from zoetrope.tests.comfy.nodes.temporal_layers.test_temporal_layers_nodes import NEEDS, node
from zoetrope.tests.places import ROOT
from zoetrope.video_io.encode import encode_h264

CHECKPOINT, MODULE = "zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors"
FRAMES = 4
APPLIED = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "beta_schedule": "auto"}
APPLIED |= {"group_norm": "auto", "frames_per_video": 0}


@pytest.fixture(scope="module")
def server(comfy_server, comfy_models):
    for folder, name in (("checkpoints", CHECKPOINT), ("animatediff_models", MODULE)):
        (comfy_models / folder / name).write_bytes((ROOT / "demo" / "weights" / name).read_bytes())
    return comfy_server


def graph(train="ZoetropeTrainMotionLora", module=None, frames=(FRAMES,), model=None, **settings):
    """Clips of plain colours, a training node "20" and everything around it."""
    settings = {"steps": 2, "learning_rate": 0.01, "seed": 1, "run_name": "", **settings}
    settings = {"gradient_checkpointing": True, **settings}
    if train == "ZoetropeTrainMotionLora":
        settings = {"rank": 2, "layers": "attention", **settings}
    found = {
        "1": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "2": node("CLIPTextEncode", clip=["1", 1], text="a red ball on a blue background"),
        "3": node("CLIPTextEncode", clip=["1", 1], text=""),
        "4": module or node("ZoetropeLoadMotionModule", motion_module=MODULE),
        "5": node("ZoetropeSetTrainingOptions", **OPTIONS),
    }
    clips = {}
    for number, count in enumerate(frames):
        image, latent, clip = (f"{name}{number}" for name in ("image", "latent", "clip"))
        found[image] = node("EmptyImage", width=64, height=64, batch_size=count, color=0xFF8000 + number)
        found[latent] = node("VAEEncode", pixels=[image, 0], vae=["1", 2])
        found[clip] = node(
            "ZoetropeAddTrainingClip", latent=[latent, 0], positive=["2", 0], weight=1.0, **clips
        )
        clips = {"clips": [clip, 0]}
    wired = {"model": model or ["1", 0], "motion_module": ["4", 0], "empty": ["3", 0], "options": ["5", 0]}
    found["20"] = node(train, **wired, **clips, **settings)
    loss = 2 if train == "ZoetropeTrainMotionLora" else 1
    found["21"] = node("SaveImage", images=["20", loss], filename_prefix="loss")
    found["22"] = node("PreviewAny", source=["20", loss + 1])
    return found


OPTIONS = {
    "optimizer": "AdamW", "rate_schedule": "constant", "warmup_steps": 0, "weight_decay": 0.0,
    "clips_per_step": 1, "clip_norm": 1.0, "ema": 0.0, "loss": "as the model was trained", "debias": 1.0,
    "text_dropout": 0.5, "flip": 0.5, "single_frames": 0.0, "sample_every": 0, "image_frames": 0,
}  # fmt: skip


def defaults(server, kind):
    """What the widgets of a node say when it is new."""
    required = server.object_info()[kind]["input"]["required"].items()
    return {name: spec[1].get("default", spec[1].get("options", [None])[0]) for name, spec in required
            if name != "model"}  # fmt: skip


def with_sampling(found, module):
    """The graph and a picture of latents sampled with a MOTION_MODULE."""
    found["30"] = node("ZoetropeApplyMotionModule", model=["1", 0], motion_module=module, **APPLIED)
    found["31"] = node("EmptyLatentImage", width=64, height=64, batch_size=FRAMES)
    sampling = {"seed": 3, "steps": 2, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal"}
    conds = {"positive": ["2", 0], "negative": ["3", 0], "latent_image": ["31", 0], "denoise": 1.0}
    found["32"] = node("KSampler", model=["30", 0], **conds, **sampling)
    found["33"] = node("SaveLatent", samples=["32", 0], filename_prefix="trained")
    return found


def sampled(server, found, module):
    """The latents of such a graph, and all files that it saved."""
    files = server.output_files(server.prompt(with_sampling(found, module)))
    (latents,) = (path for path in files if path.suffix == ".latent")
    return load_file(latents)["latent_tensor"], files


def test_a_motion_lora_is_trained_saved_and_loaded(server, comfy_models):
    found = graph(frames=(FRAMES, FRAMES))
    found["23"] = node("ZoetropeSaveMotionLora", motion_lora=["20", 1], filename_prefix="motion_loras/mine")
    trained, files = sampled(server, found, ["20", 0])
    (curve,) = (path for path in files if path.suffix == ".png")
    assert np.asarray(Image.open(io.BytesIO(curve.read_bytes()))).std() > 5, "a curve is drawn"
    (saved,) = (server.base / "output" / "motion_loras").glob("mine*.safetensors")
    with safe_open(saved, "pt") as file:
        assert "steps=2" in file.metadata()["recipe"] and file.metadata()["module"] == MODULE
    assert all(change.up.any() for change in read_motion_lora(load_file(saved)))
    (comfy_models / "animatediff_motion_lora" / saved.name).write_bytes(saved.read_bytes())
    loaded = graph()
    for name in ("20", "21", "22"):
        del loaded[name]
    plain, _ = sampled(server, dict(loaded), ["4", 0])
    lora = {"motion_module": ["4", 0], "lora_name": saved.name, "strength": 1.0}
    loaded["40"] = node("ZoetropeLoadMotionLora", **lora)
    again, _ = sampled(server, loaded, ["40", 0])
    assert torch.allclose(again, trained, atol=1e-4)
    assert float((trained - plain).abs().max()) > 0.01


@pytest.mark.parametrize("method", ["Tune-A-Video", "SimDA", *NEEDS])
def test_layers_are_trained_with_what_their_method_needs(method, server):
    new = node("ZoetropeNewTemporalLayers", model=["1", 0], method=method)
    if method not in NEEDS:
        found = graph("ZoetropeTrainTemporalLayers", new)
    else:
        found = graph("ZoetropeTrainTemporalLayers", node(motion_module=["10", 0], **NEEDS[method]))
        found["10"] = new
        found["12"] = node("EmptyImage", width=80, height=96, batch_size=1, color=0xFF8000)
        found["14"] = node("ZoetropeMakeCameraPoses", move="orbit left", num_frames=FRAMES, speed=2.0)
        found["5"]["inputs"]["flip"] = 0.0  # a camera has sides
    trained, _ = sampled(server, dict(found), ["20", 0])
    untrained, _ = sampled(server, dict(found), ["4", 0])
    assert torch.isfinite(trained).all() and not torch.equal(trained, untrained)


def test_a_run_with_a_name_goes_on_and_refuses_another_recipe(server):
    server.prompt(graph(run_name="mine"))
    assert (server.base / "output" / "training" / "mine" / "state.pt").exists()
    server.prompt(graph(run_name="mine", steps=3))
    with pytest.raises(ComfyError, match="seed was 1, is 2"):
        server.prompt(graph(run_name="mine", seed=2))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"frames": (FRAMES, FRAMES + 1)}, "need the same size: clip 1"),
        ({"frames": (1,)}, "has 1 frame"),
        ({"frames": (33,)}, "32"),
        ({"run_name": "a/b"}, "must be a single name"),
        ({"model": ["50", 0]}, "has FreeInit on it"),
        ({"model": ["51", 0]}, "has Reuse Deep Features on it"),
    ],
    ids=["sizes", "one frame", "too many frames", "path", "FreeInit", "deep features"],
)
def test_what_cannot_be_trained_is_said(settings, sentence, server):
    found = graph(**settings)
    for number, kind in (("50", "ZoetropeApplyFreeInit"), ("51", "ZoetropeReuseDeepFeatures")):
        if settings.get("model") == [number, 0]:
            found[number] = node(kind, model=["1", 0], **defaults(server, kind))
    with pytest.raises(ComfyError, match=sentence):
        server.prompt(found)


@pytest.fixture
def folder(server):
    """Two videos of 4 frames, one with a text."""
    path = server.base / "input" / "my clips"
    path.mkdir(exist_ok=True)
    for number in range(2):
        frames = [torch.full((64, 64, 3), 0.3 + 0.05 * n + 0.2 * number) for n in range(FRAMES)]
        encode_h264(frames, str(path / f"{number}.mp4"), 8.0)
    (path / "1.txt").write_text("a red ball")
    return "my clips"


def video_lora(folder, layers="spatial", model=None, **settings):
    """A LoRA of the checkpoint under a motion module, on a folder of videos, saved by ComfyUI's own node."""
    found = graph("ZoetropeTrainVideoLora", rank=2, layers=layers, **settings)
    for name in ("image0", "latent0", "clip0"):
        del found[name]
    taken = {"num_frames": FRAMES, "frame_rate": 0.0, "width": 64, "height": 64, "clips_per_video": 0}
    found["6"] = node(
        "ZoetropeLoadTrainingClips",
        folder=folder,
        vae=["1", 2],
        clip=["1", 1],
        caption="a ball",
        weight=1.0,
        **taken,
    )
    found["7"] = node("PreviewAny", source=["6", 1])
    found["8"] = node("ZoetropeApplyMotionModule", model=["1", 0], motion_module=["4", 0], **APPLIED)
    found["20"]["inputs"] |= {"clips": ["6", 0], "model": model or ["8", 0]}
    del found["20"]["inputs"]["motion_module"]
    found["21"]["inputs"]["images"], found["22"]["inputs"]["source"] = ["20", 2], ["20", 3]
    found["24"] = node("SaveLoRA", lora=["20", 1], prefix="loras/trained")
    return found


def test_a_lora_is_trained_on_a_folder_and_loads_by_comfyuis_own_nodes(server, comfy_models, folder):
    found = video_lora(folder)
    found["5"]["inputs"]["single_frames"] = 1.0

    def latents(model, found):
        found = with_sampling(found, ["4", 0])
        found["32"]["inputs"]["model"] = model
        answer = server.prompt(found)
        (path,) = (p for p in server.output_files(answer) if p.suffix == ".latent")
        return load_file(path)["latent_tensor"], answer["outputs"]

    trained, outputs = latents(["20", 0], found)
    assert outputs["7"]["text"] == ["2 clips of 4 frames from 2 videos; without a text file: 0.mp4"]
    (saved,) = (server.base / "output" / "loras").glob("trained*.safetensors")
    assert all(key.startswith("diffusion_model.") and "attn2" not in key for key in load_file(saved))
    (comfy_models / "loras").mkdir(exist_ok=True)
    (comfy_models / "loras" / saved.name).write_bytes(saved.read_bytes())
    loaded = {name: part for name, part in graph().items() if name in "1234"}
    plain, _ = latents(["30", 0], dict(loaded))
    loaded["40"] = node("LoraLoaderModelOnly", model=["30", 0], lora_name=saved.name, strength_model=1.0)
    again, _ = latents(["40", 0], loaded)
    assert torch.allclose(again, trained, atol=1e-4)
    assert float((trained - plain).abs().max()) > 0.01


def test_a_lora_of_layers_that_the_model_lacks_is_refused(server, folder):
    with pytest.raises(ComfyError, match="no layers of its own for layers=temporal"):
        server.prompt(video_lora(folder, "temporal"))
    with pytest.raises(ComfyError, match="Value not in list|is no folder of ComfyUI's input folder"):
        server.prompt(video_lora("../output"))
