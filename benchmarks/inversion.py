"""A colour edit by inversion: a clip of the tiny world is inverted and sampled with another colour's prompt.

The edit looks where the video looks (direct inversion with shared attention); without that attention the same
edit moves things.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import replace

NEAR = 4.0  # pixels between the thing's places in the video and in the edit


def measure(family, count: int, num_frames: int = 8, shared_attention: float = 1.0) -> dict:
    """Of `count` edits: shares of frames in the new colour and at the old place, of videos that move as
    before, the mean distance of places in pixels, and the relative error of the round trip.
    """
    seen = [edit(family, index, num_frames, shared_attention) for index in range(count)]
    return {key: round(statistics.mean(one[key] for one in seen), 4) for key in seen[0]}


def edit(family, index: int, num_frames: int, shared_attention: float) -> dict[str, float]:
    """What one edit shows of its video. Things do not blink, and nothing touches the border."""
    from ..demo import editing, judge, world

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
    done = editing.edited_clip(family, clip, *texts, shared_attention)
    made, before, after = done.edit, judge.read_frames(clip), judge.read_frames(done.edit)
    distances = [((a.x - b.x) ** 2 + (a.y - b.y) ** 2) ** 0.5 for a, b in zip(before, after, strict=True)]
    return {
        "colour": statistics.mean(reading.colour == colour for reading in after),
        "place": statistics.mean(distance < NEAR for distance in distances),
        "distance": statistics.mean(distances),
        "motion": float(judge.read_motion(clip, before).name == judge.read_motion(made, after).name),
        "round_trip": done.error,
    }
