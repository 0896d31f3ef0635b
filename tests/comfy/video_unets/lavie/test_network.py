"""LaVie's networks: the reference's numbers, names of every key, and what their frames know of each other."""

import pytest
import torch
from zoetrope.motion_modules.call import in_forward, running_forward
from zoetrope.shapes import fold_frames
from zoetrope.tests.gold_weights import fill, gold_input
from zoetrope.tests.networks.golden_cases import build, forward, hollow, load_case, manifest
from zoetrope.tests.networks.lavie import NETWORKS
from zoetrope.tests.rounding import OTHER_BATCH, assert_same
from zoetrope.video_unets.lavie.layers import (
    SparseCausalAttention,
    joint_norm_class,
    relative_buckets,
    rotate,
)
from zoetrope.video_unets.lavie.system import SYSTEMS

LAVIE = {system.name: system for system in SYSTEMS}
CASES = {network.golden: network.system for network in NETWORKS}


def golden_network(case):
    _, io, state_dict = load_case(case)
    system = LAVIE[CASES[case]]
    shapes = {key: tuple(value.shape) for key, value in state_dict.items()}
    assert [s.name for s in SYSTEMS if s.claims(shapes)] == [system.name]
    settings = system.settings(shapes) | {
        "num_heads": 2
    }  # what shapes cannot tell, and what a damaged file shall not
    if "class_labels" in io:
        settings["num_classes"] = shapes["class_embedding.weight"][0]
    return build(system.network, settings, system.to_network(state_dict)), io


def run(network, io, **changed):
    io = io | changed
    x = torch.cat((io["x"], io["low_res"]), 1) if "low_res" in io else io["x"]
    levels = {"y": io["class_labels"]} if "class_labels" in io else {}
    return forward(network, x, io["t"].float(), io["y"], levels)


@pytest.mark.parametrize("case", CASES)
def test_forward_gives_the_numbers_of_the_reference(case):
    network, io = golden_network(case)
    assert_same(run(network, io), io["out"])


@pytest.mark.parametrize("name", LAVIE)
def test_a_published_file_has_exactly_the_networks_keys_and_shapes(name):
    shapes = manifest(name)
    assert [system.name for system in SYSTEMS if system.claims(shapes)] == [name]
    system = LAVIE[name]
    network = system.network(**system.settings(shapes), device="meta")
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert {key: tuple(value.shape) for key, value in system.to_network(hollow(shapes)).items()} == expected
    assert len(expected) == {"lavie_base": 830, "lavie_interpolation": 798, "lavie_vsr": 1157}[name]


@pytest.mark.parametrize("name", LAVIE)
def test_the_spatial_layers_have_the_names_of_stable_diffusion(name):
    """ControlNets count blocks, and LoRAs for Stable Diffusion find their layers by name."""
    names = set(LAVIE[name].to_network(hollow(manifest(name))))
    transformer = 1 if name != "lavie_vsr" else 2
    for block in ("input_blocks.5", "output_blocks.8"):
        assert f"{block}.0.in_layers.2.weight" in names
        assert f"{block}.{transformer}.transformer_blocks.0.attn2.to_k.weight" in names
        assert f"{block}.{transformer}.transformer_blocks.0.ff.net.0.proj.weight" in names


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
    alone = [
        run(network, {key: value[i : i + 1] for key, value in io.items() if value.shape[0] == 2})
        for i in (0, 1)
    ]
    assert_same(torch.cat(alone), run(network, io), OTHER_BATCH)


@pytest.mark.parametrize("case", CASES)
def test_a_single_frame_is_an_image(case):
    network, io = golden_network(case)
    first = {key: io[key][:, :, :1] for key in ("x", "low_res") if key in io}
    out = run(network, io, **first)
    assert out.shape == (2, 4, 1, 8, 8)
    assert (out - io["out"][:, :, :1]).abs().max() > 0.01


def test_sizes_that_halve_to_odd_ones():
    network, io = golden_network("lavie/vsr_w64")
    x, low = gold_input("x", (2, 4, 3, 7, 5)), gold_input("low", (2, 3, 3, 7, 5))
    assert run(network, io, x=x, low_res=low).shape == (2, 4, 3, 7, 5)


def test_text_of_another_encoder_is_refused():
    for case, encoder in (("lavie/base_w64", "CLIP-L"), ("lavie/vsr_w64", "OpenCLIP ViT-H")):
        network, io = golden_network(case)
        with pytest.raises(ValueError, match=f"width 48, the conditioning has width 47.*{encoder}"):
            run(network, io, y=io["y"][..., :47])
        assert running_forward() is None  # nothing of the failed call stays behind


def test_patches_of_other_packs_run_in_the_transformers():
    """ComfyUI's attention patches (IP-Adapter and others) see the tokens of images, never those of frames."""
    network, io = golden_network("lavie/base_w64")
    seen = []

    def patch(n, context, value, options):
        seen.append(tuple(n.shape))
        return n, context * 2, value * 2

    options = {"patches": {"attn2_patch": [patch]}}
    out = forward(network, io["x"], io["t"].float(), io["y"], transformer_options=options)
    assert (out - io["out"]).abs().max() > 0.01
    assert set(seen) == {(10, 64, 64), (10, 16, 128)}


def test_norms_take_their_statistics_over_all_frames():
    norm = fill(joint_norm_class(torch.nn.GroupNorm)(2, 6))
    video = gold_input("video", (2, 6, 5, 3, 7))
    with in_forward(norm, 10, {"cond_or_uncond": [0, 1]}):
        images = norm(fold_frames(video))
    torch.testing.assert_close(images, fold_frames(torch.nn.GroupNorm.forward(norm, video)))


def test_sparse_causal_attention_looks_at_the_first_and_the_previous_frame():
    attention = fill(SparseCausalAttention(8, heads=2, dim_head=4))
    x = gold_input("tokens", (10, 3, 8))  # two videos of five frames
    other = x.clone()
    other[2] = gold_input("another frame", (3, 8))
    first = x.clone()
    first[0] = gold_input("another frame", (3, 8))
    with torch.no_grad(), in_forward(attention, 10, {"cond_or_uncond": [0, 1]}):
        before, after, of_first = attention(x), attention(other), attention(first)
    assert [i for i in range(10) if not torch.equal(before[i], after[i])] == [2, 3]
    assert [i for i in range(10) if not torch.equal(before[i], of_first[i])] == [0, 1, 2, 3, 4]


def test_distance_buckets():
    """Exact up to seven frames, then logarithmic up to 32 and beyond;
    frames ahead have buckets of their own.
    """
    buckets = relative_buckets(61)
    behind = buckets[:, 0].tolist()
    assert behind[:10] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]
    # 8 + floor(8 * log4(distance / 8)): distance**8 against 8**8 * 4**k, in whole numbers.
    exact = [min(15, 8 + max(k for k in range(40) if d**8 >= 8**8 * 4**k)) for d in range(8, 61)]
    assert behind[8:] == exact
    assert buckets[0, 1:].tolist() == [16 + bucket for bucket in behind[1:]]


def test_rotation_depends_on_distance_only_and_leaves_the_rest():
    freqs = gold_input("freqs", (16,)).abs()
    q, k = gold_input("q", (40,)), gold_input("k", (40,))
    turned_q, turned_k = rotate(q.expand(7, 40), freqs), rotate(k.expand(7, 40), freqs)
    assert torch.equal(turned_q[:, 32:], q[32:].expand(7, 8))
    scores = turned_q @ turned_k.T
    assert_same(scores[1:, 1:], scores[:-1, :-1])
    assert (scores[0, 3] - scores[3, 0]).abs() > 0.01
