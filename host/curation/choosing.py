"""*Filter Clips*, *Frames of Clips* and *Export Data Set*."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import comfy.utils
import folder_paths
import torch
from PIL import Image

from ...curation.export import CLIPS
from ...curation.histograms import Histogram, draw_histogram
from ...curation.job import PREVIEWS, WORK, Job
from ...curation.measures.pictures import preview_path
from ...curation.rows import ERROR, Row, is_open
from ...curation.runner import Curation
from ...curation.settings import Export, Keep
from ...curation.thresholds import SCORES, Chooser, Scale
from ...curation.videos import SmallFrames, probed
from ...foreign_text import printable
from ...frame_tools.labels import to_tensor
from ...frame_tools.resizing import resized
from ...video_io.decode import numbered_frames
from ..media.video import stop
from ..tuning.run_folders import named_folder
from .clip_set import FOLDER, KEPT, ClipSet, place_of

PLACES = ("input", "output")


def filtered(clips: ClipSet, keep: Keep) -> tuple[ClipSet, torch.Tensor]:
    """The clips, chosen, and the histograms of their scores as one picture (1, H, W, 3).

    Raises ValueError for a score that no clip has."""
    scale = Scale()
    for row in clips.kept:
        scale.see(row)
    thresholds = scale.thresholds(keep)
    chooser = Chooser(keep, thresholds, scale.values)
    before = {row["id"] for row in clips.kept}
    rows = tuple(map(chooser.choose, clips.rows))
    found = ClipSet(clips.folder, clips.settings, rows)
    return found, _histograms([row for row in rows if row.get("id") in before], thresholds, keep)


def _histograms(rows: list[Row], thresholds: dict[str, float], keep: Keep) -> torch.Tensor:
    pictures = []
    for score in SCORES:
        values = [(row[score], is_open(row)) for row in rows if score in row and ERROR not in row]
        histogram = Histogram.of(values)
        if histogram is not None:
            marks = [bounds[score] for bounds in (thresholds, keep.least, keep.most) if score in bounds]
            pictures.append(draw_histogram(histogram, score, marks))
    if not pictures:
        return torch.zeros(1, 64, 64, 3)
    sheet = Image.new("RGB", (pictures[0].width, sum(picture.height for picture in pictures)))
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    return to_tensor(sheet)[None]


def frames_of_clips(clips: ClipSet, count: int, side: int) -> list[torch.Tensor]:
    """Of each clip that is still in, `count` frames evenly spread, (count, H, W, 3), longer side `side`.

    Raises ValueError where no clip is left."""
    kept = clips.kept
    if not kept:
        raise ValueError(f"no clip is left: {clips.told()}.")
    bar, small, found = comfy.utils.ProgressBar(len(kept)), SmallFrames(), []
    for row in kept:
        stop()
        found.append(_frames(clips.folder / row["source"], row, count, side, small))
        bar.update(1)
    return found


def _frames(path: Path, row: Row, count: int, side: int, small: SmallFrames) -> torch.Tensor:
    probe, pictures = probed(path), []
    places = [row["first"] + (2 * i + 1) * row["frames"] // (2 * count) for i in range(count)]
    for place in places:
        for _, frame in numbered_frames(path, probe, place, place, stop):
            pictures.append(torch.from_numpy(small.shown(frame, side, probe.aspect)).float() / 255)
    if len(pictures) != count:
        raise ValueError(
            f"frames of the clip {row['id']} cannot be decoded; the file has changed or is damaged."
        )
    height, width = pictures[0].shape[:2]
    return torch.stack([picture if picture.shape[:2] == (height, width) else resized(picture, height, width)
                        for picture in pictures])  # fmt: skip


def data_set_folder(name: str, place: str) -> Path:
    """The folder of a data set in one of PLACES.

    Raises ValueError for a name that no folder can have, or that something else has."""
    roots = {"input": (Path(folder_paths.get_input_directory()), ""),
             "output": (Path(folder_paths.get_output_directory()), FOLDER)}  # fmt: skip
    root, parent = roots[place]
    out = named_folder(name, parent, "data_set_name", root)
    if out is None or out.name == KEPT:
        raise ValueError(f"data_set_name must name a folder, and not {KEPT}; type a name.")
    if os.path.lexists(out) and not (out / WORK / "chosen.jsonl").is_file() and not _is_empty(out):
        raise ValueError(
            f"'{printable(name)}' is there already and no data set of this node; choose another name."
        )
    return out


def _is_empty(folder: Path) -> bool:
    """Whether this is a real folder with nothing in it, or with what a run that was stopped has begun."""
    return (
        folder.is_dir()
        and not folder.is_symlink()
        and {path.name for path in folder.iterdir()} <= {WORK, PREVIEWS}
    )


def exported(
    clips: ClipSet, name: str, place: str, caption: str = "", webdataset: bool = False, **export
) -> tuple[str, str]:
    """Writes a data set: the folder of its clips, and what was written, in words.

    caption: of clips without one. export: fields of Export. Raises ValueError for a name that cannot be taken
    and where no clip is left."""
    out = data_set_folder(name, place)
    if not clips.kept:
        raise ValueError(f"no clip is left: {clips.told()}.")
    formats = ["pairs", "webdataset"] if webdataset else ["pairs"]
    settings = dataclasses.replace(clips.settings, export=Export(formats=formats, **export))
    _copy_previews(place_of(clips.folder) / PREVIEWS, out / PREVIEWS, clips.rows)
    bars: dict[str, comfy.utils.ProgressBar] = {}

    def told(what: str, done: int, total: int, more: str) -> None:
        if total:
            bars.setdefault(what, comfy.utils.ProgressBar(total)).update_absolute(done)

    rows = [{"caption": caption, **row} if caption and is_open(row) else row for row in clips.rows]
    finished = Curation(Job(clips.folder, out, settings, stop), 0, told).run_chosen(rows)
    return str(out / CLIPS), "\n".join(finished.counts.lines())


def _copy_previews(source: Path, target: Path, rows: tuple[Row, ...]) -> None:
    for row in rows:
        file = preview_path(source, row["id"]) if "id" in row else None
        if file is not None and file.exists():
            goal = preview_path(target, row["id"])
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, goal)
