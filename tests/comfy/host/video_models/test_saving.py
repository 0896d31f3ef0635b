"""What core's Save Model and Save Checkpoint write
of a video network loads again as the same system with the same numbers.
"""

import comfy.clip_vision
import comfy.sd
import pytest
import torch
from comfy.taesd.taesd import TAESD
from comfy_extras.nodes_model_merging import CheckpointSave, ModelSave
from comfy_extras.nodes_video_model import ImageOnlyCheckpointSave
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.loras import add_video_lora
from zoetrope.host.video_models.parts import MissingPart
from zoetrope.host.video_models.videocrafter import with_noise_scale
from zoetrope.tests.comfy.host.context_rig import evaluate, seeded
from zoetrope.tests.gold_weights import fill, gold_input
from zoetrope.tests.networks.encoders import clip_l_text
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.tests.networks.videocrafter import load, tiny_videocrafter

SAVED_AS = {"modelscope_diffusers": "modelscope"}
"""Layouts that are saved in another one."""


def saved(model, folder, node=ModelSave, **parts):
    """The file that a saving node of core writes."""
    saver = node()
    saver.output_dir = str(folder)
    saver.save(model, filename_prefix="saved", **parts)
    (path,) = folder.glob("saved*.safetensors")
    return str(path)


def numbers(model, tiny):
    """One evaluation on seeded noise of a system's tiny network."""
    frames = tiny.num_frames
    positive, negative = tiny.prompt("positive", frames), tiny.prompt("negative", frames)
    return evaluate(model, seeded(frames, *tiny.latent), positive, negative)


@pytest.mark.parametrize("name", VIDEO_NETWORKS)
def test_a_saved_model_loads_again_with_the_same_numbers(tmp_path, name):
    """The network, what else its conditioning runs through, and its schedule."""
    tiny = VIDEO_NETWORKS[name]
    tiny.write(tmp_path / "published.pth")
    loaded = video_model_from_file(str(tmp_path / "published.pth"))
    again = video_model_from_file(saved(loaded.model, tmp_path))
    assert again.system.name == SAVED_AS.get(name, loaded.system.name)
    assert torch.equal(numbers(again.model, tiny), numbers(loaded.model, tiny))
    sigmas = [model.model.get_model_object("model_sampling").sigmas for model in (again, loaded)]
    assert torch.equal(*sigmas)


def test_a_noise_scale_that_was_set_is_saved(tmp_path):
    tensors = tiny_videocrafter("dynamicrafter/dc_1024_w64")
    del tensors["scale_arr"]
    loaded = load(tensors)
    again = video_model_from_file(saved(with_noise_scale(loaded.model, 0.3), tmp_path))
    assert (loaded.system.name, again.system.name) == ("dynamicrafter_512", "dynamicrafter_1024")


def test_a_lora_is_saved_into_the_weights(tmp_path):
    name, published = (
        "input_blocks.1.1.transformer_blocks.0.attn1.to_q",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    )
    VIDEO_NETWORKS["lavie_base"].write(tmp_path / "published.pth")
    loaded = video_model_from_file(str(tmp_path / "published.pth")).model
    before = loaded.model.diffusion_model.state_dict()[f"{name}.weight"].clone()
    up, down = seeded(256, 2, seed=4), seeded(2, 256, seed=5)
    torch.save(
        {
            f"lora_unet_{published.replace('.', '_')}.{kind}.weight": m
            for kind, m in (("lora_up", up), ("lora_down", down))
        },
        tmp_path / "lora.pt",
    )
    again = video_model_from_file(
        saved(add_video_lora(loaded, str(tmp_path / "lora.pt"), 0.5), tmp_path)
    ).model
    torch.testing.assert_close(
        again.model.diffusion_model.state_dict()[f"{name}.weight"], before + 0.5 * up @ down
    )


@pytest.mark.parametrize("name", ["lavie_base", "videocrafter2_t2v_512"])
def test_a_saved_checkpoint_carries_text_encoder_and_vae(tmp_path, name):
    VIDEO_NETWORKS[name].write(tmp_path / "published.pth")
    model = video_model_from_file(str(tmp_path / "published.pth")).model
    clip = comfy.sd.load_text_encoder_state_dicts([clip_l_text()], [])
    vae = comfy.sd.VAE(sd=fill(TAESD(latent_channels=4), skip=("vae_scale", "vae_shift")).state_dict())
    again = video_model_from_file(saved(model, tmp_path, CheckpointSave, clip=clip, vae=vae))
    assert "in the file: MODEL, CLIP, VAE" in again.description
    texts = [encoder.encode_from_tokens(encoder.tokenize("a panda")) for encoder in (again.clip, clip)]
    assert torch.equal(*texts)
    latents = gold_input("latents", (2, 4, 5, 3))
    assert torch.equal(again.vae.decode(latents), vae.decode(latents))
    assert isinstance(again.clip_vision, MissingPart)


def test_a_saved_image_checkpoint_carries_the_image_encoder(tmp_path, monkeypatch):
    """Core's Image Only Checkpoint Save, with an image encoder of two layers in place of ViT-H's 32."""
    case = "dynamicrafter/dc_1024_w64"
    model = load(tiny_videocrafter(case)).model
    vision = {
        f"vision_model.encoder.layers.{i}.layer_norm1.weight": gold_input(str(i), (3,)) for i in range(2)
    }
    found = []

    class Vision:
        def get_sd(self):
            return dict(vision)

    monkeypatch.setattr(comfy.clip_vision, "load_clipvision_from_sd", lambda *args: found.append(args))
    path = saved(
        model,
        tmp_path,
        ImageOnlyCheckpointSave,
        clip_vision=Vision(),
        vae=comfy.sd.VAE(sd=TAESD(latent_channels=4).state_dict()),
    )
    video_model_from_file(path)
    ((tensors, prefix, converted),) = found
    assert converted
    assert comfy.clip_vision.convert_to_transformers(tensors, prefix).keys() == vision.keys()
