"""What the tests of context windows share:
a tiny MODEL, ControlNets with seeded weights, and one evaluation of a MODEL.
"""

from __future__ import annotations

import comfy.cldm.cldm
import comfy.controlnet
import comfy.model_patcher
import comfy.ops
import comfy.samplers
import comfy.t2i_adapter.adapter
import torch
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.tests.comfy.golden_unet import golden_model

F, H, W = 7, 8, 5
SIGMA = 3.0
# The precision of MODELs and ControlNets whose results are compared between batches of other sizes: kernels
# for such batches differ by up to 5e-5 standard deviations in float32, where a norm meets a nearly constant
# feature. In float64 what is left is what core keeps in float32 behind the network: 2**-24 of values of four
# standard deviations, times 7 in the guidance at cfg 4, so 2e-6.
PRECISE = torch.float64
CPU = torch.device("cpu")


def seeded(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seed_weights(network, seed=5, scale=0.05):
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = (torch.randn(parameter.shape, generator=generator) * scale).to(parameter.dtype)
    return network.eval().requires_grad_(False)


def prompt(rows=1, seed=2, **extra):
    """One conditioning of rows text embeddings (rows, tokens, 48)."""
    return [[seeded(rows, 7, 48, seed=seed), {"pooled_output": None, **extra}]]


def windowed(model, **settings):
    settings = {"context_length": 3, "context_overlap": 1, **settings}
    return apply_context_windows(model, ContextSettings(**settings))


def controlnet(hints=None, seed=5, **settings):
    config = dict(golden_model().model.model_config.unet_config)
    config.pop("out_channels")
    config["dtype"] = PRECISE
    network = comfy.cldm.cldm.ControlNet(**config, hint_channels=3, operations=comfy.ops.disable_weight_init)
    control = comfy.controlnet.ControlNet(seed_weights(network, seed), load_device=CPU, **settings)
    return control if hints is None else control.set_cond_hint(hints, 0.7)


def t2i_adapter(hints):
    settings = {"cin": 3 * 8 * 8, "nums_rb": 1, "ksize": 1, "sk": True, "use_conv": False, "xl": False}
    network = comfy.t2i_adapter.adapter.Adapter(channels=[32, 64, 128, 128], **settings)
    control = comfy.controlnet.T2IAdapter(seed_weights(network), 3, 8, "nearest-exact", device=CPU)
    return control.set_cond_hint(hints, 0.7)


def hint_images(count, seed=9):
    return seeded(count, 3, H * 8, W * 8, seed=seed).abs().clamp(max=1)


def with_control(cond, control, **extra):
    return [
        [embedding, {**values, "control": control, "control_apply_to_uncond": False, **extra}]
        for embedding, values in cond
    ]


def one_evaluation(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """A sampler of one step: what the MODEL makes of the latents at the first noise level."""
    sigma = torch.as_tensor(sigmas[0]) * x.new_ones(x.shape[0])
    return model(x, sigma, **(extra_args or {}))


def evaluate(
    model, noise, positive, negative, cfg=4.0, sampler=one_evaluation, sigmas=(SIGMA, 0.0), **arguments
):
    """The denoised latents of one evaluation by ComfyUI's own machinery."""
    ksampler = comfy.samplers.KSAMPLER(sampler)
    return comfy.samplers.sample(
        model, noise, positive, negative, cfg, CPU, ksampler, torch.tensor(sigmas),
        latent_image=torch.zeros_like(noise), disable_pbar=True, seed=13, **arguments,
    )  # fmt: skip


def fuse(windows, results, full, weights, axis=0):
    """The weighted mean of window results in the plainest words."""
    total, count = torch.zeros_like(full), torch.zeros_like(full)
    for window, result, weight in zip(windows, results, weights, strict=True):
        for place, frame in enumerate(window):
            total.select(axis, frame).add_(result.select(axis, place) * weight[place])
            count.select(axis, frame).add_(weight[place])
    return total / count
