"""What a file really is that lies under a model's name:
told by its first bytes, before it is read as a model.

Source of the marks: the file formats' own descriptions, as collected in the manual of `file` (magic(5)).
"""

from __future__ import annotations

import json
import os
import pickletools
import re
import zipfile

from ...foreign_text import printable

_HEAD = 4096  # bytes that are looked at
_LARGEST_HEADER = 100_000_000  # of a .safetensors file; the format's own limit
_LARGEST_PICKLE = 64 * 2**20  # bytes that are looked through
_AGAIN = "download the model itself"
_WEIGHTS = "download the .safetensors or .ckpt version"
_UNPACK = "unpack it and put the model that is in it here"

_MARKS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"GGUF", "a GGUF file, whose weights are packed for llama.cpp", _WEIGHTS),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture", _AGAIN),
    (0, b"\xff\xd8\xff", "a JPEG picture", _AGAIN),
    (0, b"GIF8", "a GIF picture", _AGAIN),
    (8, b"WEBP", "a WebP picture", _AGAIN),
    (0, b"II*\0", "a TIFF picture", _AGAIN),
    (0, b"MM\0*", "a TIFF picture", _AGAIN),
    (4, b"ftypavif", "an AVIF picture", _AGAIN),
    (4, b"ftypheic", "a HEIC picture", _AGAIN),
    (4, b"ftyp", "a video (MP4 or MOV)", _AGAIN),
    (0, b"\x1aE\xdf\xa3", "a video (MKV or WebM)", _AGAIN),
    (8, b"AVI ", "a video (AVI)", _AGAIN),
    (8, b"WAVE", "a sound file (WAV)", _AGAIN),
    (0, b"ID3", "a sound file (MP3)", _AGAIN),
    (0, b"OggS", "a sound file (Ogg)", _AGAIN),
    (0, b"fLaC", "a sound file (FLAC)", _AGAIN),
    (0, b"%PDF", "a PDF document", _AGAIN),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them", _WEIGHTS),
    (0, b"\x93NUMPY", "a NumPy array", _AGAIN),
    (4, b"TFL3", "a TensorFlow Lite model", _WEIGHTS),
    (0, b"MZ", "a program for Windows", _AGAIN),
    (0, b"\x7fELF", "a program for Linux", _AGAIN),
)
"""Place of the mark, mark, what the file is, what to do; more exact ones first."""

# The field ir_version, then another one.
_ONNX = re.compile(rb"\x08[\x01-\x20](\x12[\x01-\x40][\w.\- ]|\x1a[\x00-\x20]|\x3a|\x42)", re.DOTALL)
_WEB_PAGE = re.compile(
    rb"\s*<(!doctype html|html|head|body|script|\?xml[^>]*>\s*<(!doctype html|html))", re.IGNORECASE
)
_XML = re.compile(rb"\s*<(\?xml|[A-Za-z]+[\s>/])")


def other_kind(path: str) -> str:
    """What a file is that its name does not say, and what to do:
    "a web page saved as a file; ...". Empty where it may be a model.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    is_safetensors = _is_safetensors(head, size)
    if path.lower().endswith((".safetensors", ".sft")):
        if is_safetensors:
            return ""
        if _is_torch_file(path, head):
            return "a PyTorch file; rename it so that it ends with .ckpt"
    elif is_safetensors:
        return "a .safetensors file; rename it so that it ends with .safetensors"
    elif _is_torch_file(path, head):
        return ""
    return _by_marks(head) or _archive(path) or _text(head)


def cut_off(path: str) -> str:
    """What is missing of a model file whose download broke off;
    empty where nothing is, or where that cannot be known.
    """
    if path.lower().endswith((".safetensors", ".sft")):
        lacking = _missing_bytes(path)
        return f"at least {lacking} bytes are missing" if lacking else ""
    with open(path, "rb") as file:
        is_torch_zip = file.read(4) == b"PK\x03\x04"
    return "its end is missing" if is_torch_zip and not zipfile.is_zipfile(path) else ""


def _missing_bytes(path: str) -> int:
    """How many bytes a .safetensors file lacks at its end."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            return 0
        header = file.read(length)
    try:
        ends = [
            entry["data_offsets"][1] for key, entry in json.loads(header).items() if key != "__metadata__"
        ]
        return max(0, 8 + length + max(ends, default=0) - size)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return max(0, 8 + length - size)


