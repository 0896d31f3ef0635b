"""Frames that come one after the other to a video file in output/,
with the workflow in it and what the editor shows of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import comfy.utils
import torch
from comfy.cli_args import args
from comfy_api.latest import InputImpl, io, ui

from ...video_io.encode import EncodeSettings
from ...video_io.file_metadata import to_text
from ...video_io.formats import AUTO, VideoFormat, available_formats
from ...video_io.frame_size import Size
from ...video_io.play_order import in_play_order, played_count
from ...video_io.video_file import VideoFile
from ..files.output_names import next_name

USUAL_CRF = -1.0
"""What a node shows for the crf that is usual for the format."""
FORMAT_NAMES = tuple(available_formats())
PIX_FMTS = (
    AUTO,
    *dict.fromkeys(pix_fmt for entry in available_formats().values() for pix_fmt in entry.pix_fmts),
)

Frames = Callable[[bool], Iterator[tuple[torch.Tensor, torch.Tensor | None]]]
"""frames(backward) -> each frame (H, W, 3) with its opacity (H, W) or None."""


@dataclass(frozen=True)
class SaveRequest:
    """What a person asks of a file. loop_count: animated pictures store how often they play (0 = for ever);
    video files cannot, so that there the frames are written as often (0 and 1 = once). save_output: False is
    for looking at, in temp/, which ComfyUI empties. trim_to_audio: the video ends with its sound.
    hardware_encoder: on the graphics card, where it can.

    Raises ValueError for a format that is not there, and for settings that it does not take.
    """

    filename_prefix: str
    fps: float
    format: str
    crf: float = USUAL_CRF
    pix_fmt: str = AUTO
    ping_pong: bool = False
    loop_count: int = 0
    save_output: bool = True
    save_metadata: bool = True
    trim_to_audio: bool = False
    hardware_encoder: bool = False
    hidden: object | None = None  # of the node: prompt and extra_pnginfo
    settings: EncodeSettings = field(init=False)  # how the file is encoded, from the others

    def __post_init__(self) -> None:
        crf = None if self.crf == USUAL_CRF else self.crf
        settings = EncodeSettings(
            self.format, self.fps, crf, self.pix_fmt, self.loop_count, self.hardware_encoder
        )
        object.__setattr__(self, "settings", settings)

    @property
    def repeats(self) -> int:
        """How often the frames are written."""
        return 1 if self.settings.entry.loop is not None else max(1, self.loop_count)


@dataclass(frozen=True)
class SavedVideo:
    """A finished file: VIDEO for further nodes, and what the editor shows."""

    path: Path
    video: object
    ui: object


def save_video(
    frames: Frames,
    count: int,
    size: Size,
    request: SaveRequest,
    audio: dict | None = None,
    with_alpha: bool = False,
    progress: Callable[[], None] | None = None,
) -> SavedVideo:
    """Writes `count` frames of `size` as they come,
    in the wanted order, under the next free name in output/.

    progress is called after every frame, by default the node's progress bar, which raises when the run is
    cancelled. Raises ValueError for settings that the format does not take and names outside output/; nothing
    remains of a file that is not finished.
    """
    request.settings.check(with_alpha, audio is not None)
    folder, stem, subfolder = next_name(request.filename_prefix, size, request.save_output)
    played = played_count(count, request.ping_pong, request.repeats)
    if request.trim_to_audio and audio is not None:
        played = min(played, frames_of_sound(audio, request.fps))
    if progress is None:
        bar = comfy.utils.ProgressBar(played)
        progress = lambda: bar.update(1)  # noqa: E731
    texts = workflow_texts(request.hidden) if request.save_metadata else {}
    with VideoFile(folder, stem, request.settings, with_alpha, audio, texts) as file:
        in_order = in_play_order(frames, count, request.ping_pong, request.repeats)
        for frame, alpha in itertools.islice(in_order, played):
            file.write(frame, alpha)
            progress()
    place = io.FolderType.output if request.save_output else io.FolderType.temp
    shown = _shown(file, subfolder, file.format, place)
    return SavedVideo(file.path, InputImpl.VideoFromFile(str(file.path)), shown)


def frames_of_sound(audio: dict, fps: float) -> int:
    """How many frames last as long as a sound, {"waveform": (B, C, samples), "sample_rate"}; one at least."""
    seconds = audio["waveform"].shape[-1] / audio["sample_rate"]
    return max(1, math.ceil(seconds * fps - 1e-6))


def workflow_texts(hidden) -> dict[str, str]:
    """Prompt and workflow of the node that runs, as files keep them;
    nothing where ComfyUI was started with --disable-metadata.
    """
    if args.disable_metadata or hidden is None:
        return {}
    more = hidden.extra_pnginfo or {}
    found = {"prompt": hidden.prompt, **(more if isinstance(more, dict) else {"extra_pnginfo": more})}
    return {name: to_text(value) for name, value in found.items() if value is not None}


def _shown(file: VideoFile, subfolder: str, entry: VideoFormat, place: io.FolderType):
    """A browser plays mp4 and webm as video, shows pictures, and cannot play the rest:
    there it sees the first frame.
    """
    saved = ui.SavedResult(file.path.name, subfolder, place)
    if entry.played_as == "video":
        return ui.PreviewVideo([saved])
    if entry.played_as == "image":
        return ui.SavedImages(
            [saved], is_animated=entry.extension != "gif"
        )  # the editor would take an animated GIF for a video
    return ui.SavedImages([ui.SavedResult(file.sidecar.name, subfolder, place)])


def save_images(
    images: torch.Tensor, mask: torch.Tensor | None, audio: dict | None, request: SaveRequest
) -> SavedVideo:
    """IMAGE (F, H, W, 3 or 4) and MASK (F or 1, H, W), 1 = transparent, to a
    file. Without a mask the fourth channel is the opacity, where the format
    keeps it. Raises ValueError for no frames and masks of another number.
    """
    count, height, width = images.shape[:3]
    if not count:
        raise ValueError("a video needs at least one frame; 0 were given.")
    if mask is not None and len(mask) not in (1, count):
        raise ValueError(
            f"there are {len(mask)} masks for {count} frames; give one for each, or one for all."
        )
    if mask is not None and mask.shape[1:] != (height, width):
        mask = torch.nn.functional.interpolate(mask[:, None], (height, width), mode="bilinear")[:, 0]
    four = mask is None and images.shape[-1] == 4 and request.settings.entry.alpha_pix_fmt is not None

    def frames(backward: bool):
        for number in reversed(range(count)) if backward else range(count):
            alpha = images[number, ..., 3] if four else None
            if mask is not None:
                alpha = 1 - mask[number if len(mask) > 1 else 0]
            yield images[number], alpha

    return save_video(frames, count, Size(width, height), request, audio, four or mask is not None)
