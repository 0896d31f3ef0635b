"""AnimateDiff SDXL and HotshotXL give the numbers of the published code: whole UNets, norms and names."""

import json
from functools import cache

import comfy.supported_models
import comfy.utils
import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import Timestep
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import GROUP_NORM_CHOICES, MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_models import motion_module_from_file, save_motion_module
from zoetrope.motion_modules.animatediff.layers import sinusoidal_table
from zoetrope.tests.comfy.golden_unet import forward
from zoetrope.tests.gold_weights import gold_state_dict
from zoetrope.tests.networks.image_unets import image_unet
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

FAMILIES = {
    "AnimateDiff SDXL": ("animatediff_sdxl/unet_sdxl", ".motion_modules.", "pos_encoder.pe", 32),
    "HotshotXL": ("hotshotxl/unet_hotshotxl", ".temporal_attentions.", "pos_encoder.positional_encoding", 24),
}
LEVELS = {
    "model_channels": 64,
    "channel_mult": (1, 1, 2),
    "num_res_blocks": [2] * 3,
    "transformer_depth": [0, 0, 1, 1, 2, 2],
    "transformer_depth_output": [0, 0, 0, 1, 1, 1, 2, 2, 2],
    "transformer_depth_middle": 2,
    "adm_in_channels": 80,
    "num_classes": "sequential",
    "use_linear_in_transformer": True,
}


class GoldenSDXL(comfy.supported_models.SDXL):
    unet_extra_config = {"num_heads": -1, "num_head_channels": 16, "attn_precision": torch.float32}


@cache
def published(family):
    """The weights of the whole UNet under their published names."""
    meta = json.loads((GOLDENS / f"{FAMILIES[family][0]}.json").read_text())
    return gold_state_dict(meta["shapes"], meta["gains"])


@cache
def golden(family):
    return load_file(GOLDENS / f"{FAMILIES[family][0]}.safetensors")


def checkpoint(family):
    """The spatial part as a MODEL."""
    names = comfy.utils.unet_to_diffusers({**LEVELS, "num_blocks": 2})
    spatial = {k: v for k, v in published(family).items() if FAMILIES[family][1] not in k}
    return image_unet(GoldenSDXL, {names[key]: value for key, value in spatial.items()}, **LEVELS)


def in_file(family):
    """What the published file of the module holds."""
    _, part, table, rows = FAMILIES[family]
    own = {key: value for key, value in published(family).items() if part in key}
    queries = [key for key in own if key.endswith("to_q.weight")]
    tables = {key.replace("to_q.weight", table): sinusoidal_table(rows, len(own[key])) for key in queries}
    return own | tables


@pytest.fixture
def module(tmp_path):
    def load(family):
        save_file(in_file(family), tmp_path / "module.safetensors")
        return motion_module_from_file(str(tmp_path / "module.safetensors"))

    return load


def run(model, family, frames=slice(None)):
    gold = golden(family)
    times = Timestep(8)(gold["time_ids"].flatten()).reshape(2, -1)
    return forward(
        model, gold["x"][:, :, frames], gold["t"], gold["ctx"], y=torch.cat((gold["pooled"], times), 1)
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_unet_gives_the_numbers_of_the_published_code(module, family):
    loaded = module(family)
    assert loaded.title == family
    model = apply_motion_module(checkpoint(family), loaded, MotionSettings())
    assert_same(run(model, family), golden(family)["y"])
    assert_same(run(model, family, slice(0, 1)), golden(family)["y_1frame"])


def test_the_checkpoint_of_the_golden_file_is_sdxl_s_layout():
    assert_same(run(checkpoint("AnimateDiff SDXL"), "AnimateDiff SDXL"), golden("AnimateDiff SDXL")["y_2d"])


@pytest.mark.parametrize("family", FAMILIES)
def test_other_norms_are_the_distance_away_that_the_golden_file_names(module, family):
    """rms of a wrong mode against the published one, as its README lists them."""
    loaded, plain = module(family), checkpoint(family)
    distance = {
        choice: (
            run(apply_motion_module(plain, loaded, MotionSettings(group_norm=choice)), family)
            - golden(family)["y"]
        )
        .square()
        .mean()
        .sqrt()
        .item()
        for choice in GROUP_NORM_CHOICES
    }
    per_frame = {"AnimateDiff SDXL": 0.0873, "HotshotXL": 0.0853}[family]
    assert distance["per frame"] == pytest.approx(per_frame, abs=2e-4)
    right = {"AnimateDiff SDXL": "over all frames in the module (SDXL, diffusers)"}
    assert distance[right.get(family, "over all frames (AnimateDiff v1)")] < 1e-5
    assert distance["auto"] < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_module_has_the_published_names_and_numbers(module, tmp_path, family):
    save_motion_module(module(family), str(tmp_path / "saved.safetensors"))
    saved, before = load_file(tmp_path / "saved.safetensors"), in_file(family)
    assert saved.keys() == before.keys()
    assert all(torch.equal(saved[key], before[key]) for key in before)
