"""Train Temporal Decoder in a running ComfyUI: trained, saved, loaded, decoded with."""

import io

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy import standins
from zoetrope.tests.comfy.nodes.temporal_layers.test_temporal_layers_nodes import node
from zoetrope.tests.comfy.nodes.training.test_training_nodes import OPTIONS

FRAMES = 4
USUAL = {"debias": 0.0, "text_dropout": 0.1}


@pytest.fixture(scope="module")
def server(comfy_server, comfy_models):
    save_file(standins.whole_vae(), comfy_models / "vae" / "whole_vae.safetensors")
    return comfy_server


def graph(options=(), **settings):
    """Clips of two colours, the training node "20", a decoded clip "33" with the trained layers."""
    settings = {"num_frames": FRAMES, "change_weight": 1.0, "steps": 3, "learning_rate": 0.01} | settings
    settings = {"seed": 1, "run_name": "", "gradient_checkpointing": True} | settings
    found = {
        "1": node("VAELoader", vae_name="whole_vae.safetensors"),
        "2": node("ZoetropeNewTemporalDecoder", vae=["1", 0]),
        "5": node("ZoetropeSetTrainingOptions", **{**OPTIONS, **USUAL, **dict(options)}),
        "6": node("EmptyImage", width=64, height=72, batch_size=FRAMES, color=0xFF8000),
        "7": node("EmptyImage", width=64, height=72, batch_size=FRAMES, color=0x2040C0),
        "8": node("ImageBatch", image1=["6", 0], image2=["7", 0]),
        "20": node(
            "ZoetropeTrainTemporalDecoder",
            vae=["1", 0], temporal_decoder=["2", 0], images=["8", 0], options=["5", 0], **settings,
        ),
        "21": node("SaveImage", images=["20", 1], filename_prefix="loss"),
        "22": node("PreviewAny", source=["20", 2]),
    }  # fmt: skip
    return found | {"24": node("ZoetropeSaveTemporalLayers", motion_module=["20", 0], filename_prefix="mine")}


def decoded(server, layers, extra):
    """The pictures (F, H, W, 3) of a clip with these layers, in 8 bits."""
    applied = {"strength": 1.0, "chunk_frames": 8, "chunk_overlap": 4, "frames_per_video": 0}
    found = extra | {
        "31": node("VAEEncode", pixels=["8", 0], vae=["1", 0]),
        "32": node("ZoetropeApplyTemporalDecoder", vae=["1", 0], temporal_decoder=layers, **applied),
        "33": node("VAEDecode", samples=["31", 0], vae=["32", 0]),
        "34": node("SaveImage", images=["33", 0], filename_prefix="decoded"),
    }
    answer = server.prompt(found)
    files = (io.BytesIO(server.view(image)) for image in answer["outputs"]["34"]["images"])
    return np.stack([np.asarray(Image.open(file).convert("RGB")).astype(int) for file in files]), answer


def test_layers_are_trained_saved_and_loaded(server, comfy_models):
    trained, answer = decoded(server, ["20", 0], graph())
    untrained, _ = decoded(server, ["2", 0], graph())
    assert answer["outputs"]["22"]["text"][0].startswith("3 steps, ")
    assert abs(trained - untrained).max() > 1
    saved = sorted((server.base / "output").glob("mine*.safetensors"))[0]
    (comfy_models / "animatediff_models" / "mine.safetensors").write_bytes(saved.read_bytes())
    found = {name: part for name, part in graph().items() if name in "1678"}
    found["2"] = node("ZoetropeLoadTemporalDecoder", file_name="mine.safetensors")
    again, _ = decoded(server, ["2", 0], found)
    assert abs(again - trained).max() <= 1


@pytest.mark.parametrize(
    ("options", "settings", "sentence"),
    [
        ({"debias": 1.0}, {}, "debias=1.0 is of networks that sample"),
        ({}, {"num_frames": 9}, "images holds 8 frames, a clip has num_frames=9"),
        ({}, {"run_name": "a/b"}, "must be a single name"),
    ],
)
def test_what_cannot_be_trained_is_said(options, settings, sentence, server):
    with pytest.raises(ComfyError, match=sentence):
        server.prompt(graph(options, **settings))
