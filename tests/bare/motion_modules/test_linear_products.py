"""Linear layers by oneDNN: the numbers of float64, and everything else is left to torch."""

import pytest
import torch
import torch.nn.functional as nnf
from torch import nn
from zoetrope.motion_modules import linear_products
from zoetrope.motion_modules.linear_products import fast_linear
from zoetrope.tests.rounding import assert_same

pytestmark = pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")),
    reason="this torch has no oneDNN",
)


@pytest.fixture(autouse=True)
def products(monkeypatch):
    """The shapes of the inputs that went to oneDNN, which counts as the faster one here."""
    seen, product = [], linear_products._product

    def noted(x, *weights):
        seen.append(tuple(x.shape))
        return product(x, *weights)

    monkeypatch.setattr(linear_products, "_product", noted)
    monkeypatch.setattr(linear_products, "_onednn_is_faster", lambda: True)
    return seen


def _random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(7))


LARGE, WEIGHT, BIAS = _random(3, 137, 61), _random(47, 61), _random(47)


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [
        (LARGE, WEIGHT, BIAS),
        (LARGE, WEIGHT, None),
        (LARGE[0].repeat(5, 1), WEIGHT, BIAS),
        (_random(137, 3, 61).transpose(0, 1), WEIGHT, BIAS),
        (_random(3, 137, 122)[..., ::2], _random(61, 47).t(), BIAS),
    ],
    ids=["videos", "no bias", "rows", "other strides", "gaps and a transposed weight"],
)
def test_products_are_those_of_float64(products, x, weight, bias):
    with torch.inference_mode(), fast_linear(x):
        result = nnf.linear(x, weight, bias)
    expected = x.double() @ weight.double().t() + (0 if bias is None else bias.double())
    assert products == [tuple(x.shape)]
    assert_same(result.double(), expected)


def test_every_class_of_linear_layer_is_seen(products):
    layer = nn.Linear(61, 47)
    with torch.no_grad(), fast_linear(LARGE):
        result = nn.Sequential(layer, nn.ReLU())(LARGE)
    assert products == [(3, 137, 61)]
    assert_same(result, (LARGE @ layer.weight.t() + layer.bias).relu())


class Quantised(torch.Tensor):
    """A class of tensor that computes in its own way."""


@pytest.mark.parametrize(
    ("x", "weight"),
    [
        (LARGE[:1, :5], WEIGHT),
        (LARGE.bfloat16(), WEIGHT.bfloat16()),
        (LARGE.double(), WEIGHT.double()),
        (LARGE, WEIGHT.as_subclass(Quantised)),
        (LARGE.to("meta"), WEIGHT.to("meta")),
    ],
    ids=["small", "bfloat16", "float64", "quantised", "meta"],
)
def test_the_rest_is_left_to_torch(products, x, weight):
    with torch.no_grad(), fast_linear(x):
        nnf.linear(x, weight)
    assert products == []


def test_gradients_are_recorded(products):
    weight = WEIGHT.clone().requires_grad_()
    with fast_linear(LARGE):
        nnf.linear(LARGE, weight).sum().backward()
    assert products == []
    torch.testing.assert_close(weight.grad, LARGE.sum((0, 1)).expand(47, -1), atol=1e-3, rtol=1e-4)


def test_where_it_is_not_faster_torch_stays(products, monkeypatch):
    monkeypatch.setattr(linear_products, "_onednn_is_faster", lambda: False)
    with torch.no_grad(), fast_linear(LARGE):
        nnf.linear(LARGE, WEIGHT)
    assert products == []


@pytest.mark.parametrize(("seconds", "faster"), [((7.0, 10.0), True), ((8.0, 10.0), False)])
def test_the_faster_one_is_found_by_trying(monkeypatch, seconds, faster):
    monkeypatch.undo()
    times = iter(5 * seconds)
    monkeypatch.setattr(linear_products, "_seconds", lambda run: next(times))
    assert linear_products._onednn_is_faster.__wrapped__() is faster
