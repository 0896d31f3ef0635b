"""Show-1's pixel networks:
the reference's numbers, names of every key, and what their frames know of each other.
"""

import pytest
import torch
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.golden_cases import build, forward, hollow, load_case, manifest
from zoetrope.tests.networks.show1 import NETWORKS
from zoetrope.tests.rounding import DEEP_NETWORK, OTHER_BATCH, assert_same
from zoetrope.video_unets.show1 import blocks as show1_blocks
from zoetrope.video_unets.show1.system import SYSTEMS

SHOW1 = {system.name: system for system in SYSTEMS}
CASES = {network.golden: network.system for network in NETWORKS}
MANIFESTS = {
    "show1_base_unet": ("show1_base", 1827),
    "show1_interpolation_unet_assumed": ("show1_interpolation", 1827),
    "show1_sr1_unet": ("show1_sr1", 1639),
}


def golden_network(case):
    _, io, state_dict = load_case(case)
    system = SHOW1[CASES[case]]
    shapes = {key: tuple(value.shape) for key, value in state_dict.items()}
    assert [s.name for s in SYSTEMS if s.claims(shapes)] == [system.name]
    heads = {
        "head_channels": 16,
        "pooling_heads": 4,
    }  # what shapes cannot tell: 64 and 64 in the published networks
    return build(system.network, system.settings(shapes) | heads, system.to_network(state_dict)), io


def run(network, io, **changed):
    io = io | changed
    levels = {"y": io["class_labels"]} if "class_labels" in io else {}
    return forward(network, io["x"], io["t"].float(), io["y"], levels)


@pytest.mark.parametrize("case", CASES)
def test_forward_gives_the_numbers_of_the_reference(case):
    network, io = golden_network(case)
    assert_same(run(network, io), io["out"][:, :3], DEEP_NETWORK)


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_published_file_has_exactly_the_networks_keys_and_shapes(name):
    shapes = manifest(name)
    system, count = MANIFESTS[name]
    assert [s.name for s in SYSTEMS if s.claims(shapes)] == [system]
    network = SHOW1[system].network(**SHOW1[system].settings(shapes), device="meta")
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert {
        key: tuple(value.shape) for key, value in SHOW1[system].to_network(hollow(shapes)).items()
    } == expected
    assert len(expected) == count


@pytest.mark.parametrize("case", CASES)
def test_frames_know_each_other_and_videos_do_not(case):
    network, io = golden_network(case)
    x = io["x"].clone()
    x[0, :, 3] = gold_input("another frame", x[0, :, 3].shape)
    before, after = run(network, io), run(network, io, x=x)
    assert (after[0, :, 0] - before[0, :, 0]).abs().max() > 0.01
    assert torch.equal(after[1], before[1])


@pytest.mark.parametrize("case", CASES)
def test_two_conditionings_in_one_batch_or_one_after_the_other(case):
    network, io = golden_network(case)
    alone = [run(network, {key: value[i : i + 1] for key, value in io.items()}) for i in (0, 1)]
    assert_same(torch.cat(alone), run(network, io), OTHER_BATCH)


@pytest.mark.parametrize("case", CASES)
def test_a_single_frame_is_an_image(case):
    network, io = golden_network(case)
    out = run(network, io, x=io["x"][:, :, :1])
    assert out.shape == (2, 3, 1, 8, 8)
    assert (out - io["out"][:, :3, :1]).abs().max() > 0.01


@pytest.mark.parametrize("case", CASES)
def test_other_widths_and_heights(case):
    network, io = golden_network(case)
    x = gold_input("x", (2, io["x"].shape[1], 3, 6, 10))
    assert run(network, io, x=x).shape == (2, 3, 3, 6, 10)
    with pytest.raises(ValueError, match="multiples of 2 pixels, got 7 x 6"):
        run(network, io, x=x[..., :7])


def test_text_of_another_encoder_is_refused():
    network, io = golden_network("show1/base")
    with pytest.raises(ValueError, match="width 96, the conditioning has width 95.*T5-XXL"):
        run(network, io, y=io["y"][..., :95])


def test_a_controlnet_is_refused():
    network, io = golden_network("show1/base")
    with pytest.raises(ValueError, match="no ControlNets for Show-1's pixel networks"):
        network(
            io["x"][:1, :, 0], torch.tensor([1.0]), io["y"][:1], control={"input": []}, transformer_options={}
        )


def test_the_temporal_heads_are_swapped_as_in_the_reference():
    """64 heads of channels/64 instead of channels/64 heads of 64: at 128 channels 64 heads of 2."""
    level = show1_blocks.Level([128], 128, 32, 64, attentions=1)
    attention = level.temp_attentions[0].transformer_blocks[0].attn1
    assert (attention.heads, attention.dim_head) == (64, 2)
    assert level.attentions[0].heads == 2
