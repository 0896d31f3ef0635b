"""Text2Video-Zero on the tiny family: whether things move as the motion field says, and stay what they are.

The published levels (2 and 5 of 50 steps) leave the place of the tiny family's things open, which is decided
in the middle of its schedule; so frames part later here. A place of its latents is 8 pixels, and so far the
camera moves in each frame.
"""

from __future__ import annotations

import random

import torch

FRAMES, STEPS, T1, T0 = 5, 20, 13, 14
DELTA = 32.0
"""Of the canvas of 512 in each frame: 8 pixels of 128."""
BORDER = 6.0
"""Pixels between a thing and the border in all frames, so that it is seen whole."""


def measure(family, count: int) -> dict:
    """Mean and worst distance in pixels from the path of the field, and shares of coherent clips; the same
    prompts as independent frames for comparison.
    """
    from ..demo import judge, play, world

    rng = random.Random("text2video-zero")
    errors, coherent, independent, done = [], [], [], 0
    for seed in range(4 * count):
        if done == count:
            break
        scene = world.random_scene(rng, motion="still")
        text = world.caption(scene, rng, name_motion=0.0)
        way = direction(judge.read_frames(clip(family, text, seed, 1))[0])
        if not way:
            continue  # nothing is seen, or no room on either side
        frames = clip(family, text, seed, FRAMES, way * DELTA)
        readings = judge.read_frames(frames)
        errors += path_errors(readings, way)
        coherent.append(float(judge.coherent(readings, judge.read_motion(frames, readings))))
        apart = play.images(family, [text] * FRAMES, seed=seed)
        readings = judge.read_frames(apart)
        independent.append(float(judge.coherent(readings, judge.read_motion(apart, readings))))
        done += 1
    return {
        "clips": done,
        "path_error": round(sum(errors) / max(1, len(errors)), 2),
        "worst_error": round(max(errors, default=0.0), 2),
        "coherent": round(sum(coherent) / max(1, done), 3),
        "coherent_independent": round(sum(independent) / max(1, done), 3),
    }


def direction(reading) -> int:
    """1 where a thing has room to move to the left, -1 to the right, 0 on neither side."""
    from ..demo import world

    travel, room = pixels(FRAMES - 1), reading.radius + BORDER
    if reading.colour == "none":
        return 0
    if reading.x - travel > room:
        return 1
    return -1 if reading.x + travel < world.SIZE - room else 0


def path_errors(readings: list, way: int) -> list[float]:
    """Distances of the things of frames 1, 2, ... from where the field takes that of frame 0."""
    first = readings[0]
    return [
        float(torch.tensor([r.x - first.x + way * pixels(k), r.y - first.y]).norm())
        for k, r in enumerate(readings[1:], 1)
    ]


def pixels(frames: int) -> float:
    """How far the camera moves in so many frames."""
    from ..demo import world

    return DELTA * frames * world.SIZE / 512


@torch.inference_mode()
def clip(family, text: str, seed: int, num_frames: int, delta: float = 0.0) -> torch.Tensor:
    """Frames (F, 3, H, W) as the nodes make them; one frame alone is the first one of the same seed."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

    from ..demo import play, world
    from ..host.injection import MotionSettings
    from ..host.injection.cross_frame_attention import CrossFrames, apply_cross_frame_attention
    from ..host.sampling.text2video_zero import prepare_frames
    from ..samplers.text2video_zero.motion_fields import CameraField
    from ..samplers.text2video_zero.renoising import PrepareSettings

    guider = comfy.samplers.CFGGuider(
        apply_cross_frame_attention(family.model, CrossFrames(), MotionSettings())
    )
    guider.set_conds(play.encode(family, [text]), play.encode(family, [""]))
    guider.set_cfg(play.GUIDANCE)
    sampling = family.model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "ddim_uniform", STEPS)
    sampler, noise = comfy.samplers.sampler_object("ddim"), Noise_RandomNoise(seed)
    start = {"samples": torch.zeros(1, 4, world.SIZE // 8, world.SIZE // 8)}
    if num_frames == 1:
        drawn = noise.generate_noise(start)
        samples = guider.sample(drawn, start["samples"], sampler, sigmas, disable_pbar=True, seed=seed)
    else:
        settings = PrepareSettings(num_frames, T1, T0)
        latent, rest = prepare_frames(
            noise, guider, sampler, sigmas, start, CameraField(delta, 0.0), settings
        )
        nothing = torch.zeros_like(latent["samples"])
        samples = guider.sample(nothing, latent["samples"], sampler, rest, disable_pbar=True, seed=seed)
    return family.vae.decode(samples).movedim(-1, 1)
