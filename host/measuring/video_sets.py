"""Sets of clips to be measured: a folder of videos or of pictures, or clips that are wired.

A clip is read when its turn comes, so that no more than one is in memory. F frames, H height, W width.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import folder_paths
import torch

from ...foreign_text import printable
from ...video_io.decode import decode_selection
from ...video_io.frame_plan import FrameRequest
from ...video_io.frame_selection import DecodedVideo
from ...video_io.frame_size import SizeRequest
from ...video_io.image_files import IMAGES, images_in, is_animated, take_animation, take_images
from ..media.image_sources import file_state
from ..media.video import FrameOptions, stop
from ..media.video_folders import videos_in

OUTPUT = " [output]"
"""Behind the name of a folder of ComfyUI's output folder, as core marks files there."""
VIDEOS = {".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".gif", ".webp", ".mpg", ".mpeg", ".ts", ".flv"}


@dataclass(frozen=True)
class SetSettings:
    """What is measured of each video. num_frames: from its beginning, 0 = all. frame_rate: frames a
    second that are taken, 0 = all of the file's. Pictures are clips of one frame.
    """

    num_frames: int = 16
    frame_rate: float = 0.0


@dataclass(frozen=True)
class SetClip:
    """A clip whose turn has come: frames (F, H, W, 3), values 0..1; fps 0 = not told."""

    name: str
    frames: torch.Tensor
    fps: float


@dataclass(frozen=True)
class VideoSet:
    """What travels on a VIDEO_SET link: the clips of a set, files or frames (F, H, W, C)."""

    name: str
    sources: tuple[Path | torch.Tensor, ...]
    settings: SetSettings
    fps: float = 0.0

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def of_pictures(self) -> bool:
        """Whether it has clips of one frame; all are then pictures, but for wired ones."""
        return any(
            len(source) == 1 if isinstance(source, torch.Tensor) else _is_picture(source)
            for source in self.sources
        )

    def clips(self) -> Iterator[SetClip]:
        """Each clip in order. Raises ValueError for a file that cannot be read or is too short."""
        for number, source in enumerate(self.sources):
            stop()
            if isinstance(source, torch.Tensor):
                yield self._cut(f"clip {number + 1} of {self.name}", source[..., :3], self.fps)
                continue
            try:
                found = self._read(source)
            except ValueError as error:
                told, name = printable(error, 600), f"'{printable(source.name)}'"
                raise ValueError(told if name in told else f"{name}: {told}") from error
            picture = _is_picture(source)
            fps = 0.0 if picture else round(found.fps, 3)
            yield self._cut(f"'{printable(source.name)}'", found.frames, fps, picture)

    def _read(self, path: Path) -> DecodedVideo:
        request = FrameRequest(force_rate=self.settings.frame_rate, frame_cap=self.settings.num_frames)
        options = FrameOptions(request, SizeRequest()).reading(lambda done, total: None)
        if is_animated(path):
            return take_animation(path, options)
        if path.suffix.lower() in IMAGES:
            whole = FrameOptions(FrameRequest(), SizeRequest()).reading(lambda done, total: None)
            return take_images([path], 1.0, whole)
        return decode_selection(str(path), options)

    def _cut(self, name: str, frames: torch.Tensor, fps: float, picture: bool = False) -> SetClip:
        wanted = self.settings.num_frames
        if not picture and wanted and len(frames) < wanted:
            raise ValueError(
                f"{name} has {len(frames)} frames, fewer than num_frames={wanted}; lower num_frames, set"
                " frame_rate to 0, or take the video out of the set."
            )
        return SetClip(name, frames[: wanted or None], fps)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGES and not is_animated(path)


def set_of_clips(clips: Sequence[torch.Tensor], settings: SetSettings, frames_per_video: int, fps: float):
    """A set of wired clips (F, H, W, C); frames_per_video: F of each of several videos in one batch, 0 = one.

    Raises ValueError where a batch is not a whole number of videos.
    """
    parts = []
    for number, clip in enumerate(clips):
        length = frames_per_video or len(clip)
        if len(clip) % length:
            raise ValueError(
                f"clip {number + 1} has {len(clip)} frames, no whole number of videos of"
                f" frames_per_video={length}; correct frames_per_video."
            )
        parts += clip.split(length)
    return VideoSet("the wired clips", tuple(parts), settings, fps)


def set_of_folder(folder: str, settings: SetSettings) -> tuple[VideoSet, str]:
    """The set of a folder of ComfyUI's input or output folder, and a sentence on what is in it."""
    if message := missing_set_message(folder):
        raise ValueError(message)
    return set_below(Path(folder_paths.get_annotated_filepath(folder)), settings)


def set_below(path: Path, settings: SetSettings) -> tuple[VideoSet, str]:
    """`set_of_folder` by path; the path of a file is a set of one. Raises ValueError for an empty folder."""
    if path.is_file():
        return VideoSet(printable(path.name), (path,), settings), f"1 file, '{printable(path.name)}'"
    files, told = _files_in(path)
    return VideoSet(printable(path.name), tuple(files), settings), told


def _files_in(path: Path) -> tuple[list[Path], str]:
    """The videos of a folder, or where it has none its pictures."""
    try:
        videos = videos_in(path)
        pictures = images_in(path) if _has_pictures(path) else []
    except OSError as error:
        raise ValueError(
            f"the folder '{printable(path.name)}' cannot be read ({printable(error.strerror)}); check"
            " that it is"
            " there and who may read it."
        ) from None
    pictures = [picture for picture in pictures if picture not in set(videos)]
    if not videos and not pictures:
        raise ValueError(
            f"the folder '{printable(path.name)}' has neither videos nor pictures; choose another one."
        )
    if not videos:
        return pictures, f"{len(pictures)} pictures"
    left_out = f"; {len(pictures)} pictures beside them are not measured" if pictures else ""
    return videos, f"{len(videos)} videos{left_out}"


def _has_pictures(path: Path) -> bool:
    return any(entry.name.lower().endswith(tuple(IMAGES)) for entry in os.scandir(path))


def list_sets() -> list[str]:
    """Folders of ComfyUI's input and output folder with files that look like videos or pictures."""
    found = []
    for root, mark in (
        (folder_paths.get_input_directory(), ""),
        (folder_paths.get_output_directory(), OUTPUT),
    ):
        for folder, below, names in os.walk(root):
            below[:] = sorted(name for name in below if not name.startswith("."))
            if Path(folder) != Path(root) and any(_may_be_measured(name) for name in names):
                found.append(Path(folder).relative_to(root).as_posix() + mark)
    return found


def _may_be_measured(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEOS | IMAGES


def missing_set_message(folder: str | None) -> str:
    """What to tell a person whose folder is not there or not allowed; empty when it is, or comes by a
    link.
    """
    if folder is None:
        return ""
    if folder_paths.exists_annotated_filepath(folder) and os.path.isdir(
        folder_paths.get_annotated_filepath(folder)
    ):
        return ""
    return (
        f"'{printable(folder)}' is no folder of ComfyUI's input folder (or, with [output] behind its"
        " name, of its"
        " output folder); put the videos there and press R to refresh the list."
    )


def set_state(folder: str | None) -> str:
    """Changes when a file of the folder does."""
    if folder is None or missing_set_message(folder):
        return ""
    path = Path(folder_paths.get_annotated_filepath(folder))
    files = sorted(entry.path for entry in os.scandir(path) if entry.is_file())
    states = "\n".join(file_state(Path(file)) for file in files)
    return hashlib.sha256(states.encode("utf8", "surrogateescape")).hexdigest()
