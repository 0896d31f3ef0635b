"""A video file that is there only when it is whole: until then it has the name of a part."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from ..foreign_text import printable
from .encode import EncodeSettings, VideoEncoder
from .file_metadata import add_texts, write_image
from .file_names import check_length, numbered
from .part_file import PartFile, remove_left_over_parts

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class VideoFile:
    """Writes frames to `folder/stem.<extension of the format>`; a context manager.

    No file is ever replaced: where that name is taken, or another run writes to it, it is counted on
    (x_00001_ becomes x_00002_, x becomes x_00001_), so that `path` is final behind the block. When the block
    is left by an exception (a cancelled run, a full disk), nothing remains of the file.
    texts: name -> text, kept in the file as the front end reads them; formats in which it looks for none get
    a PNG of the first frame beside them that carries the texts. with_alpha: frames come with opacity. audio:
    as VideoEncoder takes it.
    Raises ValueError for a name or folder that cannot be written to, before the first frame."""

    def __init__(
        self,
        folder: Path,
        stem: str,
        settings: EncodeSettings,
        with_alpha: bool = False,
        audio: dict | None = None,
        texts: dict[str, str] | None = None,
    ) -> None:
        self.format = settings.entry
        self._folder = Path(folder)
        self._texts = texts or {}
        self._image = None
        self._stems = numbered(stem)
        with _explained(self._folder):
            remove_left_over_parts(self._folder)
            self._part = self._reserve()
        self._further: list[PartFile] = []  # kept later, where another program took the first name
        try:
            self._encoder = VideoEncoder(self._part.file, settings, with_alpha, audio, self._texts)
        except BaseException:
            self._part.discard()
            raise

    def _reserve(self) -> PartFile:
        """A part for the next name that is free; `path` and `sidecar` become what it will be called."""
        while True:
            stem = next(self._stems)
            self.path = self._folder / f"{stem}.{self.format.extension}"
            self.sidecar = self.path.with_name(f"{stem}.png") if self.format.sidecar else None
            names = [path for path in (self.path, self.sidecar) if path is not None]
            for path in names:
                check_length(self._folder, path.name)
            if any(map(os.path.lexists, names)):
                continue
            part = PartFile.reserve(self._folder, stem)
            if part is None:
                continue
            if not any(map(os.path.lexists, names)):  # it may have been finished just before
                return part
            part.discard()

    def __enter__(self) -> VideoFile:
        return self

    def write(self, frame: torch.Tensor, alpha: torch.Tensor | None = None) -> None:
        """Adds a frame (H, W, 3), values 0..1, with its opacity (H, W). Raises ValueError for frames of
        another size, OSError as a full disk does.
        """
        if self._image is None and self.sidecar is not None:
            parts = [frame[..., :3]] if alpha is None else [frame[..., :3], alpha[..., None]]
            pixels = torch.cat([part.detach().float().cpu() for part in parts], -1).nan_to_num().clamp(0, 1)
            self._image = Image.fromarray((pixels * 255).round().byte().numpy())
        with _explained(self._folder):
            self._encoder.write(frame, alpha)

    def __exit__(self, kind, error, trace) -> None:
        try:
            if error is None:
                with _explained(self._folder):
                    self._finish()
        finally:
            for part in (self._part, *self._further):
                part.discard()
            with contextlib.suppress(OSError):  # the file is gone, and the container cannot write its end
                self._encoder.abandon()

    def _finish(self) -> None:
        self._encoder.finish()
        self._part.file.flush()
        add_texts(self._part.path, self.format.extension, self._texts)
        self._part.sync()
        with self._sidecar_part() as sidecar:
            while not self._publish(sidecar):  # another program has made a file of that name meanwhile
                self._further.append(self._reserve())

    @contextlib.contextmanager
    def _sidecar_part(self) -> Iterator[PartFile | None]:
        """The picture beside the file, written; None where the format has none."""
        if self.sidecar is None:
            yield None
            return
        part = PartFile.reserve(self._folder, self._part.path.name, ".png")
        if part is None:
            raise RuntimeError(f"the picture beside {self._part.path.name} is written by another process")
        try:
            write_image(part.path, self._image, self._texts)
            part.sync()
            yield part
        finally:
            part.discard()

    def _publish(self, sidecar: PartFile | None) -> bool:
        """Gives both files their names, or none."""
        if sidecar is not None and not sidecar.publish(self.sidecar):
            return False
        done = False
        try:
            done = self._part.publish(self.path)
        finally:
            if sidecar is not None and not done:
                sidecar.withdraw(self.sidecar)
        return done


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """What the system says of a folder or disk, with what to do: OSError for a full one, else ValueError."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise OSError(
                error.errno,
                "the file could not be written whole, because there is no room left in"
                f" '{printable(folder.name)}'; free some, write fewer frames, or choose a higher crf. Nothing"
                " remains of the file",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR):
            raise ValueError(
                f"the folder '{printable(folder.name)}' cannot be written to ({printable(error.strerror)}); "
                "choose another one in filename_prefix, or let ComfyUI write there."
            ) from error
        raise
