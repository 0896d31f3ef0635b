"""ModelScopeT2V: the reference's numbers in both layouts,
names of every key, and what its frames know of each other.
"""

import gzip
import json

import pytest
import torch
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.golden_cases import build, forward, load_case, manifest
from zoetrope.tests.places import MANIFESTS
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.diffusers_names import DiffusersNames
from zoetrope.video_unets.file_shapes import FileShapes
from zoetrope.video_unets.modelscope.names import (
    diffusers_settings,
    diffusers_to_network,
    original_settings,
    original_to_network,
)
from zoetrope.video_unets.modelscope.network import ModelScopeUNet

CASES = {
    # case: (conversion, settings, heads that shapes cannot tell)
    "modelscope/unetsd_w64": (
        original_to_network,
        original_settings,
        {"num_head_channels": 16, "first_heads": 2},
    ),
    "diffusers_unet3d/unet3d_w64": (
        diffusers_to_network,
        diffusers_settings,
        {"num_head_channels": 16, "first_heads": 8},
    ),
}


def golden_network(case):
    meta, io, state_dict = load_case(case)
    to_network, settings, heads = CASES[case]
    shapes = FileShapes({key: value.shape for key, value in state_dict.items()}, case)
    return build(ModelScopeUNet, settings(shapes) | heads, to_network(state_dict)), io, meta


@pytest.mark.parametrize("case", CASES)
def test_forward_gives_the_numbers_of_the_reference(case):
    network, io, _ = golden_network(case)
    assert_same(forward(network, io["x"], io["t"], io["y"]), io["out"])


def test_sampling_loop_gives_the_numbers_of_the_reference():
    """Four DDIM steps with guidance 9, in the reference's own terms."""
    network, io, meta = golden_network("modelscope/unetsd_w64")
    x, alphas = io["ddim_noise"], io["alphas_cumprod"]
    for t in io["ddim_timesteps"].tolist():
        both = forward(network, x.repeat(2, 1, 1, 1, 1), torch.tensor([t, t]), io["y"])
        eps = both[1:] + 9.0 * (both[:1] - both[1:])
        a, a_next = alphas[t], alphas[max(t - 250, 0)]
        denoised = (x - (1 - a).sqrt() * eps) / a.sqrt()
        x = a_next.sqrt() * denoised + (1 - a_next).sqrt() * eps
    assert_same(x, io["out_ddim"])


def test_names_of_diffusers_are_found_by_rule():
    table = json.loads(gzip.decompress((MANIFESTS / "prefixes_diffusers_to_modelscope.json.gz").read_bytes()))
    names = DiffusersNames(manifest("diffusers_text-to-video-ms-1.7b_unet"))
    wrong = {
        module: found
        for module, original in table.items()
        if (found := names.core_name(module))
        != original_to_network({original + ".": 0}).popitem()[0].rstrip(".")
    }
    assert wrong == {}


def test_a_single_frame_is_an_image():
    network, io, _ = golden_network("modelscope/unetsd_w64")
    out = forward(network, io["x"][:, :, :1], io["t"], io["y"])
    assert out.shape == (2, 4, 1, 8, 8)
    assert (out - io["out"][:, :, :1]).abs().max() > 0.01


def test_frames_know_each_other_and_videos_do_not():
    network, io, _ = golden_network("modelscope/unetsd_w64")
    x = io["x"].clone()
    before = forward(network, x, io["t"], io["y"])
    x[0, :, 2] = gold_input("another frame", (4, 8, 8))
    after = forward(network, x, io["t"], io["y"])
    assert (after[0, :, 0] - before[0, :, 0]).abs().max() > 0.01
    assert torch.equal(after[1], before[1])


def test_text_of_another_encoder_is_refused():
    network, io, _ = golden_network("modelscope/unetsd_w64")
    with pytest.raises(ValueError, match="width 1024, the conditioning has width 768.*OpenCLIP ViT-H"):
        forward(network, io["x"], io["t"], io["y"][..., :768])


def test_a_batch_that_is_no_whole_number_of_conditionings_is_refused():
    network, io, _ = golden_network("modelscope/unetsd_w64")
    with pytest.raises(ValueError, match="6 images cannot be 4 conditionings"):
        forward(network, io["x"], io["t"], io["y"], transformer_options={"cond_or_uncond": [0] * 4})
