"""Stable Video Diffusion: the references' numbers in both layouts,
names of every key, and what its frames know of each other.
"""

import functools
import gzip
import json

import comfy.ldm.modules.temporal_ae
import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.golden_cases import build, forward, load_case, manifest
from zoetrope.tests.places import MANIFESTS
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.file_shapes import FileShapes
from zoetrope.video_unets.svd import names as svd_names
from zoetrope.video_unets.svd.names import SVDNames, svd_modules
from zoetrope.video_unets.svd.network import TEMPORAL_SETTINGS, SVDUNet
from zoetrope.video_unets.svd.vae_names import vae_core_name, vae_to_core


def network_of(state_dict, settings, to_network, head_channels):
    shapes = FileShapes({key: value.shape for key, value in state_dict.items()}, "golden")
    return build(SVDUNet, settings(shapes) | {"num_head_channels": head_channels}, to_network(state_dict))


@pytest.fixture(scope="module")
def original():
    _, io, state_dict = load_case("svd/video_unet_w64")
    return network_of(state_dict, svd_names.original_settings, dict, 16), io


def diffusers_case(name):
    """The network, and its case with y in place of added_time_ids and frames on the third axis."""
    _, io, state_dict = load_case(name)
    y = torch.stack([timestep_embedding(ids, 8).flatten() for ids in io["added_time_ids"]])
    case = {
        "x": io["x"].transpose(1, 2),
        "out": io["out"].transpose(1, 2),
        "t": io["t"],
        "context": io["context"],
        "y": y,
    }
    return network_of(state_dict, svd_names.diffusers_settings, svd_names.diffusers_to_network, 32), case


@pytest.fixture(scope="module")
def diffusers():
    return diffusers_case("svd/diffusers_unet_w64")


def test_forward_gives_the_numbers_of_the_original(original):
    network, io = original
    # One row a frame in the reference; the frames of a video share them.
    x, t, context, y = unfold_frames(io["x"], 5), io["t"][::5], io["context"][::5], io["y"][::5]
    out = forward(network, x, t, context, {"y": y})
    assert_same(fold_frames(out), io["out"])


def test_forward_gives_the_numbers_of_diffusers(diffusers):
    network, case = diffusers
    out = forward(network, case["x"], case["t"], case["context"], {"y": case["y"]})
    assert_same(out, case["out"])


def test_levels_without_attention_have_the_norms_of_diffusers():
    """As in the published files,
    the down level with the smallest picture and the up level behind it have no attention.
    """
    name = "svd/diffusers_unet_without_attention_w64"
    network, case = diffusers_case(name)
    meta, _, state_dict = load_case(name)
    names = SVDNames(state_dict)
    modules = dict(network.named_modules())
    assert {key: modules[names.core_name(key)].eps for key in meta["norm_eps"]} == meta["norm_eps"]
    out = forward(network, case["x"], case["t"], case["context"], {"y": case["y"]})
    assert_same(out, case["out"])


@pytest.fixture(scope="module")
def core(original):
    """Core's own network with the weights of the original."""
    state = original[0].state_dict()
    sizes = svd_names.original_settings(FileShapes({key: value.shape for key, value in state.items()}))
    own = {"num_heads": -1, "image_size": 32, "use_spatial_transformer": True, "legacy": False}
    return build(UNetModel, sizes | {"num_head_channels": 16} | own | TEMPORAL_SETTINGS, state)


def cores_forward(core, io, context, options=None):
    with torch.no_grad():
        more = {"y": io["y"], "num_video_frames": 5, "transformer_options": options or {}}
        return core(io["x"], io["t"], context=context, **more)


def our_forward(network, io, context, options=None):
    videos = len(io["x"]) // 5
    with torch.no_grad():
        options = {"cond_or_uncond": [0] * videos} | (options or {})
        return network(io["x"], io["t"], context=context, y=io["y"], transformer_options=options)


def test_the_network_is_cores_own(core, original):
    io = original[1]
    assert_same(cores_forward(core, io, io["context"]), io["out"])


@pytest.mark.parametrize("tokens", [1, 7])
@pytest.mark.parametrize("shared", [True, False])
def test_texts_of_any_length_are_those_of_core(core, original, tokens, shared):
    """One for each video, or one for each frame."""
    network, io = original
    rows = len(io["x"])
    context = gold_input("texts", (rows, tokens, io["context"].shape[-1]))
    context = context[::5].repeat_interleave(5, 0) if shared else context
    assert_same(our_forward(network, io, context), cores_forward(core, io, context))


def patches(seen):
    """Options with code of others at each place; all of it writes down the shapes that it sees."""

    def note(*args):
        seen.append([x.shape for x in args if isinstance(x, torch.Tensor)])

    def replaced(q, k, v, options):
        note(q, k, v)
        return 0.5 * q

    def output(n, options):
        note(n)
        n *= 0.5
        return n

    def inputs(q, k, v, options):
        note(q, k, v)
        return q, 2 * k, 2 * v

    def override(function, q, k, v, heads, *args, **kwargs):
        note(q, k, v)
        return 0.5 * function(q, k, v, heads, *args, **kwargs)

    return {
        "attn1_patch": {"patches": {"attn1_patch": [inputs]}},
        "attn2_patch": {"patches": {"attn2_patch": [inputs]}},
        "attn2_output_patch": {"patches": {"attn2_output_patch": [output]}},
        "replace": {"patches_replace": {"attn1": {("middle", 0): replaced}}},
        "override": {"optimized_attention_override": override},
    }


