"""A colour edit by inversion: a clip of the tiny world is inverted and sampled with another colour's prompt.

The edit looks where the video looks (direct inversion with shared attention) and begins at FROM, below which
the place of a thing is settled; without that attention the same edit moves things.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import replace

STEPS, FROM, GUIDANCE = 14, 4.5, 2.0
NEAR = 4.0  # pixels between the thing's places in the video and in the edit


def measure(family, count: int, num_frames: int = 16, shared_attention: float = 1.0) -> dict:
    """Of `count` edits: shares of frames in the new colour and at the old place, of videos that move as
    before, the mean distance of places in pixels, and the relative error of the round trip.
    """
    seen = [edit(family, index, num_frames, shared_attention) for index in range(count)]
    return {key: round(statistics.mean(one[key] for one in seen), 4) for key in seen[0]}


def edit(family, index: int, num_frames: int, shared_attention: float) -> dict[str, float]:
    """What one edit shows of its video. Things do not blink, and nothing touches the border."""
    import torch

    from ..demo import judge, play, world

    rng = random.Random(f"colour edit {index}")
    motions = [motion for motion in world.MOTIONS if motion != "blink"]
    scene = world.random_scene(rng, motion=motions[index % len(motions)])
    fitting = [c for c in world.COLOURS if c != scene.colour and world.visible(c, scene.background)]
    colour, state = rng.choice(fitting), rng.getstate()
    texts = []
    for painted in (scene, replace(scene, colour=colour)):
        rng.setstate(state)  # the same phrasing
        texts.append(world.caption(painted, rng, name_motion=1.0))
    clip = world.render_clip(scene, num_frames)
    with torch.inference_mode():
        made, error = edited_clip(family, play.moving(family), clip, *texts, shared_attention)
    before, after = judge.read_frames(clip), judge.read_frames(made)
    distances = [((a.x - b.x) ** 2 + (a.y - b.y) ** 2) ** 0.5 for a, b in zip(before, after, strict=True)]
    return {
        "colour": statistics.mean(reading.colour == colour for reading in after),
        "place": statistics.mean(distance < NEAR for distance in distances),
        "distance": statistics.mean(distances),
        "motion": float(judge.read_motion(clip, before).name == judge.read_motion(made, after).name),
        "round_trip": error,
    }


def edited_clip(family, model, clip, text: str, edit_text: str, shared_attention: float = 1.0):
    """(frames (F, 3, H, W) of the edit, relative error of the video sampled back)."""
    import comfy.samplers
    import torch

    from ..demo import play
    from ..host.sampling.edit_guider import EditGuider, EditSettings
    from ..host.sampling.invert_video import PromptGuider, invert_video
    from ..samplers.inversion import InversionSettings, relative_error

    latents = family.vae.encode(clip.movedim(1, -1))
    sampling = model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "karras", STEPS)
    prompt, edit_prompt = (play.encode(family, [one]) for one in (text, edit_text))
    latent = {"samples": latents}
    inverted, inversion, back, _ = invert_video(
        model, prompt, latent, sigmas[sigmas < FROM], InversionSettings()
    )
    euler, none = comfy.samplers.sampler_object("euler"), torch.zeros_like(latents)
    again = PromptGuider(model, prompt).sample(none, inverted["samples"], euler, back, disable_pbar=True)
    guider = EditGuider(model, inversion, edit_prompt, EditSettings(GUIDANCE, shared_attention))
    made = guider.sample(none, latents, euler, back, disable_pbar=True)
    return family.vae.decode(made).movedim(-1, 1), relative_error(again, latents)
