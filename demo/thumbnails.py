"""Makes the moving pictures beside the example workflows, which the template browser shows.

    python dev.py run demo.thumbnails [--only NAME] [--to FOLDER]

Where the tiny family can go the way of a workflow, its videos are seen; the others are drawn
(drawn_thumbnails.py). Each says which. The files are animated WebP: ComfyUI looks for the ending .jpg and
browsers for the content.

Letters: F frames; clips are (F, 3, H, W) in 0..1.
"""

from __future__ import annotations

import argparse
import pathlib
import random
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..frame_tools.grids import GridSettings, compare_clips
from ..frame_tools.labels import label_bar, to_image
from ..frame_values import frame_values
from ..host.sampling.freeinit import FreeInitSettings, apply_freeinit
from ..host.sampling.varying_guidance import VaryingGuidance, vary_guidance
from ..metrics.metric import Clip
from ..metrics.metrics import METRICS
from ..samplers.over_frames.prompts import PromptSettings
from ..samplers.text2video_zero.motion_fields import CameraField
from . import drawn_thumbnails, editing, inputs, one_shot, play, trained_motion, training_thumbnails, world
from .drawn_thumbnails import DRAWINGS
from .long_thumbnails import extended_clip, filled_region, loop, queue_and_windows, story

FOLDER = pathlib.Path(__file__).parents[1] / "example_workflows"
SIDE = 384  # pixels of a thumbnail
LABEL, FOOT, GAP = 24, 20, 4  # pixels: bars of text above each clip and at the bottom, space between clips
LARGEST_FILE = 180_000  # bytes
FPS, DRAWN_FPS = 8, 12
MADE, DRAWN = "made by the tiny demo models", "drawn, to show the idea"

Panels = tuple[list[torch.Tensor], list[str], int]
"""Clips, their labels, and the number of columns."""


def text_to_video(family: play.Family) -> Panels:
    clip = play.clip_of(family, play.moving(family), "a big orange ball bounces in the desert", seed=2)
    return [clip], ["a big orange ball bounces in the desert"], 1


def demo(family: play.Family) -> Panels:
    """Four prompts."""
    texts = {
        "ball drifts right": "a red ball drifts right on a blue background",
        "square grows": "a small yellow square grows on a black background",
        "ring bounces": "a white ring bounces in the meadow",
        "triangle drifts up": "a blue triangle drifts up on a pink background",
    }
    return (
        [play.clip_of(family, play.moving(family), text, seed=2) for text in texts.values()],
        list(texts),
        2,
    )


def long_video(family: play.Family) -> Panels:
    model = play.in_windows(play.moving(family), context_overlap=4)
    clip = play.clip_of(family, model, "a red ball bounces in the meadow", seed=2, num_frames=32)
    return [clip], ["32 frames in windows of 16"], 1


@torch.inference_mode()
def image_to_video(family: play.Family) -> Panels:
    """The picture it starts from, and the 16 frames."""
    import comfy.sample

    text = "a big red ball on a white background"
    things = {"shape": "ball", "colour": "red", "background": "white", "size": "big"}
    scene = world.random_scene(random.Random(4), motion="right", **things)
    image = world.render_clip(scene, 1)
    latents = family.vae.encode(image.movedim(1, -1)).repeat(16, 1, 1, 1)
    noise = comfy.sample.prepare_noise(latents, 11)
    samples = comfy.sample.sample(
        play.moving(family),
        noise,
        20,
        play.GUIDANCE,
        play.SAMPLER,
        play.SCHEDULER,
        play.encode(family, [text] * 16),
        play.encode(family, [""]),
        latents,
        denoise=0.85,
        seed=11,
        disable_pbar=True,
    )
    return [image, family.vae.decode(samples).movedim(-1, 1)], ["picture", "16 frames"], 2


def controlnet_video(family: play.Family) -> Panels:
    """Two videos above the outlines that they follow."""
    videos, outlines = [], []
    for shape, colour, background, seed in (
        ("ring", "purple", "meadow", 5),
        ("triangle", "blue", "desert", 8),
    ):
        things = {"shape": shape, "colour": colour, "background": background, "size": "big"}
        scene = world.random_scene(random.Random(seed), motion="orbit", **things)
        told = world.hints([scene], 16, [0.0])[0]
        text = f"a big {colour} {shape} orbits in the {background}"
        videos.append(play.clip_of(family, play.moving(family), text, seed, hints=told))
        outlines.append(told)
    return videos + outlines, ["video", "video", "its edges", "its edges"], 2


