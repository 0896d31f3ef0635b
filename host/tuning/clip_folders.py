"""A folder of videos with a text beside each, as clips to train on; latents are encoded once.

The layout is what captioning tools and the published trainers share: `cat.mp4` and `cat.txt`.
Letters: F frames of a clip, C channels, h, w latent size.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import InputImpl, Types
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ...foreign_text import printable
from ...video_io.frame_plan import FrameRequest
from ...video_io.frame_size import SizeRequest
from ...video_io.image_files import is_animated, take_animation
from ..media.image_sources import file_state
from ..media.video import FrameOptions, stop
from ..media.video_folders import has_videos, videos_in
from ..media.video_latents import video_latents
from .clips import TrainingClips, add_clip
from .fingerprints import weights_fingerprint
from .run_folders import FOLDER

LATENTS = "latents"
"""Folder below output/training where encoded videos are kept."""
CHUNK = 8
"""Frames that are decoded and encoded at a time."""
LISTED = 8
"""Most names in a message."""


@dataclass(frozen=True)
class FolderSettings:
    """What is taken of each video of a folder.

    num_frames: F. frame_rate: frames a second, 0 = all of the file's. width, height: pixels; frames are
    scaled and cut to them. clips_per_video: clips one after the other from its beginning, 0 = as many as it
    holds. caption: of videos without a text file. weight: factor of the clips' loss. Raises ValueError for F
    below 2.
    """

    num_frames: int = 16
    frame_rate: float = 8.0
    width: int = 512
    height: int = 512
    clips_per_video: int = 1
    caption: str = ""
    weight: float = 1.0

    def __post_init__(self):
        if self.num_frames < 2:
            raise ValueError(f"num_frames={self.num_frames} must be at least 2; 16 are usual.")

    @property
    def frames(self) -> FrameOptions:
        """Which frames of a file are decoded, and how large."""
        most = self.num_frames * self.clips_per_video
        request = FrameRequest(force_rate=self.frame_rate, frame_cap=most)
        return FrameOptions(request, SizeRequest(self.width, self.height, "crop", 8))


def list_clip_folders() -> list[str]:
    """The folders of ComfyUI's input folder that hold videos, by their names."""
    root = Path(folder_paths.get_input_directory())
    return [name for name in folder_paths.get_input_subfolders() if has_videos(root / name)]


def missing_folder_message(folder: str | None) -> str:
    """What to tell a person whose folder is not there; empty when it is, or comes over a link."""
    if folder is None:
        return ""
    path = Path(folder_paths.get_input_directory()) / folder
    if folder_paths.is_within_directory(folder_paths.get_input_directory(), str(path)) and path.is_dir():
        return ""
    return (
        f"'{printable(folder)}' is no folder of ComfyUI's input folder; put the folder of videos there and"
        " press R to refresh the list."
    )


def folder_state(folder: str | None) -> str:
    """Changes when a video or a text of the folder does."""
    if folder is None or missing_folder_message(folder):
        return ""
    path = Path(folder_paths.get_input_directory()) / folder
    files = [file for video in videos_in(path) for file in (video, video.with_suffix(".txt"))]
    return hashlib.sha256("\n".join(map(file_state, files)).encode("utf8", "surrogateescape")).hexdigest()


def clips_of_folder(
    folder: str, vae, clip, settings: FolderSettings, before: TrainingClips | None = None
) -> tuple[TrainingClips, str]:
    """The clips before, and those of a folder of ComfyUI's input folder with their texts; and a sentence that
    names what is odd.

    Raises ValueError for a folder that is not there or gives no clip, and for a text that is not UTF-8.
    """
    if message := missing_folder_message(folder):
        raise ValueError(message)
    path = Path(folder_paths.get_input_directory()) / folder
    for file in (file for video in videos_in(path) for file in (video, video.with_suffix(".txt"))):
        if not folder_paths.is_within_directory(str(path), str(file)):
            raise ValueError(
                f"'{printable(file.name)}' in '{printable(folder)}' leads out of that folder; put the file"
                " itself there."
            )
    return clips_below(path, vae, clip, settings, before)


