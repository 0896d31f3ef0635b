"""The tiny family is found by core's ordinary loaders, and no published checkpoint is taken for it."""

import comfy.model_detection
import comfy.ops
import comfy.supported_models
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from zoetrope.demo import networks, play, world
from zoetrope.host.files import demo_family
from zoetrope.host.media.clip_previews import find_previewer

PREFIX = "model.diffusion_model."
COMMON = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "use_spatial_transformer": True,
    "legacy": False,
}
FOUR_LEVELS = {
    "num_res_blocks": [2] * 4, "channel_mult": (1, 2, 4, 4), "transformer_depth": [1] * 6 + [0] * 2,
    "transformer_depth_output": [1] * 9 + [0] * 3, "transformer_depth_middle": 1,
}  # fmt: skip
PUBLISHED = {
    "SD15": {**FOUR_LEVELS, "context_dim": 768, "num_heads": 8},
    "SD15_instructpix2pix": {**FOUR_LEVELS, "context_dim": 768, "num_heads": 8, "in_channels": 8},
    "SD20": {**FOUR_LEVELS, "context_dim": 1024, "num_head_channels": 64, "use_linear_in_transformer": True},
    "SDXL": {
        "num_res_blocks": [2] * 3,
        "channel_mult": (1, 2, 4),
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "transformer_depth_middle": 10,
        "context_dim": 2048,
        "num_head_channels": 64,
        "use_linear_in_transformer": True,
        "adm_in_channels": 2816,
        "num_classes": "sequential",
    },
    "SSD1B": {
        "num_res_blocks": [2] * 3,
        "channel_mult": (1, 2, 4),
        "transformer_depth": [0, 0, 2, 2, 4, 4],
        "transformer_depth_output": [0, 0, 0, 1, 1, 2, 10, 4, 4],
        "transformer_depth_middle": -1,
        "context_dim": 2048,
        "num_head_channels": 64,
        "use_linear_in_transformer": True,
        "adm_in_channels": 2816,
        "num_classes": "sequential",
    },
}


def detected(state_dict):
    found = comfy.model_detection.model_config_from_unet(state_dict, PREFIX)
    return type(found).__name__, found.unet_config


@pytest.fixture(scope="module")
def family():
    return play.load_family()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_checkpoints_are_detected_as_before(name, monkeypatch):
    unet = UNetModel(**{**COMMON, **PUBLISHED[name]}, operations=comfy.ops.disable_weight_init, device="meta")
    state_dict = {PREFIX + k: v for k, v in unet.state_dict().items()}
    demo_family.register()
    after = detected(state_dict)
    untouched = [m for m in comfy.supported_models.models if m is not demo_family.ZoetropeTinySD]
    monkeypatch.setattr(comfy.supported_models, "models", untouched)
    assert detected(state_dict) == after
    assert after[0] == name


def test_registers_once_and_at_the_end():
    demo_family.register()
    demo_family.register()
    names = [m.__name__ for m in comfy.supported_models.models]
    assert names.count("ZoetropeTinySD") == 1


def test_the_ordinary_loader_finds_the_family(family):
    assert type(family.model.model.model_config).__name__ == "ZoetropeTinySD"
    unet = family.model.model.diffusion_model
    assert type(unet) is UNetModel
    assert unet.model_channels == networks.UNET_WIDTH and unet.num_heads == networks.UNET_HEADS


def test_autoencoder_is_the_box_mean_and_its_inverse(family):
    frames = world.render_clip(world.scene_from_seed(3), 3)
    latents = family.vae.encode(frames.movedim(1, -1))
    torch.testing.assert_close(latents * 0.18215, networks.encode(frames), atol=2e-3, rtol=0)
    error = (family.vae.decode(latents).movedim(-1, 1) - frames).square().mean()
    assert error < 10**-3.0  # 30 dB


def test_previews_have_the_colours_of_the_frames(family):
    """ComfyUI's previewer on latents as a sampler has them: each pixel is the mean of a box of 8x8 pixels."""
    frames = world.render_clip(world.scene_from_seed(3), 1)
    latents = family.model.model.latent_format.process_in(family.vae.encode(frames.movedim(1, -1)))
    seen = find_previewer("auto", family.model.model.latent_format, "cpu").decode_latent_to_preview(latents)
    shown = torch.from_numpy(np.array(seen, dtype=np.float32) / 255)
    torch.testing.assert_close(shown, F.avg_pool2d(frames, 8)[0].movedim(0, -1), atol=0.01, rtol=0)


def test_text_encoder_is_the_trained_one(family):
    """Core's class with the expanded vocabulary computes what the compact class computed in training."""
    state = family.clip.cond_stage_model.clip_l.transformer.text_model.state_dict()
    tokens = networks.word_tokens()
    ids = networks.vocabulary(tokens)
    compact = networks.TextEncoder(ids)
    key = "embeddings.token_embedding.weight"
    table = state[key].float()
    rows = torch.cat([table[ids], table[:1]])  # token 0 is none of the world's
    compact.load_state_dict({k: v.float() for k, v in state.items()} | {key: rows})
    text = "a big red ball bounces, qzx on a blue background"
    known = {**tokens, "qzx": [t for t, _ in family.clip.tokenize("qzx")["l"][0]][1:-1]}
    given = [t for t in known["qzx"] if t != networks.END_TOKEN]
    known["qzx"] = given
    mine = compact(torch.tensor([compact.rows(networks.caption_tokens(text, known))]))
    core, _ = family.clip.encode_from_tokens(family.clip.tokenize(text), return_pooled=True)
    torch.testing.assert_close(core, mine.detach(), atol=2e-2, rtol=0)


def test_a_larger_tensor_than_taesd_has_is_refused():
    with pytest.raises(ValueError, match="taesd_decoder.1.weight has shape"):
        demo_family.pad_to_taesd({"taesd_decoder.1.weight": torch.zeros(65, 4, 3, 3)})