@torch.inference_mode()
def video_to_video(family: play.Family) -> Panels:
    """A video of 32 frames, and what the windows made of it."""
    import comfy.sample

    things = {"shape": "ring", "colour": "purple", "background": "gray", "size": "big"}
    video = world.render_clip(world.random_scene(random.Random(5), motion="orbit", **things), 32)
    latents = family.vae.encode(video.movedim(1, -1))
    noise = comfy.sample.prepare_noise(latents, 3)
    text = "a big purple ball on a gray background, orbiting"
    samples = comfy.sample.sample(
        play.in_windows(play.moving(family)),
        noise,
        20,
        play.GUIDANCE,
        play.SAMPLER,
        play.SCHEDULER,
        play.encode(family, [text] * len(video)),
        play.encode(family, [""]),
        latents,
        denoise=0.55,
        seed=3,
        disable_pbar=True,
    )
    return [video, family.vae.decode(samples).movedim(-1, 1)], ["your video", '"a purple ball"'], 2


def camera_and_look(family: play.Family) -> Panels:
    """By day without a camera, at dusk, at dusk with the panning camera, at dusk with the zooming one."""
    dusk, text, seed = play.at_dusk(family), "a red ball stands still in the meadow", 2
    cameras = [(dusk, play.with_camera(dusk, move)) for move in ("pan", "zoom")]
    models = [(family, play.moving_v2(family)), (dusk, play.moving_v2(dusk)), *cameras]
    clips = [play.clip_of(base, model, text, seed) for base, model in models]
    return clips, ["checkpoint", "LoRA", "LoRA, pan", "LoRA, zoom"], 2


def zoom_then_pan(family: play.Family) -> Panels:
    """Without a camera, with the zooming one, with the panning one, with one after the other."""
    text, seed = "a red ball stands still in the meadow", 2
    models = [play.moving_v2(family), *(play.with_camera(family, move) for move in ("zoom", "pan"))]
    models.append(play.with_cameras_in_turn(family, "zoom", "pan", 0.3))
    clips = [play.clip_of(family, model, text, seed) for model in models]
    return clips, ["no MotionLoRA", "zoom", "pan", "zoom, then pan"], 2


def prompts_over_frames(family: play.Family) -> Panels:
    """From red to blue, and through three colours round and round."""
    texts = {
        "red, then blue": ('"4": "red", "11": "blue"', False),
        "in a loop": ('"0": "red", "5": "yellow", "10": "blue"', True),
    }
    clips = [
        play.prompts_clip(
            family,
            play.moving(family),
            PromptSettings(text, "a", "ball bounces in the meadow", loop=loop),
            seed=2,
        )
        for text, loop in texts.values()
    ]
    return clips, list(texts), 2


def controlnet_over_time(family: play.Family) -> Panels:
    """Without the ControlNet, with it in all frames, with one that comes in after frame 5."""
    text, seed = "a big red square drifts right on a blue background", 3
    hint = torch.zeros(1, 3, world.SIZE, world.SIZE)
    hint[..., 80:120, 80:120] = 1
    rising = frame_values([0.0] * 6 + [0.2, 0.4, 0.6, 0.8] + [1.0] * 6)
    model = play.moving(family)
    clips = [play.clip_of(family, model, text, seed)]
    clips += [
        play.clip_of(family, model, text, seed, hints=hint, control_strength=strength)
        for strength in (1.0, rising)
    ]
    shown = hint.expand(len(clips[0]), -1, -1, -1)
    return [*clips, shown], ["no ControlNet", "in all frames", "from frame 5 on", "what it is told"], 2


def deep_features_reused(family: play.Family) -> Panels:
    """The same prompt and seed with every step whole, and with every other one."""
    text, whole = "a big orange ball bounces in the desert", play.moving(family)
    models = [whole, play.reusing(whole)]
    clips = [play.clip_of(family, model, text, 2) for model in models]
    return clips, ["every step whole", "every other step"], 2


