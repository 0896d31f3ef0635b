"""At which frames of a video a few images lie, and which of them a part of the video sees."""

from __future__ import annotations

from collections.abc import Sequence

from ..foreign_text import printable
from .selection import select_frames

AT_FRAMES, SPREAD, STARTING, ENDING, CENTRE = "at frames", "spread", "starting", "ending", "centre"
PLACES = [AT_FRAMES, SPREAD, STARTING, ENDING, CENTRE]
"""Rules of ComfyUI-Advanced-ControlNet; `at frames` names the frame of each image."""


def frames_of_images(place: str, frames: str, num_images: int, num_frames: int) -> list[int]:
    """The frame of each image, in the order of the images.

    place: one of PLACES. frames: numbers for `at frames`, as select_frames takes them. 3 images, spread over
    9 frames -> 0, 4, 8; starting -> 0, 2, 5; ending -> 2, 5, 8; centre -> 2, 4, 6. Raises ValueError where
    there are more images than frames, and where `frames` does not name one frame for each image.
    """
    if num_images > num_frames:
        raise ValueError(
            f"{num_images} sparse images cannot lie at {num_frames} frames; give at most {num_frames} images."
        )
    if place == AT_FRAMES:
        return _named_frames(frames, num_images, num_frames)
    if num_images == num_frames:
        return list(range(num_frames))
    before, after = {
        SPREAD: (0, 0),
        STARTING: (0, 1),
        ENDING: (1, 0),
        CENTRE: (1, 1) if num_images == 1 or num_frames - num_images >= 3 else (0, 1),
    }[place]
    count = num_images + before + after
    marks = [i * (num_frames - 1) // max(1, count - 1) for i in range(count)]
    return marks[before : before + num_images]


def _named_frames(frames: str, num_images: int, num_frames: int) -> list[int]:
    named = select_frames(frames, num_frames)
    if len(named) != num_images:
        raise ValueError(
            f'frames="{printable(frames)}" names {len(named)} frames for {num_images} sparse images; name '
            "one frame for each image."
        )
    if twice := [frame for frame in named if named.count(frame) > 1]:
        raise ValueError(
            f'frames="{printable(frames)}" puts two images at frame {twice[0]}; name another frame for one '
            "of them."
        )
    return named


def images_in_part(placed: Sequence[int], part: Sequence[int], nearest: bool) -> list[int | None]:
    """Which image each frame of a part of a video sees: its number, or None.

    placed: the frame of each image. part: the frames of a context window. nearest: a part without an image
    gets the nearest one at its nearer end, both ends theirs where they are equally near. Images at 0 and 9,
    part 2 3 4 5 -> image 0 at frame 2.
    """
    seen = [placed.index(frame) if frame in placed else None for frame in part]
    if not nearest or any(image is not None for image in seen):
        return seen
    first, last = (min(range(len(placed)), key=lambda i: abs(placed[i] - end)) for end in (part[0], part[-1]))
    to_first, to_last = abs(placed[first] - part[0]), abs(placed[last] - part[-1])
    if len(placed) == 1 and to_first == to_last:
        seen[(len(part) - 1) // 2] = first
        return seen
    if to_first <= to_last:
        seen[0] = first
    if to_last <= to_first:
        seen[-1] = last
    return seen
