"""*Describe Clips*: captioners of models/captioners, moved to the device by ComfyUI.

What they say of a clip is kept in output/curation, a file for each clip: a run that was stopped goes on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import comfy.model_management
import comfy.model_patcher
import comfy.utils
import folder_paths
import numpy as np
import torch

from ...curation.captioners import blip2, coca
from ...curation.captioners.captioner import Captioner, captioner_of
from ...curation.captioners.language_model import question
from ...curation.captions import SAID
from ...curation.measures.captions import DescribeClips
from ...curation.measures.look import MeasureClips
from ...curation.rows import ERROR, Row, is_open, read_rows, write_rows
from ...curation.settings import Captioners
from ...foreign_text import printable
from ..files.model_files import CAPTIONERS
from ..media.video import stop
from .clip_set import ClipSet, place_of

NONE = "none"
KEPT = "captions"


def captioner_names() -> list[str]:
    """What lies in models/captioners: folders of captioners, and files of weights."""
    return sorted(_listed())


def _listed() -> dict[str, Path]:
    found = {}
    for folder in folder_paths.get_folder_paths(CAPTIONERS):
        if not os.path.isdir(folder):
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                weights = path.suffix.lower() in folder_paths.supported_pt_extensions and entry.is_file()
                if weights or (entry.is_dir() and (blip2.is_blip2(path) or coca.is_coca(path))):
                    found.setdefault(entry.name, path)
    return found


def missing_captioner_message(name: str | None) -> str:
    """What to tell a person whose captioner is not there: its name, the folder and where people get it. Empty
    when it is, or none is wanted."""
    if name in (None, NONE) or name in _listed():
        return ""
    folders = " or ".join(map(printable, folder_paths.get_folder_paths(CAPTIONERS)))
    return (
        f"the captioner '{printable(name)}' was not found in {folders}; put its whole folder there and press"
        f" R. People get {blip2.PUBLISHED}, and for pictures {coca.PUBLISHED}."
    )


class _Loaded:
    """A captioner whose network ComfyUI moves to the device and back."""

    def __init__(self, captioner: Captioner) -> None:
        device = comfy.model_management.get_torch_device()
        half = comfy.model_management.should_use_fp16(device)
        captioner.setup(torch.float16 if half else torch.float32)
        self.captioner, self.network = captioner, captioner.network
        self.patcher = comfy.model_patcher.ModelPatcher(
            torch.nn.ModuleDict({"network": self.network}),  # ModelPatcher sets `device`
            load_device=device, offload_device=comfy.model_management.unet_offload_device(),
        )  # fmt: skip

    def __call__(self, pictures: Sequence[np.ndarray]) -> str:
        comfy.model_management.load_models_gpu([self.patcher])
        return self.captioner(pictures)


@dataclasses.dataclass(frozen=True)
class CaptionerChoice:
    """What a person chooses: two of captioner_names(), or NONE. frames, prompt: see Captioners.

    Raises ValueError where both are NONE."""

    image_captioner: str
    video_captioner: str
    frames: int
    prompt: str

    def __post_init__(self) -> None:
        if self.image_captioner == self.video_captioner == NONE:
            raise ValueError("there is no captioner; choose image_captioner, video_captioner or both.")


def described(clips: ClipSet, choice: CaptionerChoice) -> tuple[ClipSet, list[str]]:
    """The clips with captions, and for each that is still in a question that asks for one text of them.

    Raises ValueError for a captioner that is missing, damaged or takes no videos, and where no clip is left.
    """
    if not clips.kept:
        raise ValueError(f"no clip is left: {clips.told()}.")
    paths = map(_path, (choice.image_captioner, choice.video_captioner))
    rows = tuple(_described(clips, Captioners(*paths, choice.frames, choice.prompt)))
    found = dataclasses.replace(clips, rows=rows)
    if not found.kept:
        raise ValueError(f"no clip could be described: {found.told()}.")
    asked = [question(row.get("image_caption", ""), row.get("video_caption", "")) for row in found.kept]
    return found, asked


def _path(name: str) -> str:
    if message := missing_captioner_message(name):
        raise ValueError(message)
    return "" if name == NONE else str(_listed()[name])


def _described(clips: ClipSet, settings: Captioners) -> Iterator[Row]:
    folder = place_of(clips.folder) / KEPT / _fingerprint(settings)
    bar = comfy.utils.ProgressBar(len(clips.kept))
    stage = None
    for row in clips.rows:
        if not is_open(row):
            yield row
            continue
        stop()
        file = folder / row["id"][:2] / f"{row['id']}.jsonl"
        if not file.exists():
            stage = stage or _stage(clips.folder, settings)
            (made,) = stage([row])
            if ERROR in made:
                yield made
                continue
            write_rows(file, [{name: made[name] for name in SAID if name in made}])
        said = next(read_rows(file))
        text = next((said[name] for name in SAID if name in said), "")
        yield row | said | ({"caption": text} if text else {})
        bar.update(1)


def _stage(folder: Path, settings: Captioners) -> MeasureClips:
    """Loads the captioners; one network where both are the same."""
    video = captioner_of(settings.video, settings.prompt, of_videos=True) if settings.video else None
    video = _Loaded(video) if video is not None else None
    if settings.image and settings.image != settings.video:
        image = _Loaded(captioner_of(settings.image, settings.prompt))
    else:
        image = video if settings.image else None
    return MeasureClips(folder, [DescribeClips(image, video, settings.frames)], stop, "captioners")


def _fingerprint(settings: Captioners) -> str:
    """Changes with the settings and with the files of the captioners."""
    told = [repr(settings)]
    for place in filter(None, (settings.image, settings.video)):
        path = Path(place)
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            state = file.stat()
            told.append(f"{file.name} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode("utf8", "surrogatepass")).hexdigest()[:12]
