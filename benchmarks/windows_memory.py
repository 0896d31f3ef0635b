"""What more frames in context windows take: the most memory that a step adds, for 256 and for 1024 frames in
windows of 16 that overlap by 4, one window in a call.

A step holds some tensors of all frames: latents, noise, what the network says of each prompt, what the
sampler makes of it. Each is as large as the latents; nothing else may grow with the frames. The network is
left out, for it only ever sees one window: what it is given comes back a little smaller.
"""

from __future__ import annotations

import argparse
import json

from ..devtools.paths import ROOT

FEW, MANY = 256, 1024
LATENT = (4, 64, 64)
"""(C, H, W) of a frame of 512 x 512 pixels."""


def main(arguments: list[str]) -> dict:
    """Prints one JSON object as the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench windows_memory", description=__doc__)
    parser.parse_args(arguments)
    result = per_frame(tiny_family(), FEW, MANY, LATENT)
    print(json.dumps(result))
    return result


def per_frame(model, few: int, many: int, latent: tuple[int, ...]) -> dict[str, float]:
    """KiB that each frame more adds to the peak of a step of a MODEL, and KiB of its latents (C, H, W)."""
    peaks = {frames: peak_of_step(model, frames, latent) for frames in (16, few, many)}  # 16 loads it
    size = 4 * latent[0] * latent[1] * latent[2]
    return {
        "windows_kib_per_frame": round((peaks[many] - peaks[few]) / (many - few) / 1024, 1),
        "latent_kib_per_frame": round(size / 1024, 1),
    }


def peak_of_step(model, frames: int, latent: tuple[int, ...]) -> int:
    """Bytes that this process holds more at most, while it samples one step."""
    import comfy.sample
    import torch

    from .methods import give_memory_back
    from .peak_memory import Peak

    zeros = torch.zeros(frames, *latent)
    noise = torch.randn(zeros.shape, generator=torch.Generator().manual_seed(0))
    width = model.model.model_config.unet_config["context_dim"]
    prompts = [[[torch.full((1, 77, width), value), {}]] for value in (0.1, -0.1)]
    give_memory_back()
    with Peak() as memory:
        comfy.sample.sample(
            model, noise, 1, 7.0, "euler", "normal", *prompts, zeros, disable_pbar=True, seed=0
        )
    return memory.more


def tiny_family():
    """The demo's checkpoint and motion module as a MODEL with context windows, without its network."""
    import comfy.sd

    from ..host.files import demo_family
    from ..host.injection import MotionSettings, apply_motion_module
    from ..host.injection.motion_models import motion_module_from_file
    from ..host.windows import ContextSettings, apply_context_windows

    demo_family.register()
    weights = ROOT / "demo" / "weights"
    checkpoint = str(weights / "zoetrope_tiny_sd.safetensors")
    model = comfy.sd.load_checkpoint_guess_config(checkpoint, output_vae=False, output_clip=False)[0]
    module = motion_module_from_file(str(weights / "zoetrope_tiny_mm.safetensors"))
    moving = apply_motion_module(model, module, MotionSettings())
    moving.set_model_unet_function_wrapper(lambda apply, given: 0.9 * given["input"])
    return apply_context_windows(moving, ContextSettings(16, 4, windows_per_batch=1))