def values_over_frames_and_places(family: play.Family) -> Panels:
    """Motion that sets in by and by, in the left half, where the ball is, and in the right one."""
    text, seed = "a big red ball at the left drifts up in the desert", 2
    left = torch.zeros(1, world.SIZE, world.SIZE)
    left[..., : world.SIZE // 2] = 1.0
    rising = [min(1.0, 0.2 + 0.8 * frame / 9) for frame in range(16)]
    models = [play.moving(family, frame_values(rising, mask)) for mask in (left, 1 - left)]
    clips = [play.clip_of(family, play.with_same_noise(model), text, seed) for model in models]
    return clips, ["left half may move", "right half may move"], 2


def guidance_and_freeinit(family: play.Family) -> Panels:
    """A cfg of its own for each frame, and that with FreeInit."""
    text, seed, model = "a red ball bounces in the meadow", 2, play.moving(family)
    rising = [1.0] * 5 + [1 + i / 2 for i in range(1, 8)] + [5.0] * 4
    varied = vary_guidance(model, VaryingGuidance(frame_values(rising)))
    models = [varied, apply_freeinit(varied, FreeInitSettings(iterations=2))]
    clips = [play.clip_of(family, model, text, seed) for model in models]
    return clips, ["cfg 1 to 5", "FreeInit besides"], 2


def windows_side_by_side(family: play.Family) -> Panels:
    """The two plans of the workflow."""
    clips = []
    for schedule in ("standard_static", "standard_uniform (AnimateDiff-Evolved)"):
        model = play.in_windows(play.moving(family), context_overlap=4, context_schedule=schedule)
        clips.append(play.clip_of(family, model, "a red ball bounces in the meadow", 2, num_frames=32))
    return clips, ["standard_static", "uniform (A.D.-Evolved)"], 2


def text2video_zero(family: play.Family) -> Panels:
    """One prompt's frames out of the first one, and each by itself; there and back, twice."""
    text = "a small yellow ball on a blue background"
    there = editing.zero_clip(family, text, 1, 6, CameraField(32.0, 0.0))
    order = [*range(6), *range(4, 0, -1)] * 2
    clips = [clip[order] for clip in (there, play.images(family, [text] * 6, seed=1))]
    return clips, ["Text2Video-Zero", "on their own"], 2


def text2video_zero_with_controlnet(family: play.Family) -> Panels:
    """The video that the workflow loads, its outlines, and a new thing that goes their way."""
    video = world.render_clip(inputs.scene_of_video(), 16)
    outline = (video[:, 1:2] < 0.37).float().expand(-1, 3, -1, -1)
    clip = editing.zero_clip_by_hints(family, "a big orange ring in the meadow", 1, outline)
    return [video, clip, outline], ["your video", "the new one", "its outline"], 2


def edit_by_inversion(family: play.Family) -> Panels:
    """The video that the workflow loads, and its ring in another colour; there and back."""
    clip, order = world.render_clip(inputs.scene_of_video(), 8), [*range(8), *range(6, 0, -1)]
    texts = (f"a big {colour} ring orbits in the desert" for colour in ("purple", "red"))
    edit = editing.edited_clip(family, clip, *texts).edit
    return [clip[order], edit[order]], ["your video", "edited"], 2


def trained_motion_lora(family: play.Family) -> Panels:
    """The video that the workflow loads, and another thing with its MotionLoRA and without."""
    video = trained_motion.video_to_learn_from()
    module, _ = trained_motion.motion_of(family, video, trained_motion.SHOWS)
    text, seed = "a small blue ball on a green background", 54
    clips = [trained_motion.moved_by(family, one, text, seed) for one in (module, family.motion_module)]
    order = [*range(8), *range(6, 0, -1)]
    return [clip[order] for clip in (video, *clips)], ["your video", "its MotionLoRA", "without"], 2


def one_shot_tuning(family: play.Family) -> Panels:
    """The video that the workflow loads, and its ring in another colour, by layers tuned on it alone."""
    clip, order = world.render_clip(inputs.scene_of_video(), 8), [*range(8), *range(6, 0, -1)]
    texts = [f"a big {colour} ring orbits in the desert" for colour in ("purple", "red")]
    module, _ = one_shot.tuned(family, clip, texts[0])
    edit = one_shot.made_anew(family, module, clip, texts[1])
    return [clip[order], edit[order]], ["your video", "another colour"], 2


def compared(family: play.Family) -> Panels:
    """The same prompt and seed with the motion module and without."""
    text = "a white ring bounces in the meadow"
    clips = [play.clip_of(family, model, text, 2) for model in (play.moving(family), play.not_moving(family))]
    return clips, ["with the module", "without"], 2


def curated_folder(family: play.Family) -> Panels:
    """The clips of the raw video that the workflow loads, and the shot that is dropped."""
    frames = inputs.raw_video().movedim(-1, 1).float() / 255
    starts = (0, inputs.SHOT, 2 * inputs.SHOT)
    clips = [frames[start : start + 32 : 2] for start in starts]
    return clips, ["kept", "kept", "dropped: still"], 2


def two_sets(family: play.Family) -> Panels:
    """The same prompt and seed with the motion module and without, and how steady each is."""
    text = "a big orange ball bounces in the desert"
    clips = [play.clip_of(family, model, text, 2) for model in (play.moving(family), play.not_moving(family))]
    steady = [METRICS["flicker"].measure(Clip(clip.movedim(1, -1))).value for clip in clips]
    return clips, [f"flicker {value:.3f}" for value in steady], 2


SAMPLED: dict[str, Callable[[play.Family], Panels]] = {
    "01 Demo (no download)": demo,
    "02 Demo, camera and look": camera_and_look,
    "03 Text to video (AnimateDiff)": text_to_video,
    "04 Image to video (AnimateDiff)": image_to_video,
    "05 Video to video (AnimateDiff, ControlNet)": controlnet_video,
    "06 Long video (AnimateDiff)": long_video,
    "07 Long video in bounded memory": video_to_video,
    "08 Compare clips, contact sheet": compared,
    "19 Demo, zoom then pan": zoom_then_pan,
    "21 Demo, ControlNet over time": controlnet_over_time,
    "20 Demo, prompts over frames": prompts_over_frames,
    "22 Demo, deep features reused": deep_features_reused,
    "23 Demo, values over frames and places": values_over_frames_and_places,
    "25 Demo, guidance and FreeInit": guidance_and_freeinit,
    "26 Demo, windows side by side": windows_side_by_side,
    "29 Demo, Text2Video-Zero": text2video_zero,
    "30 Demo, Text2Video-Zero with ControlNet": text2video_zero_with_controlnet,
    "31 Demo, edit by inversion": edit_by_inversion,
    "32 Demo, queue and windows side by side": queue_and_windows,
    "33 Demo, extend a clip": extended_clip,
    "34 Demo, fill a moving region": filled_region,
    "35 Demo, loop": loop,
    "36 Demo, a story of three scenes": story,
    "37 Demo, train a MotionLoRA": trained_motion_lora,
    "38 Curate a folder": curated_folder,
    "39 Demo, compare two sets": two_sets,
    "40 Demo, one-shot tuning": one_shot_tuning,
    "43 Demo, looks and motion apart": training_thumbnails.looks_and_motion,
    "44 Demo, edit by mixed tuning": training_thumbnails.mixed_tuning,
    "45 Demo, animate a picture": training_thumbnails.animated_picture,
    "46 Demo, fill in key frames": training_thumbnails.key_frames,
}
LEAN = {
    training_thumbnails.looks_and_motion: 32_000, training_thumbnails.mixed_tuning: 32_000,
    training_thumbnails.animated_picture: 32_000, training_thumbnails.key_frames: 32_000,
    drawn_thumbnails.learnt_motion: 32_000, drawn_thumbnails.learnt_camera: 32_000,
    drawn_thumbnails.frames_between: 32_000, drawn_thumbnails.steady_decoder: 32_000,
    drawn_thumbnails.windows_on_workers: 62_000, drawn_thumbnails.seeds_on_workers: 62_000,
}  # fmt: skip
"""Panels -> bytes of their file at most, instead of LARGEST_FILE: all files together have 3 MB."""


def thumbnail(panels: Panels, foot: str) -> torch.Tensor:
    """The labelled clips in a grid over a line of text,
    in the middle of a black square: (F, SIDE, SIDE, 3).
    """
    clips, labels, columns = panels
    rows = -(-len(clips) // columns)
    cell = min((SIDE + GAP) // columns, (SIDE - FOOT + GAP) // rows - LABEL) - GAP
    large = [
        F.interpolate(clip.clamp(0, 1), (cell, cell), mode="bicubic", antialias=True).clamp(0, 1)
        for clip in clips
    ]
    settings = GridSettings(columns, label_height=LABEL, gap=GAP)
    grid = compare_clips([clip.movedim(1, -1) for clip in large], labels, settings)
    out = torch.zeros(len(grid), SIDE, SIDE, 3)
    top, left = (SIDE - FOOT - grid.shape[1]) // 2, (SIDE - grid.shape[2]) // 2
    out[:, top : top + grid.shape[1], left : left + grid.shape[2]] = grid
    out[:, SIDE - FOOT :] = label_bar(foot, SIDE, FOOT)
    return out


def save(frames: torch.Tensor, path: pathlib.Path, fps: float, largest: int = LARGEST_FILE) -> None:
    """Writes frames (F, H, W, 3) in 0..1 as a WebP that plays forever, within `largest` bytes."""
    first, *rest = [to_image(frame) for frame in frames]
    for quality in range(85, 10, -10):
        first.save(
            path,
            "WEBP",
            save_all=True,
            append_images=rest,
            duration=round(1000 / fps),
            loop=0,
            quality=quality,
            method=6,
            allow_mixed=True,  # else flat colours leave a trail
            minimize_size=True,
        )
        if path.stat().st_size <= largest:
            return


def main() -> None:
    names = [*SAMPLED, *DRAWINGS]
    parser = argparse.ArgumentParser(prog="run demo.thumbnails", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=names, nargs="+", help="some pictures instead of all")
    parser.add_argument("--to", type=pathlib.Path, default=FOLDER, help="where to write (example_workflows)")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    wanted = options.only or names
    family = play.load_family() if set(wanted) & set(SAMPLED) else None
    for name in wanted:
        path = options.to / f"{name}.jpg"
        panels = {**SAMPLED, **DRAWINGS}[name]
        largest = LEAN.get(panels, LARGEST_FILE)
        if name in SAMPLED:
            save(thumbnail(panels(family), MADE), path, FPS, largest)
        else:
            save(thumbnail(panels(), DRAWN), path, DRAWN_FPS, largest)
        print(f"{path.name}: {path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
