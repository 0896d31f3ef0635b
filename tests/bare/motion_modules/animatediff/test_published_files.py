"""Every published file of temporal layers is recognised by its keys and shapes, by exactly one method."""

import gzip
import json

import pytest
import torch
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


@pytest.mark.parametrize("name", FILES)
def test_a_published_file_is_what_it_is(name):
    manifest = json.loads(gzip.decompress((MANIFESTS / f"{name}.json.gz").read_bytes()))
    tensors = {key: torch.zeros(1).expand(shape) for key, (shape, _) in manifest["tensors"].items()}
    method = claimed_by(METHODS, tensors)
    config, weights = method.read(tensors, name)
    found = (method.title(config), len(config.site_channels), config.position_length)
    assert found == FILES[name]
    assert weights.keys() == method.build(config, device="meta").state_dict().keys()
