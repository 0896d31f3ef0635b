"""How well an inverted video comes back with its own prompt, by the scheduler of its noise levels."""

from __future__ import annotations

import random

STEPS, FRAMES = 50, 8
SCHEDULERS = ("karras", "normal")


def measure(family, count: int) -> dict:
    """Mean and largest relative error of the latents of `count` clips, for each scheduler."""
    import torch

    from ..demo import play, world

    rng = random.Random("round trip")
    model, errors = play.moving(family), {scheduler: [] for scheduler in SCHEDULERS}
    motions = [motion for motion in world.MOTIONS if motion != "blink"]
    for index in range(count):
        scene = world.random_scene(rng, motion=motions[index % len(motions)])
        text, clip = world.caption(scene, rng, name_motion=1.0), world.render_clip(scene, FRAMES)
        with torch.inference_mode():
            latents = family.vae.encode(clip.movedim(1, -1))
            for scheduler, found in errors.items():
                found.append(round_trip(model, play.encode(family, [text]), latents, scheduler))
    return {
        f"{name}_{scheduler}": float(f"{value:.1e}")
        for scheduler, found in errors.items()
        for name, value in (("mean", sum(found) / len(found)), ("largest", max(found)))
    }


def round_trip(model, prompt: list, latents, scheduler: str) -> float:
    """||came back - latents|| / ||latents||; latents (F, C, H, W)."""
    import comfy.samplers
    import torch

    from ..host.sampling.invert_video import PromptGuider, invert_video
    from ..samplers.inversion import InversionSettings, relative_error

    sampling = model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, scheduler, STEPS)
    inverted, _, back, _ = invert_video(model, prompt, {"samples": latents}, sigmas, InversionSettings())
    euler, none = comfy.samplers.sampler_object("euler"), torch.zeros_like(latents)
    again = PromptGuider(model, prompt).sample(none, inverted["samples"], euler, back, disable_pbar=True)
    return relative_error(again, latents)
