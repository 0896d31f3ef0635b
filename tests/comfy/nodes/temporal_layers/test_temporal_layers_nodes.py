"""Temporal layers in a running ComfyUI over its HTTP API: made new, saved, loaded, and sampled with on the
demo's checkpoint, in windows, with a ControlNet, with several videos.
"""

import io
import re

import numpy as np
import pytest
import torch
from comfy.ldm.modules.diffusionmodules.model import Decoder
from PIL import Image, ImageSequence
from safetensors import safe_open
from safetensors.torch import load, load_file, save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.host.injection import USE_EXISTING
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.gold_weights import fill, gold_tensor
from zoetrope.tests.places import ROOT

CHECKPOINT, MODULE = "zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors"
CONTROL = "zoetrope_tiny_control_blob.safetensors"
SPLIT, COMBINE = "ZoetropeSplitContentMotion", "ZoetropeCombineContentMotion"
FRAMES = 6


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def graph(
    layers=None,
    windows=None,
    control=False,
    frames_per_video=0,
    beta_schedule="auto",
    method=None,
    motion_weight=None,
):
    """Text to video; layers: the node that gives the MOTION_MODULE, None for the plain checkpoint.
    method: theirs, where it needs something besides. motion_weight: of content and motion, where they are two
    streams.
    """
    found = {
        "1": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "2": node("CLIPTextEncode", clip=["1", 1], text="a red ball on a blue background"),
        "3": node("EmptyLatentImage", width=64, height=64, batch_size=FRAMES),
    }
    model, positive, latent, made = ["1", 0], ["2", 0], ["3", 0], ["10", 0]
    if motion_weight is not None:
        found["14"] = node(SPLIT, samples=latent, frames_per_video=frames_per_video, motion_size=0.0)
        combine = {"motion_weight": motion_weight, "combiner": "frame by frame"}
        found["15"] = node(COMBINE, samples=made, **combine)
        latent, made = ["14", 0], ["15", 0]
    if layers:
        found["4"], module = layers, ["4", 0]
        if method in NEEDS:
            found["12"] = node("EmptyImage", width=80, height=96, batch_size=1, color=0xFF8000)
            found["14"] = node("ZoetropeMakeCameraPoses", move="orbit left", num_frames=FRAMES, speed=2.0)
            found["13"] = node(motion_module=module, **NEEDS[method])
            module = ["13", 0]
        found["5"] = node(
            "ZoetropeApplyMotionModule",
            model=["1", 0],
            motion_module=module,
            strength=1.0,
            start_percent=0.0,
            end_percent=1.0,
            beta_schedule=beta_schedule,
            group_norm="auto",
            frames_per_video=frames_per_video,
        )
        model = ["5", 0]
    if windows:
        found["6"] = node("ZoetropeApplyContextWindows", model=model, **WINDOWS)
        model = ["6", 0]
    if control:
        found["7"] = node("ControlNetLoader", control_net_name=CONTROL)
        found["8"] = node("EmptyImage", width=64, height=64, batch_size=FRAMES, color=0xFFFFFF)
        found["9"] = node(
            "ControlNetApplyAdvanced",
            positive=positive,
            negative=positive,
            control_net=["7", 0],
            image=["8", 0],
            strength=1.0,
            start_percent=0.0,
            end_percent=1.0,
        )
        positive = ["9", 0]
    found["10"] = node(
        "KSampler",
        model=model,
        seed=3,
        steps=2,
        cfg=4.0,
        sampler_name="euler",
        scheduler="normal",
        positive=positive,
        negative=["2", 0],
        latent_image=latent,
        denoise=1.0,
    )
    found["11"] = node("SaveLatent", samples=made, filename_prefix="layers")
    return found


NEEDS = {
    "PIA": {
        "kind": "ZoetropeAnimateImagePIA",
        "vae": ["1", 2],
        "image": ["12", 0],
        "motion": "large",
        "cond_frame": 0,
        "conv_in": "of the checkpoint (personalised)",
    },
    "AnimateLCM-I2V": {
        "kind": "ZoetropeAnimateImageLCM",
        "vae": ["1", 2],
        "image": ["12", 0],
        "motion_scale": 0.0,
        "level_weights": "1, 1, 1, 1",
    },
    "Masked frames": {
        "kind": "ZoetropeSetKnownFrames",
        "vae": ["1", 2],
        "images": ["12", 0],
        "frames": "1",
        "context_guidance": 1.0,
    },
    "Frame rate embedding": {"kind": "ZoetropeSetLayersFrameRate", "fps": 8.0},
    "CameraCtrl": {"kind": "ZoetropeMoveCamera", "camera_poses": ["14", 0], "strength": 1.0},
    "MotionCtrl": {"kind": "ZoetropeMoveCamera", "camera_poses": ["14", 0], "strength": 1.0},
}
"""Method -> the node that gives it what it needs besides its weights."""
WINDOWS = {
    "context_length": 4,
    "context_overlap": 2,
    "context_stride": 1,
    "context_schedule": "standard_uniform",
    "closed_loop": False,
    "fuse_method": "pyramid",
    "noise_type": "default",
    "windows_per_batch": 0,
    "frame_axis": "auto",
    "frames_per_video": 0,
}


