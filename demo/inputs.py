"""Makes the picture and the videos that the example workflows load: example.png, input_video.mp4 and
raw_videos/three_shots.mp4, of the demo's world.

    python dev.py run demo.inputs

dev.py puts them where its ComfyUI looks for inputs, so that no workflow opens with a missing file.
"""

from __future__ import annotations

import pathlib
import random

import av
import torch
import torch.nn.functional as F
from PIL import Image

from . import world

FOLDER = pathlib.Path(__file__).parent / "inputs"
PICTURE, VIDEO = "example.png", "input_video.mp4"
PICTURE_SIDE, VIDEO_SIDE = 512, 256  # pixels
FPS, NUM_FRAMES = 24, 72
RAW, RAW_SIDE, SHOT, BLEND = "raw_videos/three_shots.mp4", 192, 48, 12
"""A video with a cut and a dissolve: its sides, and frames of a shot and of the dissolve."""


def enlarged(frames: torch.Tensor, side: int) -> torch.Tensor:
    """Frames (F, 3, H, W) in 0..1 -> (F, side, side, 3) in 0..255."""
    large = F.interpolate(frames, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
    return (large * 255).round().byte().movedim(1, -1)


def image() -> torch.Tensor:
    """One picture (H, W, 3) in 0..255: a big red ball in the meadow."""
    things = {"shape": "ball", "colour": "red", "background": "meadow", "size": "big"}
    scene = world.random_scene(random.Random(4), motion="still", **things)
    return enlarged(world.render_clip(scene, 1), PICTURE_SIDE)[0]


def scene_of_video() -> world.Scene:
    """A purple ring on its round in front of the desert."""
    things = {"shape": "ring", "colour": "purple", "background": "desert", "size": "big"}
    return world.random_scene(random.Random(5), motion="orbit", **things)


def video() -> torch.Tensor:
    """Its scene at the world's pace of 8 frames a second: (F, H, W, 3) in 0..255."""
    scene = scene_of_video()
    clips = [world.render_clip(scene, 1, first_frame=frame * 8 / FPS) for frame in range(NUM_FRAMES)]
    return enlarged(torch.cat(clips), VIDEO_SIDE)


def raw_video() -> torch.Tensor:
    """Three shots: a ring on its round, a ball that bounces, a dissolve, a square that stands still."""
    things = (("orbit", "ring", "purple", "desert"), ("bounce", "ball", "red", "meadow"),
              ("still", "square", "yellow", "black"))  # fmt: skip
    shots = []
    for seed, (motion, shape, colour, background) in enumerate(things, 5):
        look = {"shape": shape, "colour": colour, "background": background, "size": "big"}
        scene = world.random_scene(random.Random(seed), motion=motion, **look)
        clips = [world.render_clip(scene, 1, first_frame=frame * 8 / FPS) for frame in range(SHOT)]
        shots.append(torch.cat(clips))
    first, second, third = shots
    weights = torch.linspace(0, 1, BLEND + 2)[1:-1].view(-1, 1, 1, 1)
    blend = torch.lerp(second[-BLEND:], third[:BLEND], weights)
    return enlarged(torch.cat([first, second[:-BLEND], blend, third[BLEND:]]), RAW_SIDE)


def save_video(frames: torch.Tensor, path: pathlib.Path) -> None:
    """Writes frames (F, H, W, 3) in 0..255 as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryslow"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.numpy(), format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    Image.fromarray(image().numpy()).save(FOLDER / PICTURE, optimize=True)
    save_video(video(), FOLDER / VIDEO)
    (FOLDER / RAW).parent.mkdir(exist_ok=True)
    save_video(raw_video(), FOLDER / RAW)
    for name in (PICTURE, VIDEO, RAW):
        print(f"{name}: {(FOLDER / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
