"""AnimateDiff in bfloat16, as ComfyUI's --bf16-unet asks for it, on a CPU."""

import comfy.cli_args
import torch
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.tests.comfy.golden_unet import forward, golden_model, motion_module
from zoetrope.tests.gold_weights import gold_input

F = 5


def test_a_module_in_bf16_rounds_like_the_checkpoint(monkeypatch):
    exact, module = golden_model(), motion_module("v2")
    monkeypatch.setattr(comfy.cli_args.args, "bf16_unet", True)
    half, half_module = golden_model(torch.bfloat16), motion_module("v2")
    tables = {p.dtype for n, p in half_module.patcher.model.named_parameters() if n.endswith(".pe")}
    weights = {p.dtype for n, p in half_module.patcher.model.named_parameters() if not n.endswith(".pe")}
    assert (tables, weights) == ({torch.float32}, {torch.bfloat16})

    def moving(model, module):
        return predicted(apply_motion_module(model, module, MotionSettings()))

    error = moving(half, half_module).float() - moving(exact, module)
    plain = predicted(half).float() - predicted(exact)
    assert error.isfinite().all()
    assert error.square().mean() < 9 * plain.square().mean()


def predicted(model) -> torch.Tensor:
    """One call of the network on a video, in its own dtype."""
    x, context = gold_input("x", (1, 4, F, 8, 16)), gold_input("context", (1, 7, 48))
    dtype = model.model.get_dtype()
    result = forward(model, x.to(dtype), torch.tensor([500.0]), context.to(dtype))
    assert result.dtype == dtype
    return result