def new(method):
    return node("ZoetropeNewTemporalLayers", model=["1", 0], method=method)


def load_module(name):
    return node("ZoetropeLoadMotionModule", motion_module=name)


@pytest.fixture(scope="module")
def sample(comfy_server):
    """Runs a graph and gives its latents (F, 4, H, W)."""

    def run(*arguments, **options):
        result = comfy_server.prompt(graph(*arguments, **options))
        return load(comfy_server.view(result["outputs"]["11"]["latents"][0]))["latent_tensor"]

    return run


@pytest.fixture(scope="module")
def trained_files(comfy_server, comfy_models):
    """{method: a file in the server's folder}: made by Save Temporal Layers, filled with seeded weights."""
    names = {}
    for number, method in enumerate(METHODS):
        saved = {
            "1": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
            "2": new(method),
            "3": node("ZoetropeSaveTemporalLayers", motion_module=["2", 0], filename_prefix=f"new{number}"),
        }
        saved["2"]["inputs"]["model"] = ["1", 0]
        result = comfy_server.prompt(saved)
        (text,) = result["outputs"]["3"]["text"]
        path = comfy_server.base / "output" / text.rpartition("/")[2]
        with safe_open(path, "pt") as file:
            assert file.metadata() == {"method": method, "trained": "no"}
        tensors = {
            key: gold_tensor(key, value.shape) * 0.3 if METHODS[method].is_trained(key) else value
            for key, value in load_file(path).items()
        }
        names[method] = f"seeded{number}.safetensors"
        save_file(tensors, comfy_models / "animatediff_models" / names[method])
    return names


@pytest.fixture(scope="module")
def plain(sample):
    return sample()


@pytest.mark.parametrize("method", METHODS)
def test_new_layers_change_nothing_or_say_that_they_do(method, sample, plain):
    streams = METHODS[method].streams
    around = {} if streams == 1 else {"motion_weight": 0.0}
    got = sample(new(method), beta_schedule=USE_EXISTING, method=method, **around)
    if METHODS[method].acts_untrained:
        assert torch.isfinite(got).all() and not torch.allclose(got, plain, atol=1e-3)
    else:
        assert torch.equal(got, plain if streams == 1 else sample(**around))
        torch.testing.assert_close(got, plain, atol=1e-4, rtol=0)  # the batch decides how sums are rounded


@pytest.mark.parametrize("method", METHODS)
def test_trained_layers_act_alone_in_windows_with_control_and_with_several_videos(
    method, sample, plain, trained_files
):
    layers = load_module(trained_files[method])
    ways = {"windows": True}, {"control": True}, {"frames_per_video": 3}
    around = {} if METHODS[method].streams == 1 else {"motion_weight": 0.5}
    alone, *ways = (sample(layers, method=method, **around, **way) for way in ({}, *ways))
    for got in (alone, *ways):
        assert torch.isfinite(got).all() and got.shape == plain.shape
        assert not torch.allclose(got, plain, atol=1e-3)
    (windowed, controlled, videos), per_frame = ways, METHODS[method].per_frame
    assert torch.allclose(windowed, alone, atol=1e-3) == per_frame
    assert not torch.allclose(controlled, alone, atol=1e-3)
    assert per_frame or not torch.allclose(videos, alone, atol=1e-3)


def test_a_name_outside_of_the_output_folder_is_refused(comfy_server):
    saved = {
        "1": load_module(MODULE),
        "2": node("ZoetropeSaveTemporalLayers", motion_module=["1", 0], filename_prefix="../out"),
    }
    with pytest.raises(ComfyError, match="leads out of the output folder"):
        comfy_server.prompt(saved)


def test_a_file_that_is_saved_is_the_module_that_was_loaded(comfy_server, comfy_models):
    saved = {
        "1": load_module(MODULE),
        "2": node("ZoetropeSaveTemporalLayers", motion_module=["1", 0], filename_prefix="kept/again"),
    }
    first, second = (comfy_server.prompt(saved)["outputs"]["2"]["text"][0] for _ in range(2))
    want = load_file(comfy_models / "animatediff_models" / MODULE)
    got = load_file(comfy_server.base / "output" / first)
    assert {k for k in want if not k.endswith(".pe")} <= set(got)
    assert all(torch.equal(got[key], value.to(got[key].dtype)) for key, value in want.items() if key in got)
    assert second in (first, "kept/again_00002_.safetensors")


