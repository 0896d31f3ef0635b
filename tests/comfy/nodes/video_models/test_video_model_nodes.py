"""The nodes of video networks in a running ComfyUI, over its HTTP API, with good and with bad input."""

import re

import pytest
import torch
from comfy.taesd.taesd import TAESD
from safetensors.torch import load_file, save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.samplers.noise import ReferenceNoise
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import CHECKPOINT, MODULE, latents_of
from zoetrope.tests.gold_weights import fill, gold_input
from zoetrope.tests.networks.modelscope import tiny_modelscope

# the server keeps what it loaded, and other files of tests have the published name
MODEL = "modelscope_of_these_tests.pth"
FRAMES = 5


@pytest.fixture(scope="module")
def files(comfy_models):
    """Video networks for the demo's text encoder (64 wide) and with the published text width,
    and files that are none.
    """
    for name in ("diffusion_models", "checkpoints", "vae", "loras"):
        (comfy_models / name).mkdir(exist_ok=True)
    weights = tiny_modelscope(context_dim=64)
    torch.save(weights, comfy_models / "diffusion_models" / MODEL)
    torch.save({"state_dict": weights}, comfy_models / "checkpoints" / "in_checkpoints.ckpt")
    torch.save(tiny_modelscope(), comfy_models / "diffusion_models" / "text_1024.pth")
    content = (comfy_models / "diffusion_models" / MODEL).read_bytes()
    (comfy_models / "diffusion_models" / "truncated.pth").write_bytes(content[: len(content) // 2])
    save_file(
        load_file(comfy_models / "animatediff_models" / MODULE),
        comfy_models / "diffusion_models" / "motion.safetensors",
    )
    damaged = {key: value for key, value in weights.items() if key != "middle_block.2.proj_in.bias"}
    torch.save(damaged, comfy_models / "diffusion_models" / "damaged.pth")
    vae = {
        f"first_stage_model.{key}": value
        for key, value in fill(TAESD(latent_channels=4)).state_dict().items()
    }
    torch.save(
        {"state_dict": vae | {"model.diffusion_model.x": torch.zeros(1)}},
        comfy_models / "vae" / "VQGAN_autoencoder.pth",
    )
    name = "down_blocks.0.temp_attentions.0.transformer_blocks.0.attn1.to_v"
    lora = {f"{name}.lora_A": gold_input("A", (4, 64)), f"{name}.lora_B": gold_input("B", (64, 4))}
    save_file(lora, comfy_models / "loras" / "video_lora.safetensors")
    return comfy_models


def graph(model=MODEL, frames=FRAMES, lora=None, noise=None, vae=None, vae_of_model=False):
    """Text to video in API format; what is not given is not in the graph."""
    source = ["3", 0] if lora else ["2", 0]
    nodes = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "ZoetropeLoadVideoModel", "inputs": {"model_name": model}},
        "6": {
            "class_type": "CLIPTextEncode",
            "inputs": {"clip": ["1", 1], "text": "a red ball on a blue background"},
        },
        "7": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
        "8": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 40, "batch_size": frames}},
        "9": {
            "class_type": "KSampler",
            "inputs": {
                "model": source,
                "seed": 3,
                "steps": 2,
                "cfg": 4.0,
                "sampler_name": "ddim",
                "scheduler": "ddim_uniform",
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["8", 0],
                "denoise": 1.0,
            },
        },
        "13": {"class_type": "SaveLatent", "inputs": {"samples": ["9", 0], "filename_prefix": "t"}},
        "14": {"class_type": "PreviewAny", "inputs": {"source": ["2", 4]}},
    }
    if lora:
        nodes["3"] = {
            "class_type": "ZoetropeLoadVideoLora",
            "inputs": {"model": ["2", 0], "lora_name": lora, "strength": 0.8},
        }
    if vae:
        nodes["4"] = vae
    if vae or vae_of_model:
        nodes["10"] = {
            "class_type": "VAEDecode",
            "inputs": {"samples": ["9", 0], "vae": ["2", 2] if vae_of_model else ["4", 0]},
        }
        nodes["11"] = {"class_type": "PreviewImage", "inputs": {"images": ["10", 0]}}
    if noise:
        nodes["20"] = noise
        nodes["21"] = {
            "class_type": "CFGGuider",
            "inputs": {"model": source, "positive": ["6", 0], "negative": ["7", 0], "cfg": 4.0},
        }
        nodes["22"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "ddim"}}
        nodes["23"] = {
            "class_type": "BasicScheduler",
            "inputs": {"model": source, "scheduler": "normal", "steps": 2, "denoise": 1.0},
        }
        nodes["9"] = {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["20", 0],
                "guider": ["21", 0],
                "sampler": ["22", 0],
                "sigmas": ["23", 0],
                "latent_image": ["8", 0],
            },
        }
    return nodes


@pytest.fixture(scope="module")
def good_latents(comfy_server, files):
    return latents_of(comfy_server, comfy_server.prompt(graph()))