def runs_code(path: str) -> bool:
    """Whether a PyTorch file holds a whole pickle;
    where torch refuses to read one, it holds more than tensors.
    """
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as file:
            return _is_whole_pickle(file.read(_LARGEST_PICKLE))
    with zipfile.ZipFile(path) as archive:
        held = next((entry for entry in archive.infolist() if entry.filename.endswith("data.pkl")), None)
        return held is not None and held.file_size <= _LARGEST_PICKLE and _is_whole_pickle(archive.read(held))


def _is_safetensors(head: bytes, size: int) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST_HEADER and size > 8


def _is_torch_file(path: str, head: bytes) -> bool:
    """A zip as torch writes it, also one that is cut off, or a pickle."""
    if head.startswith(b"PK\x03\x04"):
        names = _names_in(path)
        return names is None or (any(name.endswith("data.pkl") for name in names) and not _is_script(names))
    if head[:1] == b"\x80" and head[1:2] in (b"\1", b"\2", b"\3", b"\4", b"\5"):
        return True
    with open(path, "rb") as file:  # the oldest pickles are text
        return _is_whole_pickle(file.read(2**20))


def _is_whole_pickle(content: bytes) -> bool:
    try:
        return sum(1 for _ in pickletools.genops(content)) > 1
    except Exception:  # pickletools raises whatever the bytes lead it to
        return False


def _names_in(path: str) -> list[str] | None:
    """The names in a zip archive; None for what is none, or no whole one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return None


def _is_script(names: list[str]) -> bool:
    return any(name.endswith("constants.pkl") for name in names)


def _by_marks(head: bytes) -> str:
    for place, mark, what, remedy in _MARKS:
        if head[place : place + len(mark)] == mark:
            return f"{what}; {remedy}"
    if _ONNX.match(head) and len(head) > 64:
        return f"an ONNX model; {_WEIGHTS}"
    if len(head) >= 64 and not any(head):
        return "a file of zeros, a download that was never finished; download it again"
    return ""


def _archive(path: str) -> str:
    names = _names_in(path)
    if names is None:
        return ""
    if _is_script(names):
        return "a TorchScript archive, which is a program; download the file of its weights"
    held = f" of {len(names)} files ('{printable(names[0], 60)}')" if names else " without files"
    return f"a zip archive{held}; {_UNPACK}"


def _text(head: bytes) -> str:
    head = head.removeprefix(b"\xef\xbb\xbf")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "replace").encode()
    if head.startswith(b"version https://git-lfs"):
        return (
            "a Git LFS pointer, the address of the file instead of the file; run git lfs pull, or "
            "download it from its page"
        )
    if _WEB_PAGE.match(head) or re.search(rb"<html[\s>]", head[:1024], re.IGNORECASE):
        return (
            "a web page saved as a file; download the model from that page with its download button, logged"
            " in if it asks for that"
        )
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return ""
    text = head.decode("utf8", "ignore").strip()
    if len(text.encode()) < len(head.strip()) - 4:  # it was cut within a character at most
        return ""
    if _XML.match(head):
        return f"an XML text, mostly the error of a server ('{printable(text, 80)}'); {_AGAIN}"
    if text[:1] in ("{", "["):
        return f"a JSON text ('{printable(text, 60)}'); {_AGAIN}, which is much larger"
    return f"a text ('{printable(text, 80)}'); {_AGAIN}"