def decoder(layers, **settings):
    """The nodes that give a VAE with temporal layers."""
    settings = {"strength": 1.0, "chunk_frames": 8, "chunk_overlap": 4, "frames_per_video": 0} | settings
    apply = node("ZoetropeApplyTemporalDecoder", vae=["22", 0], temporal_decoder=["20", 0], **settings)
    return {"20": layers, "21": apply}


def load_vae():
    return node("VAELoader", vae_name="image_vae.safetensors")


@pytest.fixture(scope="module")
def vae_file(comfy_models):
    """An SD1.x VAE, a quarter as wide and without its encoder, which nobody runs; the demo's is a TAESD."""
    settings = {"ch": 32, "ch_mult": (1, 2, 4, 4), "num_res_blocks": 2, "in_channels": 3, "out_ch": 3}
    network = Decoder(**settings, attn_resolutions=(), resolution=256, z_channels=4)
    tensors = {f"decoder.{key}": value for key, value in fill(network).state_dict().items()}
    save_file(tensors, comfy_models / "vae" / "image_vae.safetensors")


@pytest.fixture(scope="module")
def decode(comfy_server, vae_file):
    """Samples frames and gives their pictures (F, H, W, 3), in 8 bits.

    vae: nodes of `decoder`; None for the plain VAE."""

    def run(vae=None, decoding="VAEDecode", **settings):
        found = graph() | {"22": load_vae()} | (vae or {})
        samples, vae = ["10", 0], ["21" if vae else "22", 0]
        found["11"] = node(decoding, samples=samples, vae=vae, **settings)
        found["12"] = node("SaveImage", images=["11", 0], filename_prefix="decoded")
        images = comfy_server.prompt(found)["outputs"]["12"]["images"]
        files = (io.BytesIO(comfy_server.view(image)) for image in images)
        return np.stack([np.asarray(Image.open(file).convert("RGB")).astype(int) for file in files])

    return run


@pytest.fixture(scope="module")
def decoder_file(comfy_server, comfy_models, vae_file):
    """The node that loads a temporal decoder: made new, saved, filled with seeded weights."""
    saved = {
        "1": load_vae(),
        "2": node("ZoetropeNewTemporalDecoder", vae=["1", 0]),
        "3": node("ZoetropeSaveTemporalLayers", motion_module=["2", 0], filename_prefix="decoder"),
    }
    (text,) = comfy_server.prompt(saved)["outputs"]["3"]["text"]
    path = comfy_server.base / "output" / text.rpartition("/")[2]
    tensors = {key: gold_tensor(key, value.shape) * 0.3 for key, value in load_file(path).items()}
    save_file(tensors, comfy_models / "animatediff_models" / "decoder.safetensors")
    return node("ZoetropeLoadTemporalDecoder", file_name="decoder.safetensors")


def test_a_temporal_decoder_is_made_saved_loaded_and_decodes(decode, decoder_file):
    plain = decode()
    new_layers = node("ZoetropeNewTemporalDecoder", vae=["22", 0])
    assert len(plain) == FRAMES and (decode(decoder(new_layers)) == plain).all()
    trained = decode(decoder(decoder_file))
    assert (abs(trained - plain).max((1, 2, 3)) > 8).all()
    tiled = {"tile_size": 512, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8}
    assert (decode(decoder(decoder_file), "VAEDecodeTiled", **tiled) == trained).all()  # one tile holds all
    for settings in ({"frames_per_video": 3}, {"chunk_frames": 1, "chunk_overlap": 0}, {"strength": 0.5}):
        assert abs(decode(decoder(decoder_file, **settings)) - trained).max() > 1
    assert (decode(decoder(decoder_file, strength=0.0)) == plain).all() and (decode() == plain).all()


def test_a_temporal_decoder_decodes_into_a_file(decode, decoder_file, comfy_server):
    """Through Latents to Video File, losslessly, the pictures of VAE Decode."""
    layers = decoder(decoder_file)
    expected = decode(layers)
    found = graph() | {"22": load_vae()} | layers
    found["11"] = node(
        "ZoetropeSaveLatents",
        samples=["10", 0],
        vae=["21", 0],
        filename_prefix="decoded",
        fps=8.0,
        format="APNG",
        crf=-1.0,
        pix_fmt="auto",
        ping_pong=False,
        loop_count=0,
        chunk_frames=8,
        chunk_overlap=4,
        tile_size=0,
    )
    (file,) = comfy_server.prompt(found)["outputs"]["11"]["images"]
    with Image.open(io.BytesIO(comfy_server.view(file))) as animation:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(animation)]
    assert abs(np.stack(frames).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_page_explains_every_method(language):
    page = (ROOT / "web" / "docs" / "ZoetropeNewTemporalLayers" / f"{language}.md").read_text("utf8")
    assert [name for name in METHODS if not re.search(rf"^- \*\*{re.escape(name)}\*\*", page, re.M)] == []
