"""Makes the pictures beside the example workflows: frames that the tiny family makes when it goes the way of each workflow.

    python dev.py run demo.thumbnails [--only NAME] [--to FOLDER]

A picture is a sheet of frames in reading order; that of the ControlNet workflow has below every frame what its ControlNet was told.
"""

from __future__ import annotations

import argparse
import pathlib
import random

import torch
import torch.nn.functional as F
from PIL import Image

from . import play, world

FOLDER = pathlib.Path(__file__).parents[1] / "example_workflows"
LARGEST_SIDE, LARGEST_FILE = 512, 60_000
GAP = 4  # pixels between frames
PAPER = 0.13  # grey of the gaps


def text_to_video(family: play.Family) -> torch.Tensor:
    return play.clip_of(family, play.moving(family), "a big orange ball bounces in the desert", seed=2)


def demo(family: play.Family) -> torch.Tensor:
    """Four prompts, a row of four frames each."""
    texts = (
        "a red ball drifts right on a blue background",
        "a small yellow square grows on a black background",
        "a white ring bounces in the meadow",
        "a blue triangle drifts up on a pink background",
    )
    return torch.cat([play.clip_of(family, play.moving(family), text, seed=2)[::5] for text in texts])


def long_video(family: play.Family) -> torch.Tensor:
    model = play.in_windows(play.moving(family), context_overlap=4)
    return play.clip_of(family, model, "a red ball bounces in the meadow", seed=2, num_frames=25)


@torch.inference_mode()
def image_to_video(family: play.Family) -> torch.Tensor:
    """The picture it starts from comes first, then every second of 16 frames."""
    import comfy.sample

    text = "a big red ball on a white background"
    things = {"shape": "ball", "colour": "red", "background": "white", "size": "big"}
    scene = world.random_scene(random.Random(4), motion="right", **things)
    picture = world.render_clip(scene, 1)
    latents = family.vae.encode(picture.movedim(1, -1)).repeat(16, 1, 1, 1)
    noise = comfy.sample.prepare_noise(latents, 11)
    samples = comfy.sample.sample(
        play.moving(family), noise, 20, play.GUIDANCE, play.SAMPLER, play.SCHEDULER, play.encode(family, [text] * 16),
        play.encode(family, [""]), latents, denoise=0.85, seed=11, disable_pbar=True,
    )  # fmt: skip
    frames = family.vae.decode(samples).movedim(-1, 1)
    return torch.cat([picture, frames[::2]])


def controlnet_video(family: play.Family) -> torch.Tensor:
    """Four frames of a video above the outlines that it follows, twice."""
    rows = []
    for shape, colour, background, seed in (("ring", "purple", "meadow", 5), ("triangle", "blue", "desert", 8)):
        things = {"shape": shape, "colour": colour, "background": background, "size": "big"}
        scene = world.random_scene(random.Random(seed), motion="orbit", **things)
        told = world.hints([scene], 16, [0.0])[0]
        text = f"a big {colour} {shape} orbits in the {background}"
        frames = play.clip_of(family, play.moving(family), text, seed, hints=told)
        rows += [frames[::5], told[::5]]
    return torch.cat(rows)


@torch.inference_mode()
def video_to_video(family: play.Family) -> torch.Tensor:
    """Eight of 32 frames of a video, and below them the same frames of what the windows made of it."""
    import comfy.sample

    things = {"shape": "ring", "colour": "purple", "background": "gray", "size": "big"}
    video = world.render_clip(world.random_scene(random.Random(5), motion="orbit", **things), 32)
    latents = family.vae.encode(video.movedim(1, -1))
    noise = comfy.sample.prepare_noise(latents, 3)
    text = "a big purple ball on a gray background, orbiting"
    samples = comfy.sample.sample(
        play.in_windows(play.moving(family)), noise, 20, play.GUIDANCE, play.SAMPLER, play.SCHEDULER,
        play.encode(family, [text] * len(video)), play.encode(family, [""]), latents, denoise=0.55, seed=3, disable_pbar=True,
    )  # fmt: skip
    return torch.cat([video[::4], family.vae.decode(samples).movedim(-1, 1)[::4]])


def camera_and_look(family: play.Family) -> torch.Tensor:
    """Four frames each: by day without a camera, at dusk, at dusk with the panning camera, at dusk with the zooming one."""
    dusk, text, seed = play.at_dusk(family), "a red ball stands still in the meadow", 2
    rows = [(family, play.moving_v2(family)), (dusk, play.moving_v2(dusk)), *((dusk, play.with_camera(dusk, c)) for c in ("pan", "zoom"))]
    return torch.cat([play.clip_of(base, model, text, seed)[::5] for base, model in rows])


THUMBNAILS = {
    "03 Text to video (AnimateDiff)": text_to_video,
    "06 Long video (AnimateDiff)": long_video,
    "04 Image to video (AnimateDiff)": image_to_video,
    "05 Video to video (AnimateDiff, ControlNet)": controlnet_video,
    "07 Long video in bounded memory": video_to_video,
    "01 Demo (no download)": demo,
    "02 Demo, camera and look": camera_and_look,
}


def save_sheet(frames: torch.Tensor, path: pathlib.Path) -> None:
    """Writes frames (N, 3, H, W) in 0..1, N a square number, as one JPEG within LARGEST_SIDE pixels and LARGEST_FILE bytes."""
    columns = round(len(frames) ** 0.5)
    side = (LARGEST_SIDE - GAP) // columns - GAP
    small = F.interpolate(frames.clamp(0, 1), (side, side), mode="bicubic", antialias=True).clamp(0, 1)
    grid = F.pad(small, (0, GAP, 0, GAP), value=PAPER).unflatten(0, (columns, columns))
    sheet = F.pad(grid.permute(2, 0, 3, 1, 4).flatten(1, 2).flatten(2, 3), (GAP, 0, GAP, 0), value=PAPER)
    picture = Image.fromarray((sheet.movedim(0, -1) * 255).round().byte().numpy())
    for quality in range(90, 10, -10):
        picture.save(path, quality=quality, optimize=True)
        if path.stat().st_size < LARGEST_FILE:
            return


def main() -> None:
    parser = argparse.ArgumentParser(prog="run demo.thumbnails", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=THUMBNAILS, help="one picture instead of all")
    parser.add_argument("--to", type=pathlib.Path, default=FOLDER, help="where to write (example_workflows)")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    family = play.load_family()
    for name in [options.only] if options.only else THUMBNAILS:
        path = options.to / f"{name}.jpg"
        save_sheet(THUMBNAILS[name](family), path)
        print(f"{path.name}: {path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
