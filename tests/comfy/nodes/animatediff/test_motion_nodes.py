"""The motion nodes in a running ComfyUI, over its HTTP API, with good and with bad input."""

import io
import re

import av
import pytest
import torch
from safetensors.torch import load, load_file, save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.motion_modules.animatediff.files import to_original_names
from zoetrope.motion_modules.animatediff.layers import MotionConfig, MotionModel, animatediff_sites

CHECKPOINT, MODULE = "zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors"


class Opens:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.fixture(scope="module")
def bad_files(comfy_models, tmp_path_factory):
    """Files that are not what they are given as, in the motion module folder of the server."""
    folder = comfy_models / "animatediff_models"
    good = (folder / MODULE).read_bytes()
    mark = tmp_path_factory.mktemp("evil") / "code-ran"
    (folder / "empty.ckpt").touch()
    (folder / "truncated.safetensors").write_bytes(good[: len(good) // 2])
    torch.save({"weights": Opens(str(mark))}, folder / "evil.ckpt")
    save_file(
        {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": torch.zeros(3, 5)},
        folder / "a_lora.safetensors",
    )
    save_file({"first_stage_model.decoder.conv_in.weight": torch.zeros(3, 5)}, folder / "a_vae.safetensors")
    sdxl = to_original_names(
        MotionModel(MotionConfig("sdxl", animatediff_sites((32, 64, 128), with_mid=False)))
    )
    save_file(sdxl, folder / "sdxl_module.safetensors")
    torch.save(load_file(folder / MODULE), folder / "good.ckpt")
    return mark


def graph(frames=3, module=MODULE, extra=None, **apply):
    """Text to video in API format; `extra` nodes may take the MODEL from node 4 as node 5."""
    settings = {
        "strength": 1.0,
        "start_percent": 0.0,
        "end_percent": 1.0,
        "beta_schedule": "auto",
        "group_norm": "auto",
        "frames_per_video": 0,
    } | apply
    nodes = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "ZoetropeLoadMotionModule", "inputs": {"motion_module": module}},
        "4": {
            "class_type": "ZoetropeApplyMotionModule",
            "inputs": {"model": ["1", 0], "motion_module": ["2", 0], **settings},
        },
        "6": {
            "class_type": "CLIPTextEncode",
            "inputs": {"clip": ["1", 1], "text": "a red ball on a blue background"},
        },
        "7": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
        "8": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": frames}},
        "9": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["5" if extra else "4", 0],
                "seed": 3,
                "steps": 2,
                "cfg": 4.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["8", 0],
                "denoise": 1.0,
            },
        },
        "10": {"class_type": "VAEDecode", "inputs": {"samples": ["9", 0], "vae": ["1", 2]}},
        "11": {"class_type": "CreateVideo", "inputs": {"images": ["10", 0], "fps": 8}},
        "12": {
            "class_type": "SaveVideo",
            "inputs": {"video": ["11", 0], "filename_prefix": "t", "format": "auto", "codec": "auto"},
        },
        "13": {"class_type": "SaveLatent", "inputs": {"samples": ["9", 0], "filename_prefix": "t"}},
    }
    return nodes | ({"5": extra} if extra else {})


def latents_of(server, result) -> torch.Tensor:
    """What was sampled, bit for bit; H.264 encoding with several threads is not."""
    return load(server.view(result["outputs"]["13"]["latents"][0]))["latent_tensor"]


def frames_of(server, result) -> torch.Tensor:
    file = result["outputs"]["12"]["images"][0]
    with av.open(io.BytesIO(server.view(file))) as container:
        return torch.stack(
            [torch.from_numpy(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
        )


@pytest.fixture(scope="module")
def good_latents(comfy_server, bad_files):
    return latents_of(comfy_server, comfy_server.prompt(graph()))


def test_a_video_comes_out_and_the_module_matters(comfy_server, good_latents):
    off = comfy_server.prompt(graph(strength=0.0))
    assert frames_of(comfy_server, off).shape == (3, 64, 64, 3)
    assert not torch.allclose(latents_of(comfy_server, off), good_latents, atol=0.1)


def test_a_ckpt_of_the_same_weights_gives_the_same_latents(comfy_server, good_latents):
    assert torch.equal(latents_of(comfy_server, comfy_server.prompt(graph(module="good.ckpt"))), good_latents)


BAD = {
    "empty": ({"module": "empty.ckpt"}, "2", "is empty"),
    "truncated": ({"module": "truncated.safetensors"}, "2", "cannot be read.*download it again"),
    "pickle with code": ({"module": "evil.ckpt"}, "2", "was refused.*safetensors"),
    "a LoRA": ({"module": "a_lora.safetensors"}, "2", "not a motion module.*a LoRA .use Load LoRA"),
    "a VAE": ({"module": "a_vae.safetensors"}, "2", "not a motion module.*a VAE .use Load VAE"),
    "SDXL module": ({"module": "sdxl_module.safetensors"}, "4", "does not fit this checkpoint.*SDXL"),
    "33 frames": ({"frames": 33}, "9", "33 frames are more than the 32.*Context Windows"),
    "percents": ({"start_percent": 0.9, "end_percent": 0.1}, "4", "start_percent=0.9"),
    "frames per video": ({"frames_per_video": 2}, "9", "frames_per_video=2"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_explained_in_its_node_and_the_next_run_is_right(
    comfy_server, good_latents, bad_files, case
):
    arguments, node, message = BAD[case]
    with pytest.raises(ComfyError) as caught:
        comfy_server.prompt(graph(**arguments))
    details = caught.value.details
    assert details["node_id"] == node
    assert re.search(message, details["exception_message"], re.DOTALL), details["exception_message"]
    assert not bad_files.exists(), "the code in the pickle ran"
    comfy_server.free()
    assert torch.equal(latents_of(comfy_server, comfy_server.prompt(graph())), good_latents)


@pytest.mark.parametrize(
    ("arguments", "node", "message"),
    [
        ({"module": "nowhere.ckpt"}, "2", "'nowhere.ckpt' was not found; put it into"),
        ({"frames": 0}, "8", "smaller than min"),
        ({"beta_schedule": "cosine"}, "4", "not in list"),
        ({"strength": -1.0}, "4", "smaller than min"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(comfy_server, good_latents, arguments, node, message):
    with pytest.raises(ComfyError) as caught:
        comfy_server.prompt(graph(**arguments))
    assert message in str(caught.value.details["node_errors"][node])
