"""What training draws from the world: scenes, captions and noise levels, without a network and without a GPU.

A batch holds B clips of F frames (single pictures: F = 1) as poses, so that drawing can go on in other
processes while the pictures themselves are rendered wherever the networks run. Everything follows from a
stage's name and a step's number.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator

import torch

from . import moving_camera, networks, world

UNKNOWN = -1  # a token that has no row of its own
EMPTY_CAPTIONS, UNKNOWN_WORDS, NAMED_MOTION, NAMED_PLACE = 0.1, 0.02, 0.75, 0.5
CAMERA_MOVES = 0.1  # share of single frames taken while the camera moves
FAVOURED = 0.5  # share of clips that show a favoured motion, where motions are favoured
STANDING, MOVING = 0.85, ("spin", "blink", "orbit", "bounce")  # under a camera that is told
LENGTHS = (16, 16, 16, 8)  # frames of the clips of a batch, drawn from these


@dataclasses.dataclass(frozen=True)
class Batch:
    """B clips of num_frames frames: what is seen in them, what is said of them, how noisy they get."""

    scenes: list[world.Scene]
    num_frames: int
    seen: world.Poses  # of the B * F frames
    rates: world.Poses
    rows: torch.Tensor  # (B, 77) rows of the text encoder's embedding
    motions: torch.Tensor  # (B,) index in world.MOTIONS of the motion named, their number where none is
    times: torch.Tensor  # (B,) timesteps, 0..999
    kept: torch.Tensor  # (B,) how much of the picture each timestep keeps, 0..1
    seed: int  # of the noise
    captioned: torch.Tensor  # (B,) whether a clip's caption is not empty
    curves: tuple[moving_camera.TaughtCurve, ...] = ()  # of each clip, where a camera is told what to do

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        moved = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return Batch(
            **{k: v.to(device) if isinstance(v, torch.Tensor | world.Poses) else v for k, v in moved.items()}
        )

    def each_frame(self, per_clip: torch.Tensor) -> torch.Tensor:
        """Values of clips (B, ...) repeated for their frames: (B * F, ...)."""
        return per_clip.repeat_interleave(self.num_frames, 0)

    def frames(self) -> torch.Tensor:
        """The pictures, (B * F, 3, H, W) in 0..1."""
        return world.render(self._scene_of_each_frame(), self.seen, self.rates)

    def outlines(self) -> torch.Tensor:
        """What the ControlNet is told of each frame, (B * F, 3, H, W)."""
        return world.outlines(self._scene_of_each_frame(), self.seen)

    def _scene_of_each_frame(self) -> list[world.Scene]:
        return [scene for scene in self.scenes for _ in range(self.num_frames)]


def noise_levels() -> torch.Tensor:
    """Cumulative alphas (2, 1000) of Stable Diffusion's scaled-linear and of AnimateDiff's linear betas."""
    scaled = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    linear = torch.linspace(0.00085, 0.012, 1000, dtype=torch.float64)
    return torch.cumprod(1 - torch.stack([scaled, linear]), 1).float()


def draw_scene(
    rng: random.Random, camera: str = "fixed", single: bool = False, motion: str | None = None,
    name_place: float = NAMED_PLACE,
) -> tuple[world.Scene, str, float]:  # fmt: skip
    """A scene (of this motion, where one is given), its caption and the time of its first or only frame.

    A named motion with an end begins at its beginning. Single
    pictures often name the place, clips only of what stays in it.
    """
    scene = world.random_scene(rng, motion, camera)
    named = rng.random() < NAMED_MOTION
    whole = camera != "fixed" or (named and scene.motion in (*world.DRIFTS, "grow", "shrink"))
    time = (0.0 if whole else rng.uniform(0, 20)) + (rng.uniform(0, 15) if single else 0.0)
    placed = rng.random() < name_place and (single or (scene.motion in world.IN_PLACE and camera == "fixed"))
    where = world.place_of(scene, time) if placed else ""
    return scene, world.caption(scene, rng, name_motion=float(named), where=where), time


def named_motion(caption: str) -> int:
    """Index in world.MOTIONS of the motion that a caption names, or their number where it names none."""
    for index, motion in enumerate(world.MOTIONS):
        if any(phrase in caption for pair in world.MOTION_WORDS[motion] for phrase in pair):
            return index
    return len(world.MOTIONS)


class Drawer:
    """Draws batches; knows the words of the world as rows of the text encoder's embedding.

    Half of the clips show one of the `favoured` motions (names of world.MOTIONS), where there are any."""

    def __init__(self, favoured: tuple[str, ...] = ()) -> None:
        self.favoured = favoured
        self.tokens = networks.word_tokens()
        self.text_rows = networks.TextRows(networks.vocabulary(self.tokens))
        self.levels = noise_levels()

    def images(self, count: int, seed: int, stage: str) -> Batch:
        """Single pictures at random times, some taken while the camera moves; half of the noise levels tilted
        to the high ones, both beta schedules mixed.
        """
        rng, generator = generators(stage, seed)
        cameras = [
            rng.choice(world.CAMERAS) if rng.random() < CAMERA_MOVES else "fixed" for _ in range(count)
        ]
        drawn = [draw_scene(rng, camera, single=True) for camera in cameras]
        level = (torch.rand(count, generator=generator) + torch.arange(count)) / count
        tilted = torch.arange(count) % 2 == 0
        times = (torch.where(tilted, 1 - level**1.5, level) * 1000).long().clamp(0, 999)
        kept = self.levels[torch.randint(0, 2, (count,), generator=generator), times]
        return self._batch(drawn, 1, times, kept, rng, seed)

    def clips(self, frames: int, seed: int, stage: str, camera: str = "fixed") -> Batch:
        """As many clips as have together at most `frames` frames, of 16 frames or, where the camera stands
        still, sometimes 8; one noise level a clip, of AnimateDiff's betas, three in four above 350, because
        paths are decided where noise is high.
        """
        rng, generator = generators(stage, seed)
        num_frames = rng.choice(LENGTHS) if camera == "fixed" else max(LENGTHS)
        count = max(1, frames // num_frames)
        motions = [
            rng.choice(self.favoured) if self.favoured and rng.random() < FAVOURED else None
            for _ in range(count)
        ]
        drawn = [draw_scene(rng, camera, motion=motion) for motion in motions]
        low = max(1, count // 4)
        high = 350 + 650 * (torch.rand(count - low, generator=generator) + torch.arange(count - low)) / max(
            1, count - low
        )
        times = torch.cat([high, 350 * torch.rand(low, generator=generator)]).long().clamp(0, 999)
        return self._batch(drawn, num_frames, times, self.levels[1, times], rng, seed)

    def steered(self, frames: int, seed: int, stage: str) -> Batch:
        """Clips of 16 frames, most of a thing that stands still, each seen by a camera that moves as it is
        told; the caption says nothing of it. Noise is high in most: that is where paths are decided.
        """
        rng, generator = generators(stage, seed)
        num_frames, count = max(LENGTHS), max(1, frames // max(LENGTHS))
        motions = ["still" if rng.random() < STANDING else rng.choice(MOVING) for _ in range(count)]
        drawn = [draw_scene(rng, motion=motion, name_place=0.0) for motion in motions]
        level = (torch.rand(count, generator=generator) + torch.arange(count)) / count
        times = (1000 * level**0.4).long().clamp(0, 999)
        batch = self._batch(drawn, num_frames, times, self.levels[1, times], rng, seed)
        each = [moving_camera.draw_curve(rng, clip) for clip in batch.seen.split(num_frames)]
        curves, seen = zip(*each, strict=True)
        return dataclasses.replace(batch, seen=world.Poses.stack(list(seen)), curves=curves)

    def _batch(
        self, drawn: list[tuple], num_frames: int, times, kept, rng: random.Random, seed: int
    ) -> Batch:
        scenes, captions, first = ([d[i] for d in drawn] for i in range(3))
        rows, motions, captioned = [], [], []
        for caption in captions:
            line = [] if rng.random() < EMPTY_CAPTIONS else networks.caption_tokens(caption, self.tokens)
            rows.append(self.text_rows([UNKNOWN if rng.random() < UNKNOWN_WORDS else t for t in line]))
            motions.append(named_motion(caption) if line else len(world.MOTIONS))
            captioned.append(bool(line))
        seen, rates = world.posed_clips(scenes, num_frames, first)
        return Batch(
            scenes, num_frames, seen, rates, torch.tensor(rows), torch.tensor(motions), times, kept, seed,
            torch.tensor(captioned),
        )  # fmt: skip


def generators(stage: str, seed: int) -> tuple[random.Random, torch.Generator]:
    """The two sources of chance of one step."""
    return random.Random(f"{stage} {seed}"), torch.Generator().manual_seed(seed)


def in_order(draw: Callable[[int], object], seeds: range, workers: int) -> Iterator[object]:
    """draw(seed) of every seed in order,
    drawn ahead by that many other processes (0: here, when asked for).
    """
    if not workers:
        yield from map(draw, seeds)
        return
    torch.multiprocessing.set_sharing_strategy(
        "file_system"
    )  # a batch is many small tensors, more than files may be open
    yield from torch.utils.data.DataLoader(
        _Drawn(draw, seeds),
        batch_size=None,
        shuffle=False,
        num_workers=workers,
        prefetch_factor=4,
        collate_fn=_as_it_is,
    )


class _Drawn(torch.utils.data.Dataset):
    def __init__(self, draw: Callable[[int], object], seeds: range):
        self.draw, self.seeds = draw, seeds

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, index: int) -> object:
        return self.draw(self.seeds[index])


def _as_it_is(drawn: object) -> object:
    return drawn