@pytest.mark.parametrize("kind", patches([]))
def test_patches_see_and_change_what_they_do_in_core(core, original, kind):
    network, io = original
    ours, theirs = [], []
    out = our_forward(network, io, io["context"], patches(ours)[kind])
    expected = cores_forward(core, io, io["context"], patches(theirs)[kind])
    assert ours == theirs and ours
    assert_same(out, expected)
    assert (out - io["out"]).abs().max() > 0.01


def test_frames_know_each_other_and_videos_do_not(diffusers):
    network, case = diffusers
    x = case["x"].clone()
    x[0, :, 2] = gold_input("another frame", (8, 8, 8))
    out = forward(network, x, case["t"], case["context"], {"y": case["y"]})
    assert (out[0, :, 0] - case["out"][0, :, 0]).abs().max() > 0.01
    assert_same(out[1], case["out"][1])


@pytest.mark.parametrize("frames", [1, 3])
def test_the_number_of_frames_is_that_of_the_batch(diffusers, frames):
    network, case = diffusers
    out = forward(network, case["x"][:, :, :frames], case["t"], case["context"], {"y": case["y"]})
    assert out.shape == (2, 4, frames, 8, 8)
    assert (out - case["out"][:, :, :frames]).abs().max() > 0.01


@functools.cache
def table():
    """{diffusers' module or beginning of one: the original's} of the full-size network."""
    return json.loads(gzip.decompress((MANIFESTS / "prefixes_diffusers_to_svd.json.gz").read_bytes()))


def name_in_table(key):
    parts = key.split(".")
    start = next(start for n in range(len(parts), 0, -1) if (start := ".".join(parts[:n])) in table())
    return table()[start] + key[len(start) :]


def test_names_of_diffusers_are_found_by_rule():
    keys = manifest("diffusers_svd_xt_unet")
    names = SVDNames(keys)
    assert {key: names.core_name(key) for key in keys} == {key: name_in_table(key) for key in keys}


def test_layers_that_a_lora_can_change_are_named():
    """Those with a matrix or a kernel; shortcuts are named for every resnet, whether it has one or not."""
    modules = svd_modules([2] * 4, [True, True, True, False])
    shapes = manifest("diffusers_svd_xt_unet")
    layers = {
        key.removesuffix(".weight")
        for key, shape in shapes.items()
        if key.endswith(".weight") and len(shape) > 1
    }
    assert layers <= set(modules)
    assert {module: modules[module] for module in layers} == {
        module: name_in_table(module) for module in layers
    }
    assert all(module.endswith(".conv_shortcut") for module in set(modules) - layers)


def test_the_temporal_decoder_of_diffusers_has_the_keys_of_the_original():
    published = manifest("diffusers_svd_xt_vae")
    wanted = {
        key.removeprefix("first_stage_model."): shape
        for key, shape in manifest("svd_xt").items()
        if "first_stage_model." in key
    }
    converted, names = vae_to_core({key: torch.empty(1).expand(shape) for key, shape in published.items()})
    assert {key: tuple(value.shape) for key, value in converted.items()} == wanted
    assert set(names.values()) == {key for key in published if not key.startswith("quant_conv.")}


def test_the_temporal_decoder_gives_the_numbers_of_the_reference():
    """The golden weights under diffusers' names, converted, in core's decoder."""
    meta, io, state_dict = load_case("svd/temporal_decoder")
    published = dict(manifest("diffusers_svd_xt_vae"))
    # The golden decoder is smaller, and another of its levels begins with a shortcut.
    published |= {
        key.replace("up_blocks.2", "up_blocks.1"): None for key in published if "conv_shortcut" in key
    }
    names = {
        vae_core_name(key, 2).removeprefix("decoder."): key for key in published if key.startswith("decoder.")
    }
    given = {
        names[key]: value.flatten(1) if "attn_1" in key and value.ndim == 4 else value
        for key, value in state_dict.items()
    }
    converted, _ = vae_to_core(given)
    config = {key: value for key, value in meta["config"].items() if key != "attn_type"}
    decoder = comfy.ldm.modules.temporal_ae.VideoDecoder(**config)
    decoder.load_state_dict({key.removeprefix("decoder."): value for key, value in converted.items()})
    with torch.no_grad():
        out = decoder.eval()(io["z"])
    assert_same(out, io["out"])


def test_the_quantising_convolution_is_multiplied_into_the_encoder():
    weight, bias = gold_input("weight", (8, 5, 3, 3)), gold_input("bias", (8,))
    mix, mix_bias = gold_input("mix", (8, 8, 1, 1)), gold_input("mix_bias", (8,))
    tensors = {
        "encoder.conv_out.weight": weight,
        "encoder.conv_out.bias": bias,
        "quant_conv.weight": mix,
        "quant_conv.bias": mix_bias,
    }
    converted, _ = vae_to_core(tensors)
    x = gold_input("x", (2, 5, 7, 11))
    conv = torch.nn.functional.conv2d
    two = conv(conv(x, weight, bias, padding=1), mix, mix_bias)
    one = conv(x, converted["encoder.conv_out.weight"], converted["encoder.conv_out.bias"], padding=1)
    assert_same(one, two)
