"""Scenes of one video: how long each is, what it shows, how the camera moves, and how it goes over into the
next one.

All scenes are sampled as one video of F frames, one after the other. At a cut and at a fade no window of
frames goes over the border; a fade mixes the last pictures of a scene with the first ones of the next, so the
finished video is shorter. At a morph windows go over the border, and the prompts blend around it.

Letters: F frames that are sampled, n frames of a transition.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from ..foreign_text import printable
from ..samplers.over_frames.curves import LINEAR, Key, between_keys

CUT, FADE, MORPH = TRANSITIONS = ("cut", "fade", "morph")
HOLD = "hold"


@dataclass(frozen=True)
class Transition:
    """How a scene goes over into the next: kind is one of TRANSITIONS, frames is n, 0 for a cut."""

    kind: str = CUT
    frames: int = 0


@dataclass(frozen=True)
class Scene:
    """prompt: with style, without negative. num_frames: at least 1. camera: a move of
    motion_modules.camera.moves, at a speed (1 = as published). picture: number of the start picture, from 1.
    """

    prompt: str
    num_frames: int
    negative: str = ""
    camera: str = HOLD
    speed: float = 1.0
    transition: Transition = Transition()
    picture: int | None = None


def problem_of(scenes: tuple[Scene, ...]) -> tuple[int, str] | None:
    """The first scene whose transition does not fit, and why; None where all do. The last one has a cut."""
    for number, (scene, after) in enumerate(zip(scenes[:-1], scenes[1:], strict=True)):
        kind, frames = scene.transition.kind, scene.transition.frames
        if kind != CUT and frames < 1:
            return number, f"a {kind} of {frames} frames is none; give it at least 1 frame, or write cut."
        shorter = min(scene.num_frames, after.num_frames)
        if kind == FADE and frames > shorter:
            return number, (
                f"a fade of {frames} frames is longer than one of its scenes, which has {shorter} frames;"
                " shorten the fade or lengthen the scene."
            )
    for number, scene in enumerate(scenes):
        before = scenes[number - 1].transition if number else Transition()
        own = scene.transition
        taken = _into(before) + _out_of(own)
        if taken > scene.num_frames - (MORPH in (before.kind, own.kind)):
            return number, (
                f"its {scene.num_frames} frames are fewer than its transitions take, {taken}; shorten a"
                " transition or lengthen the scene."
            )
    return None


def _out_of(transition: Transition) -> int:
    """Frames at the end of a scene that a transition takes."""
    return transition.frames // 2 if transition.kind == MORPH else transition.frames


def _into(transition: Transition) -> int:
    """Frames at the beginning of the next scene that a transition takes."""
    return transition.frames - _out_of(transition) if transition.kind == MORPH else transition.frames


@dataclass(frozen=True)
class Storyboard:
    """Scenes in order, at least one. fps: frames a second of the finished video. remarks: what was mended or
    left out of the text that it was read from. Raises ValueError for no scenes and transitions that do not
    fit.
    """

    scenes: tuple[Scene, ...]
    fps: float = 8.0
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.scenes:
            raise ValueError("a storyboard needs at least one scene; write one.")
        *others, last = self.scenes  # behind the last scene there is nothing to go over into
        object.__setattr__(self, "scenes", (*others, replace(last, transition=Transition())))
        if problem := problem_of(self.scenes):
            raise ValueError(f"scene {problem[0] + 1}: {problem[1]}")

    @property
    def num_frames(self) -> int:
        """F, the frames that are sampled."""
        return sum(scene.num_frames for scene in self.scenes)

    @property
    def num_joined(self) -> int:
        """Frames of the finished video."""
        return self.num_frames - sum(frames for _, frames in self.fades())

    def starts(self) -> list[int]:
        """The first frame of every scene."""
        return [sum(scene.num_frames for scene in self.scenes[:k]) for k in range(len(self.scenes))]

    def fades(self) -> list[tuple[int, int]]:
        """(first frame of the next scene, n) of every fade.

        >>> fade = Scene("a", 6, transition=Transition("fade", 2))
        >>> Storyboard((fade, Scene("b", 5))).fades()
        [(6, 2)]
        """
        nexts = zip(self.scenes[:-1], self.starts()[1:], strict=True)
        return [(start, scene.transition.frames) for scene, start in nexts if scene.transition.kind == FADE]

    def pieces(self) -> list[int]:
        """How many frames lie between two borders that no window crosses: their sum is F."""
        lengths = [0]
        for scene in self.scenes:
            lengths[-1] += scene.num_frames
            if scene.transition.kind != MORPH:
                lengths.append(0)
        return lengths[:-1]

    def pure_frames(self) -> list[tuple[int, int]]:
        """The first and the last frame that belong to each scene alone, as far as prompts go."""
        spans, start = [], 0
        for scene, first in zip(self.scenes, self.starts(), strict=True):
            end, morphs = first + scene.num_frames, scene.transition.kind == MORPH
            spans.append((start, end - 1 - morphs * _out_of(scene.transition)))
            start = end + morphs * _into(scene.transition)
        return spans

    def prompts(self) -> str:
        """The prompts in the text format of *Prompts over Frames*, for its linear curve."""
        lines = []
        for scene, (first, last) in zip(self.scenes, self.pure_frames(), strict=True):
            place = f"{first}:{last + 1}" if scene.transition.kind == MORPH else f"{first}:"
            text = f"{scene.prompt} --neg {scene.negative}" if scene.negative else scene.prompt
            lines.append(f"{json.dumps(place)}: {json.dumps(text, ensure_ascii=False)}")
        return ",\n".join(lines)

    def weights(self) -> list[list[float]]:
        """How much of each scene every frame shows: a list of F numbers 0..1 for each scene."""
        keys, owners = [], []
        for number, (scene, (first, last)) in enumerate(zip(self.scenes, self.pure_frames(), strict=True)):
            morphs = scene.transition.kind == MORPH
            keys.append(Key(first, holds=not morphs or last > first))
            if morphs and last > first:
                keys.append(Key(last))
            owners += [number] * (len(keys) - len(owners))
        table = [[0.0] * self.num_frames for _ in self.scenes]
        for frame, place in enumerate(between_keys(keys, self.num_frames, LINEAR, loop=False)):
            table[owners[place.before]][frame] += 1 - place.weight
            table[owners[place.after]][frame] += place.weight
        return table

    def camera_values(self, camera: str) -> list[float]:
        """How much of a camera move every frame has, F numbers: its speed, 1 for hold; 0 in other scenes.

        Raises ValueError for a move of no scene.
        """
        if camera not in (cameras := dict.fromkeys(scene.camera for scene in self.scenes)):
            raise ValueError(
                f"no scene has the camera '{printable(camera)}'; the storyboard has {', '.join(cameras)}."
            )
        speeds = [
            (1.0 if camera == HOLD else scene.speed) * (scene.camera == camera) for scene in self.scenes
        ]
        return [
            sum(speed * share for speed, share in zip(speeds, shares, strict=True))
            for shares in zip(*self.weights(), strict=True)
        ]

    def start_pictures(self) -> list[tuple[int, int]]:
        """(first frame of a scene, number of its picture from 1) of every scene that has one."""
        pictures = zip(self.starts(), self.scenes, strict=True)
        return [(start, scene.picture) for start, scene in pictures if scene.picture is not None]
