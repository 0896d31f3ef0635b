"""The temporal layers that several networks share."""

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import forward_timestep_embed
from zoetrope.motion_modules.call import in_forward
from zoetrope.tests.gold_weights import fill, gold_input
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.temporal_layers import (
    RelativePositionAttention,
    RelativePositions,
    TemporalTransformer,
)


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


def test_attention_with_positions_of_zero_is_attention_without():
    layer = fill(RelativePositionAttention(48, 3, 16, 2))
    for table in (layer.relative_position_k, layer.relative_position_v):
        table.embeddings_table.zero_()
    x = gold_input("x", (7, 5, 48))
    plain = super(RelativePositionAttention, layer).forward(x)
    assert_same(layer(x), plain)
