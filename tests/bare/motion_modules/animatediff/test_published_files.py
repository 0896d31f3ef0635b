"""Every published file of temporal layers is recognised by its keys and shapes, by exactly one method."""

import gzip
import json

import pytest
import torch
from zoetrope.motion_modules.animatediff.sparsectrl import encoder_config, read_sparsectrl
from zoetrope.motion_modules.method import claimed_by
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.places import MANIFESTS

FILES = {
    "animatediff_lightning_comfyui": ("AnimateDiff v2", 21, 32),
    "animatediff_lightning_diffusers": ("AnimateDiff v2", 21, 32),
    "animatediff_mm_sdxl_v10_beta": ("AnimateDiff SDXL", 15, 32),
    "diffusers_motion_adapter_sdxl": ("AnimateDiff SDXL", 15, 32),
    "hotshotxl_temporal_layers": ("HotshotXL", 15, 24),
    "animatelcm_sd15_t2v": ("AnimateLCM", 21, 64),
    "animatelcm_sd15_i2v": ("AnimateLCM-I2V", 21, 64),
    "pia": ("PIA", 20, 32),
}
"""Manifest -> what the file is, its modules, and the frames of its table."""


def tensors_of(name):
    manifest = json.loads(gzip.decompress((MANIFESTS / f"{name}.json.gz").read_bytes()))
    return {key: torch.zeros(1).expand(shape) for key, (shape, _) in manifest["tensors"].items()}


@pytest.mark.parametrize("name", FILES)
def test_a_published_file_is_what_it_is(name):
    tensors = tensors_of(name)
    method = claimed_by(METHODS, tensors)
    config, weights = method.read(tensors, name)
    found = (method.title(config), len(config.site_channels), config.position_length)
    assert found == FILES[name]
    assert weights.keys() == method.build(config, device="meta").state_dict().keys()


@pytest.mark.parametrize(("kind", "hint_channels"), [("rgb", 5), ("scribble", 4)])
def test_a_published_sparsectrl_file_is_a_controlnet_with_motion_modules(kind, hint_channels):
    file = read_sparsectrl(tensors_of(f"animatediff_v3_sd15_sparsectrl_{kind}"), kind)
    assert (len(file.motion.site_channels), file.motion.position_length) == (8, 32)
    assert file.motion.num_attention_blocks == 1
    config = encoder_config(file, kind)
    assert config.channel_mult == (1, 2, 4, 4) and config.model_channels == 320
    assert config.transformer_depth == [1] * 6 + [0] * 2 and config.transformer_depth_middle == 1
    assert (config.hint_channels, config.context_dim) == (hint_channels, 768)
    assert file.takes_latents == (kind == "rgb")
