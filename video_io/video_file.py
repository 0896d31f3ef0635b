"""A video file that is there only when it is whole: written under a temporary name and renamed at the end."""

from __future__ import annotations

import contextlib
import errno
import uuid
from pathlib import Path

import torch
from PIL import Image

from ..foreign_text import printable
from .encode import EncodeSettings, VideoEncoder
from .file_metadata import add_texts, write_picture


class VideoFile:
    """Writes frames to `folder/stem.<extension of the format>`; a context manager.

    When the block is left by an exception (a cancelled run, a full disk), nothing remains of the file. texts: name -> text, kept in the
    file as the front end reads them; formats in which it looks for none get a PNG of the first frame beside them that carries the texts.
    with_alpha: frames come with opacity. audio: as VideoEncoder takes it."""

    def __init__(
        self, folder: Path, stem: str, settings: EncodeSettings, with_alpha: bool = False, audio: dict | None = None,
        texts: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.format = settings.check(with_alpha, audio is not None)
        self.path = Path(folder) / f"{stem}.{self.format.extension}"
        self.sidecar = self.path.with_suffix(".png") if self.format.sidecar else None
        self._texts = texts or {}
        self._part = self.path.with_name(f".{uuid.uuid4().hex}.part")
        self._picture = None
        try:
            self._encoder = VideoEncoder(str(self._part), settings, with_alpha, audio, self._texts)
        except BaseException:
            self._part.unlink(missing_ok=True)
            raise

    def __enter__(self) -> VideoFile:
        return self

    def write(self, frame: torch.Tensor, alpha: torch.Tensor | None = None) -> None:
        """Adds a frame (H, W, 3), values 0..1, with its opacity (H, W). Raises ValueError for frames of another size, OSError as a full
        disk does."""
        if self._picture is None and self.sidecar is not None:
            parts = [frame[..., :3]] if alpha is None else [frame[..., :3], alpha[..., None]]
            pixels = torch.cat([part.detach().float().cpu() for part in parts], -1).nan_to_num().clamp(0, 1)
            self._picture = Image.fromarray((pixels * 255).round().byte().numpy())
        with _full_disk_named(self.path):
            self._encoder.write(frame, alpha)

    def __exit__(self, kind, error, trace) -> None:
        try:
            if error is None:
                with _full_disk_named(self.path):
                    self._finish()
        finally:
            with contextlib.suppress(OSError):  # the file is thrown away, and a full disk cannot take its end
                self._encoder.abandon()
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        self._encoder.finish()
        add_texts(self._part, self.format.extension, self._texts)
        if self.sidecar is not None:
            part = self._part.with_suffix(".png")
            try:
                write_picture(part, self._picture, self._texts)
                part.replace(self.sidecar)
            finally:
                part.unlink(missing_ok=True)
        try:
            self._part.replace(self.path)
        except OSError:
            if self.sidecar is not None:
                self.sidecar.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _full_disk_named(path: Path):
    """What the system says of a full disk, with what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(
                error.errno, f"'{printable(path.name)}' could not be written whole, because there is no room left in "
                f"'{printable(path.parent.name)}'; "
                f"free some, write fewer frames, or choose a higher crf. Nothing remains of the file"
            ) from error  # fmt: skip
        raise