def test_the_loader_lists_both_folders(comfy_server, files):
    offered = comfy_server.object_info()["ZoetropeLoadVideoModel"]["input"]["required"]["model_name"][1][
        "options"
    ]
    assert {MODEL, "in_checkpoints.ckpt", CHECKPOINT} <= set(offered)


def test_a_video_comes_out_and_what_was_found_is_shown(comfy_server, files):
    result = comfy_server.prompt(graph())
    latents = latents_of(comfy_server, result)
    assert latents.shape == (FRAMES, 4, 5, 8)
    assert latents.isfinite().all()
    assert "ModelScopeT2V or ZeroScope" in result["outputs"]["14"]["text"][0]
    assert "ModelScopeT2V or ZeroScope" in result["outputs"]["2"]["text"][0]


def test_a_checkpoint_of_the_same_weights_gives_the_same_latents(comfy_server, good_latents):
    assert torch.equal(
        latents_of(comfy_server, comfy_server.prompt(graph(model="in_checkpoints.ckpt"))), good_latents
    )


def test_one_frame_is_a_picture(comfy_server, files):
    assert latents_of(comfy_server, comfy_server.prompt(graph(frames=1))).shape == (1, 4, 5, 8)


def test_a_lora_changes_the_video(comfy_server, good_latents):
    changed = latents_of(comfy_server, comfy_server.prompt(graph(lora="video_lora.safetensors")))
    assert (changed - good_latents).abs().max() > 1e-3


def test_the_vae_of_a_whole_file_decodes_every_frame(comfy_server, files):
    vae = {"class_type": "ZoetropeLoadVideoVAE", "inputs": {"vae_name": "VQGAN_autoencoder.pth"}}
    assert len(comfy_server.prompt(graph(vae=vae))["outputs"]["11"]["images"]) == FRAMES


def test_reference_noise_is_other_noise(comfy_server, files):
    def run(kind):
        return latents_of(
            comfy_server, comfy_server.prompt(graph(noise={"class_type": kind, "inputs": {"noise_seed": 3}}))
        )

    assert (run("ZoetropeMakeReferenceNoise") - run("RandomNoise")).abs().max() > 1e-2


def test_reference_noise_is_drawn_for_the_whole_video():
    noise = ReferenceNoise(7).generate_noise({"samples": torch.zeros(5, 4, 3, 2)})
    torch.manual_seed(7)
    assert torch.equal(noise, torch.randn(1, 4, 5, 3, 2)[0].transpose(0, 1))
    part = ReferenceNoise(7).generate_noise({"samples": torch.zeros(2, 4, 3, 2), "batch_index": [1, 4]})
    assert torch.equal(part, noise[[1, 4]])


BAD = {
    "truncated": ({"model": "truncated.pth"}, "2", "cannot be read.*download it again"),
    "a motion module": ({"model": "motion.safetensors"}, "2", "not a video network.*Load Motion Module"),
    "an image checkpoint": ({"model": CHECKPOINT}, "2", "not a video network.*Load Checkpoint"),
    "a missing key": ({"model": "damaged.pth"}, "2", "lacks 1 of its .*'middle_block.2.proj_in.bias'"),
    "another text encoder": (
        {"model": "text_1024.pth"},
        "9",
        "width 1024, the conditioning has width 64.*OpenCLIP ViT-H",
    ),
    "a file without a VAE": (
        {"vae": {"class_type": "ZoetropeLoadVideoVAE", "inputs": {"vae_name": "in_checkpoints.ckpt"}}},
        "4",
        "has no VAE: expected keys",
    ),
    "a VAE output without a VAE": ({"vae_of_model": True}, "10", "carries no VAE; wire Load VAE"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_explained_in_its_node_and_the_next_run_is_right(comfy_server, good_latents, case):
    arguments, node, message = BAD[case]
    with pytest.raises(ComfyError) as caught:
        comfy_server.prompt(graph(**arguments))
    details = caught.value.details
    assert details["node_id"] == node
    assert re.search(message, details["exception_message"], re.DOTALL), details["exception_message"]
    comfy_server.free()
    assert torch.equal(latents_of(comfy_server, comfy_server.prompt(graph())), good_latents)


@pytest.mark.parametrize(
    ("arguments", "node", "output", "message"),
    [
        ({"model": "nowhere.pth"}, "2", "13", "'nowhere.pth' was not found; put it into"),
        ({"lora": "nowhere.pt"}, "3", "13", "'nowhere.pt' was not found; put it into"),
        (
            {"vae": {"class_type": "ZoetropeLoadVideoVAE", "inputs": {"vae_name": "nowhere.pth"}}},
            "4",
            "11",
            "'nowhere.pth' was not found",
        ),
    ],
)
def test_missing_files_are_refused_before_anything_runs(
    comfy_server, files, arguments, node, output, message
):
    nodes = graph(**arguments)
    with pytest.raises(
        ComfyError
    ) as caught:  # ComfyUI runs what it can: only the output that needs the file is left
        comfy_server.prompt(
            {key: value for key, value in nodes.items() if key not in {"11", "13", "14"} - {output}}
        )
    assert message in str(caught.value.details["node_errors"][node])
