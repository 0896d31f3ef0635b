"""What the first, the middle and the last frame of a clip say: how it looks, how much text is in it, what a
CLIP and an aesthetic head make of it.

Letters: H height, W width, D size of a feature.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from PIL import Image, ImageDraw

from ..extras import missing
from ..rows import Row, part_of
from ..videos import SmallFrames
from .look import ClipLook, ClipView, Measure

LARGEST = 1024  # pixels of the longer side at which frames are looked at
PREVIEW, QUALITY = 256, 80  # pixels of the longer side of a preview's pictures; of JPEG
LOOK = (16, 9)  # pixels of the picture whose values say how a clip looks
OCR = {"Det.limit_type": "max", "Det.unclip_ratio": 1.0, "Det.box_thresh": 0.7, "Global.text_score": 0.7}


class Features(Protocol):
    """A CLIP as curation needs it. Rows of the results have the length 1."""

    def setup(self) -> None:
        """Loads it, once in each worker."""

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures (H, W, 3), uint8, as features (n, D)."""

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as features (n, D) in the space of the pictures'."""


PictureScore = Callable[[Sequence[np.ndarray]], Row]
"""What becomes columns of three pictures (H, W, 3), uint8."""


class Pictures(Measure):
    """Gives the scores' columns, `look` (for near duplicates), and writes `folder`/<2 digits>/<id>.jpg.

    scores: each with `setup()` and a call as PictureScore. previews: where pictures go; None = nowhere.
    """

    def __init__(self, scores: Sequence = (), previews: Path | None = None) -> None:
        self.scores, self.previews = list(scores), previews

    def setup(self) -> None:
        for score in self.scores:
            score.setup()

    def begin(self, clip: ClipView) -> ClipLook:
        """The look at one clip."""
        return _PicturesLook(self, clip)


class _PicturesLook(ClipLook):
    def __init__(self, measure: Pictures, clip: ClipView) -> None:
        self.measure, self.clip, self.small = measure, clip, SmallFrames()
        self.places = {0: None, clip.num_frames // 2: None, clip.num_frames - 1: None}

    def see(self, place: int, frame: av.VideoFrame) -> None:
        if place in self.places:
            self.places[place] = self.small.shown(frame, LARGEST, self.clip.aspect)

    def result(self) -> Row:
        pictures = list(self.places.values())
        pictures = [pictures[min(place, len(pictures) - 1)] for place in range(3)]
        found: Row = {"look": pack(look_of(pictures))}
        for score in self.measure.scores:
            found |= score(pictures)
        if self.measure.previews is not None:
            write_preview(preview_path(self.measure.previews, self.clip.row["id"]), pictures)
        return found


def preview_path(folder: Path, clip: str) -> Path:
    """Where the preview of a clip lies."""
    return folder / clip[:2] / f"{clip}.jpg"


def write_preview(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """Pictures side by side as a JPEG that is there only when it is whole."""
    images = [Image.fromarray(picture) for picture in pictures]
    for image in images:
        image.thumbnail((PREVIEW, PREVIEW))
    sheet = Image.new("RGB", (sum(image.width for image in images), images[0].height))
    left = 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=QUALITY)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        part.write_bytes(buffer.getvalue())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def look_of(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """A vector of length 1 that is alike for clips that look alike: their tiny pictures, less the mean."""
    tiny = [np.asarray(Image.fromarray(picture).resize(LOOK, Image.Resampling.BOX)) for picture in pictures]
    values = np.stack(tiny).astype(np.float32).reshape(-1)
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def pack(values: np.ndarray) -> str:
    """Numbers as text for a row: base64 of their float16."""
    return base64.b64encode(np.asarray(values, "<f2").tobytes()).decode()


def unpack(text: str) -> np.ndarray:
    """The numbers of `pack`, float32."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)


class TextArea:
    """`text_area`: the share of the picture that text covers, 0..1, of the fullest of three frames.

    By rapidocr: boxes of its detector in which its recogniser can read something. side: pixels of the longer
    side at which it looks. Raises ValueError in `setup` where the package is missing.
    """

    def __init__(self, side: int = 480) -> None:
        self.side, self.engine = side, None

    def setup(self) -> None:
        """Loads the network, which comes with the package."""
        try:
            import onnxruntime  # noqa: F401, rapidocr does not ask for it
            from rapidocr import RapidOCR
        except ImportError as error:
            raise missing("the area of text", "rapidocr", "onnxruntime", "opencv-python-headless") from error
        threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1}
        quiet = {"Global.log_level": "error", "Det.limit_side_len": self.side}
        self.engine = RapidOCR(params=OCR | threads | quiet)

    def __call__(self, pictures: Sequence[np.ndarray]) -> Row:
        return {"text_area": round(max(map(self.area, pictures)), 5)}

    def area(self, picture: np.ndarray) -> float:
        """The share of one picture that the union of all boxes covers."""
        found = self.engine(
            np.ascontiguousarray(picture[..., ::-1]), use_det=True, use_cls=False, use_rec=True
        )
        mask = Image.new("1", (picture.shape[1], picture.shape[0]))
        draw = ImageDraw.Draw(mask)
        for box in [] if found.boxes is None else found.boxes:
            draw.polygon([tuple(map(float, corner)) for corner in box], fill=1)
        return float(np.asarray(mask).mean())


class ClipScores:
    """`features` of the three pictures by a CLIP, and `aesthetic` where there is a head.

    aesthetic: a function of features (n, D) to n scores, with `setup()`."""

    def __init__(self, clip: Features, aesthetic=None) -> None:
        self.clip, self.aesthetic = clip, aesthetic

    def setup(self) -> None:
        """Loads both."""
        self.clip.setup()
        if self.aesthetic is not None:
            self.aesthetic.setup()

    def __call__(self, pictures: Sequence[np.ndarray]) -> Row:
        features = self.clip.images(pictures)
        found: Row = {"features": [pack(feature) for feature in features]}
        if self.aesthetic is not None:
            found["aesthetic"] = round(float(np.mean(self.aesthetic(features))), 5)
        return found
