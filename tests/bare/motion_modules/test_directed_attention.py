"""MagicVideo's layers against sums written out by hand: both masks, rows of adaptors, what is beside what."""

import math

import pytest
import torch
from torch import nn
from zoetrope.motion_modules.call import Call, Forward
from zoetrope.motion_modules.directed_attention import (
    CAUSAL,
    DIRECTED,
    METHOD,
    DirectedConfig,
    FrameAdaptor,
    MagicVideo,
    looking_back,
)
from zoetrope.motion_modules.unet_places import AttentionPlace, BlockPlaces, ConvPlace, UNetPlaces
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same

P, F, HEADS, D = 3, 5, 2, 7


def by_hand(q, k, v, mask):
    """One head of one place in plain numbers: (F, D) lists."""
    out = []
    for i in range(F):
        scores = [sum(a * b for a, b in zip(q[i], k[j], strict=True)) / math.sqrt(D) for j in range(F)]
        summed = range(F) if mask == DIRECTED else range(i + 1)
        total = sum(math.exp(scores[j]) for j in summed)
        out.append([sum(math.exp(scores[j]) / total * v[j][c] for j in range(i + 1)) for c in range(D)])
    return out


@pytest.mark.parametrize("mask", [DIRECTED, CAUSAL])
def test_attention_is_the_sum_written_out(mask):
    q, k, v = (gold_input(name, (P, F, HEADS * D), 2) for name in "qkv")
    parts = [[by_hand(*(x[p, :, h * D : (h + 1) * D].double().tolist() for x in (q, k, v)), mask)
              for h in range(HEADS)] for p in range(P)]  # fmt: skip
    want = torch.tensor(parts).transpose(1, 2).reshape(P, F, HEADS * D)
    assert_same(looking_back(q, k, v, HEADS, mask), want)


def test_weights_sum_to_less_than_1_after_the_softmax_and_to_1_before_it():
    q, k = (gold_input(name, (P, F, D)) for name in "qk")
    sums = looking_back(q, k, torch.ones(P, F, D), 1, DIRECTED)[..., 0]
    assert (sums[:, :-1] < 0.999).all()
    torch.testing.assert_close(sums[:, -1], torch.ones(P))
    torch.testing.assert_close(looking_back(q, k, torch.ones(P, F, D), 1, CAUSAL), torch.ones(P, F, D))


def test_no_frame_sees_a_later_one():
    q, k, v = (gold_input(name, (P, F, D), 2) for name in "qkv")
    later = v.clone()
    later[:, 3:] += 1
    for mask in (DIRECTED, CAUSAL):
        before, after = (looking_back(q, k, values, 1, mask) for values in (v, later))
        assert torch.equal(before[:, :3], after[:, :3]) and not torch.equal(before[:, 3:], after[:, 3:])


def adaptor(rows):
    layer = FrameAdaptor(2, rows)
    layer.scale.data, layer.shift.data = gold_input("scale", (2, rows)), gold_input("shift", (2, rows))
    return layer


def test_an_adaptor_scales_and_shifts_every_frame_of_every_video():
    layer, x = adaptor(F), gold_input("x", (2 * F, 2, 3, 7))
    want = [
        x[n] * layer.scale[:, n % F, None, None] + layer.shift[:, n % F, None, None] for n in range(2 * F)
    ]
    assert_same(x + layer(x, F), torch.stack(want))


def test_rows_of_an_adaptor_spread_over_other_numbers_of_frames():
    layer = adaptor(3)
    a, b, c = layer.shift.detach().T
    zeros = torch.zeros(5, 2, 1, 1)
    rows = [a, (a + b) / 2, b, (b + c) / 2, c]
    torch.testing.assert_close(layer(zeros, 5)[..., 0, 0], torch.stack(rows))
    torch.testing.assert_close(layer(zeros[:2], 2)[..., 0, 0], torch.stack([a, c]))
    torch.testing.assert_close(layer(zeros[:1], 1)[..., 0, 0], a[None])


def test_attention_over_frames_reads_what_the_block_reads():
    """The output of a block T: T(z) + attention(z), not attention(T(z))."""
    name, path, channels = "down_blocks.0.attentions.0.transformer_blocks.0", "block", HEADS * D
    place = AttentionPlace(path, channels, HEADS)
    places = UNetPlaces({("input", 1): BlockPlaces((), (path,), channels, (place,)),
                         ("output", 0): BlockPlaces((), (), None),
                         ("output", 1): BlockPlaces((), (), None)},
                        1, "", 0, ConvPlace("", 4, channels))  # fmt: skip
    network = MagicVideo(DirectedConfig({name: channels}, {}))
    nn.init.eye_(network.get_submodule(name).directed_attn.to_out[0].weight)
    act = METHOD.acts(network, places)[path]
    z = gold_input("z", (2 * F, P, channels))  # two videos
    call = Call(Forward(None, 2 * F, 2 * F, {}), F)
    block = network.get_submodule(name)
    tokens = block.directed_norm(z.unflatten(0, (2, F)).transpose(1, 2).flatten(0, 1))
    q, k, v = (linear(tokens) for linear in (block.directed_attn.to_q, block.directed_attn.to_k,
                                             block.directed_attn.to_v))  # fmt: skip
    change = looking_back(q, k, v, HEADS, DIRECTED).unflatten(0, (2, P)).transpose(1, 2).flatten(0, 1)
    assert_same(act(call, lambda x: 3 * x, z), 3 * z + change)


def test_a_file_of_both_kinds_is_claimed_once_and_lacks_keys():
    names = [f"down_blocks.0.attentions.{i}.transformer_blocks.0" for i in (0, 1)]
    tensors = {}
    for mask, name in zip((DIRECTED, CAUSAL), names, strict=True):
        tensors |= MagicVideo(DirectedConfig({name: 32}, {}, mask)).state_dict()
    assert METHOD.claims(frozenset(tensors))
    with pytest.raises(ValueError, match=r"lacks the key '.*attentions\.1.*directed_attn\.to_q\.weight'"):
        METHOD.read(tensors, "mixed.safetensors")