def clips_below(
    path: Path, vae, clip, settings: FolderSettings, before: TrainingClips | None = None
) -> tuple[TrainingClips, str]:
    """`clips_of_folder` by path, wherever the folder lies."""
    videos = videos_in(path)
    texts = [_caption(video) for video in videos]
    clips, short, unkept, model = before, [], "", _fingerprint_of(vae)
    for video, text in zip(videos, texts, strict=True):
        stop()
        latents, trouble = _latents(video, vae, settings, model)
        unkept = unkept or trouble
        if not len(latents):
            short.append(video.name)
            continue
        told = settings.caption if text is None else text
        positive = clip.encode_from_tokens_scheduled(clip.tokenize(told))
        for part in latents.split(settings.num_frames):
            clips = add_clip(clips, {"samples": part}, positive, video.name, settings.weight)
    found = len(clips or ()) - len(before or ())
    if not found:
        why = (
            f"each has fewer than num_frames={settings.num_frames} frames" if videos else "it holds no video"
        )
        raise ValueError(
            f"'{printable(path.name)}' gives no clip: {why}; lower num_frames, raise frame_rate, or add"
            " videos."
        )
    told = [f"{found} clips of {settings.num_frames} frames from {len(videos) - len(short)} videos"]
    untold = [video.name for video, text in zip(videos, texts, strict=True) if text is None]
    for what, names in (("too short and left out", short), ("without a text file", untold)):
        told += [f"{what}: {_listed(names)}"] if names else []
    told += [f"not kept for the next time: {unkept}"] if unkept else []
    return clips, "; ".join(told)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(map(printable, names[:LISTED])) + more


def _caption(video: Path) -> str | None:
    """The text beside a video; None where there is no file of it."""
    path = video.with_suffix(".txt")
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"'{printable(path.name)}' is not UTF-8 text (byte {error.start}); save it as UTF-8."
        ) from error


def _latents(video: Path, vae, settings: FolderSettings, model: str) -> tuple[torch.Tensor, str]:
    """The latents of a video's clips (clips * F, C, h, w), from where they are kept or encoded and kept; and
    why they could not be kept, or nothing.
    """
    state = (video.parent, file_state(video), model, {**vars(settings), "caption": "", "weight": 1})
    name = hashlib.sha256(repr(state).encode("utf8", "surrogateescape")).hexdigest()[:24]
    kept = Path(folder_paths.get_output_directory()) / FOLDER / LATENTS / f"{name}.safetensors"
    try:
        return load_file(kept)["latents"], ""
    except (OSError, SafetensorError, KeyError):
        pass  # not there, or not whole
    latents = _encoded(video, vae, settings)
    try:
        _keep(latents, kept)
    except (OSError, SafetensorError) as error:  # a full disk: they are encoded again next time
        return latents, printable(error, 200)
    return latents, ""


def _keep(latents: torch.Tensor, path: Path) -> None:
    """Writes latents whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        save_file({"latents": latents}, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _encoded(video: Path, vae, settings: FolderSettings) -> torch.Tensor:
    options = settings.frames
    source = InputImpl.VideoFromFile(str(video))
    if is_animated(video):
        found = take_animation(video, options.reading(lambda done, total: None))
        parts = Types.VideoComponents(images=found.frames, audio=None, frame_rate=1)
        source, options = InputImpl.VideoFromComponents(parts), FrameOptions(FrameRequest(), SizeRequest())
    try:
        latents = video_latents(source, vae, options, CHUNK).samples
    except ValueError as error:
        raise ValueError(f"'{printable(video.name)}': {printable(error)}") from error
    whole = len(latents) // settings.num_frames * settings.num_frames
    return latents[:whole].detach().float().cpu().contiguous()


def _fingerprint_of(vae) -> str:
    return weights_fingerprint(vae.first_stage_model.state_dict().items())
