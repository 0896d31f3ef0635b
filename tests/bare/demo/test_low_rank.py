"""Low-rank changes: nothing at first, then W + up @ down,
each third of a fused matrix with a change of its own.
"""

import torch
from torch import nn
from zoetrope.demo import low_rank


def test_begins_as_the_frozen_layer_and_becomes_its_sum_with_the_change():
    layers = nn.ModuleDict({"conv": nn.Conv2d(5, 7, 3), "plain": nn.Linear(11, 13)}).requires_grad_(False)
    frozen = {name: layer.weight.clone() for name, layer in layers.items()}
    changes = low_rank.attach(layers, layers.keys(), rank=2)
    for name, layer in layers.items():
        assert torch.equal(layer.weight, frozen[name])
        nn.init.normal_(changes[name].up[0])
        want = frozen[name] + (changes[name].up[0] @ changes[name].down[0]).view(frozen[name].shape)
        torch.testing.assert_close(layer.weight, want)


def test_a_fused_matrix_has_three_changes():
    model = nn.ModuleDict({"to_qkv": nn.Linear(5, 21)}).requires_grad_(False)
    frozen = model["to_qkv"].weight.clone()
    changes = low_rank.attach(model, ["to_qkv"], rank=3)
    nn.init.normal_(changes["to_qkv"].up[1])
    difference = model["to_qkv"].weight - frozen
    assert torch.equal(difference[:7], torch.zeros(7, 5)) and torch.equal(difference[14:], torch.zeros(7, 5))
    torch.testing.assert_close(difference[7:14], changes["to_qkv"].up[1] @ changes["to_qkv"].down[1])


def test_only_the_change_learns():
    model = nn.ModuleDict({"plain": nn.Linear(5, 7)}).requires_grad_(False)
    changes = low_rank.attach(model, ["plain"], rank=2)
    model["plain"](torch.randn(3, 5)).sum().backward()
    named = dict(low_rank.named_parameters(changes))
    assert set(named) == {"plain.up.0", "plain.down.0"}
    assert named["plain.up.0"].grad.abs().sum() > 0
    assert [p.requires_grad for n, p in model.named_parameters() if "original" in n] == [False]
