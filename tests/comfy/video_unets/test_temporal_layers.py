"""The temporal layers that several networks share."""

import comfy.ops
import pytest
import torch
from comfy.ldm.modules.attention import CrossAttention
from comfy.ldm.modules.diffusionmodules.openaimodel import forward_timestep_embed
from einops import rearrange
from zoetrope.motion_modules.call import in_forward
from zoetrope.tests.gold_weights import fill, gold_input
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.attention import (
    OVERRIDE,
    FrameAttention,
    RelativePositionAttention,
    RelativePositions,
    TextAttention,
    note_texts,
)
from zoetrope.video_unets.frame_conv import with_frame_convs
from zoetrope.video_unets.temporal_layers import TemporalTransformer


def test_temporal_transformer_is_not_counted_as_a_spatial_one():
    """Patches count spatial transformers by core's transformer_index,
    and must not meet the tokens of frames.
    """
    layer = fill(TemporalTransformer(32, 2, 16))
    options = {"transformer_index": 3, "patches": {"attn1_patch": [lambda *args: 1 / 0]}}
    x = gold_input("x", (5, 32, 3, 2))
    with in_forward(layer, 5, options):
        out = forward_timestep_embed((layer,), x, None, None, options)
    assert out.shape == x.shape and not torch.equal(out, x)
    assert options["transformer_index"] == 3


def test_linear_and_convolution_projections_are_the_same_layer():
    conv, linear = fill(TemporalTransformer(32, 2, 24)), TemporalTransformer(32, 2, 24, linear=True)
    linear.load_state_dict(
        {key: value.squeeze(-1) if "proj_" in key else value for key, value in conv.state_dict().items()}
    )
    x = gold_input("x", (10, 32, 3, 2))
    with in_forward(conv, 10, {"cond_or_uncond": [0, 1]}):
        assert_same(conv(x), linear(x))


def test_relative_positions_are_those_of_the_distance():
    table = RelativePositions(3, 2)
    table.embeddings_table.copy_(torch.arange(5.0)[:, None].expand(5, 3))
    rows = table(torch.zeros(1), 4)[..., 0]
    assert rows.tolist() == [[2, 3, 4, 4], [1, 2, 3, 4], [0, 1, 2, 3], [0, 0, 1, 2]]


def test_attention_over_frames_is_cores_of_each_pixels_frames():
    """With relative positions of zero too."""
    layer, positions = fill(FrameAttention(48, heads=3, dim_head=16)), RelativePositionAttention(48, 3, 16, 2)
    positions.load_state_dict(layer.state_dict(), strict=False)
    for table in (positions.relative_position_k, positions.relative_position_v):
        table.embeddings_table.zero_()
    x = gold_input("x", (10, 7, 48))  # 2 videos of 5 frames
    pixels = rearrange(x, "(b f) p c -> (b p) f c", f=5)
    expected = rearrange(CrossAttention.forward(layer, pixels), "(b p) f c -> (b f) p c", p=7)
    with in_forward(layer, 10, {"cond_or_uncond": [0, 1]}):
        assert_same(layer(x), expected)
        assert_same(positions(x), expected)


@pytest.mark.parametrize("tokens", [1, 7])
def test_a_text_that_all_frames_share_is_read_once(tokens):
    layer = fill(TextAttention(48, 24, heads=3, dim_head=16))
    x, texts = gold_input("x", (10, 11, 48)), gold_input("texts", (2, tokens, 24))
    context = texts.repeat_interleave(5, 0)
    rows = []
    layer.to_v.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    expected = CrossAttention.forward(layer, x, context)
    with in_forward(layer, 10, {"cond_or_uncond": [0, 1]}) as forward:
        note_texts(forward, context)
        assert_same(layer(x, context), expected)
        layer(x, context, transformer_options={OVERRIDE: lambda function, *args, **kwargs: function(*args)})
        layer(x, context.clone())
        layer(x, context, mask=torch.zeros(11, tokens))
    assert rows == [10, 2, 10, 10, 10]


def test_texts_of_single_frames_are_read_one_by_one():
    layer = fill(TextAttention(48, 24, heads=3, dim_head=16))
    x, context = gold_input("x", (10, 11, 48)), gold_input("texts", (2, 7, 24)).repeat_interleave(5, 0)
    context[3] = gold_input("another", (7, 24))
    with in_forward(layer, 10, {"cond_or_uncond": [0, 1]}) as forward:
        note_texts(forward, context)
        assert_same(layer(x, context), CrossAttention.forward(layer, x, context))


@pytest.mark.parametrize(
    ("kernel", "more"),
    [
        ((3, 1, 1), {"padding": (1, 0, 0)}),
        ((5, 1, 1), {"padding": (4, 0, 0), "dilation": (2, 1, 1), "stride": (2, 1, 1), "bias": False}),
        ((3, 3, 1), {"padding": (1, 1, 0)}),
        ((3, 1, 1), {"stride": (1, 2, 1)}),
    ],
)
@pytest.mark.parametrize("cast", [False, True])
def test_convolutions_over_frames_are_those_of_torch(kernel, more, cast):
    operations = comfy.ops.manual_cast if cast else comfy.ops.disable_weight_init
    layer = with_frame_convs(operations).Conv3d(8, 6, kernel, dtype=torch.float64 if cast else None, **more)
    fill(layer)
    x = gold_input("x", (2, 8, 7, 5, 3))
    bias = None if layer.bias is None else layer.bias.float()
    settings = {key: value for key, value in more.items() if key != "bias"}
    assert_same(layer(x), torch.nn.functional.conv3d(x, layer.weight.float(), bias, **settings))
