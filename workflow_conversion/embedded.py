"""Finds the workflow in a file: JSON as it is, or inside of an image or video that a ComfyUI node wrote.

PNG keeps texts in chunks of their own (W3C PNG, third edition). WebP, MP4, WebM and others hold them as they
are, each under a name of its own, so that they are found by their first letters. Only the standard library.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any

from ..foreign_text import printable
from .prompts import is_prompt
from .read_ui import is_ui_workflow

PNG = b"\x89PNG\r\n\x1a\n"
TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
KINDS = {"workflow": is_ui_workflow, "prompt": is_prompt}
MOST_TEXT = 64 * 2**20
"""Bytes of one text; larger ones are not read."""
MOST_TRIES = 200
"""Places in a file that are read as JSON; a file with more of them is not what a node saved."""
_BEGINNING = re.compile(rb'\{\s*"[^"\\\x00-\x1f]{1,64}"\s*:\s*[\[{"0-9]')
_NEEDED = re.compile(rb'"class_type"|"nodes"|\\"nodes\\"|\\"class_type\\"')


def read_workflow(content: bytes, name: str = "this file") -> Any:
    """The workflow or prompt in the bytes of a file; of a file with both, the workflow.

    Raises ValueError with a sentence for a file in which none is.
    """
    name = printable(name)
    if not content.strip():
        raise ValueError(f"{name} is empty; give a .json that ComfyUI saves.")
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _read_json(content, name)
    found = _find(_png_texts(content) if content.startswith(PNG) else _texts_inside(content))
    if found is None:
        raise ValueError(
            f"{name} has no workflow in it that can be read; the node that saved it left it out, or a program"
            " that changed the file. Give the .json."
        )
    return found


def _read_json(content: bytes, name: str) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(f"{name} is no text in UTF-8; save it from ComfyUI again.") from None
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply for a workflow; save it from ComfyUI again.") from None
    except ValueError as error:
        raise ValueError(f"{name} is no JSON: {printable(str(error))}; save it from ComfyUI again.") from None


def _find(texts: Iterator[tuple[str, Any]]) -> Any:
    found: dict[str, Any] = {}
    for _, data in texts:
        for part in (data, *(data.get(kind) for kind in KINDS)) if isinstance(data, dict) else ():
            part = _parsed(part) if isinstance(part, str) else part
            for kind, fits in KINDS.items():
                if kind not in found and fits(part):
                    found[kind] = part
        if "workflow" in found:
            break
    return found.get("workflow", found.get("prompt"))


def _png_texts(content: bytes) -> Iterator[tuple[str, Any]]:
    at = len(PNG)
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        at += 12 + size
        if kind in TEXTS and size < MOST_TEXT:
            key, _, rest = body.partition(b"\0")
            try:
                yield key.decode("latin-1"), _parsed(_chunk_text(kind, rest))
            except (zlib.error, UnicodeDecodeError, ValueError):
                continue


def _chunk_text(kind: bytes, rest: bytes) -> str:
    if kind == b"tEXt":
        try:
            return rest.decode("utf-8")
        except UnicodeDecodeError:
            return rest.decode("latin-1")
    if kind == b"zTXt":
        return zlib.decompressobj().decompress(rest[1:], MOST_TEXT).decode("latin-1")
    is_packed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    return (zlib.decompressobj().decompress(text, MOST_TEXT) if is_packed else text).decode("utf-8")


def _texts_inside(content: bytes) -> Iterator[tuple[str, Any]]:
    """Every JSON object in the bytes that may be a workflow; each is tried once."""
    end = 0
    if not _NEEDED.search(content):
        return
    tries = 0
    for match in _BEGINNING.finditer(content):
        if match.start() < end:
            continue
        tries += 1
        if tries > MOST_TRIES:
            return
        most = match.start() + MOST_TEXT
        ends = content.find(b"\0", match.start(), most)
        text = content[match.start() : most if ends < 0 else ends].decode("utf-8", "replace")
        try:
            data, length = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            continue
        end = match.start() + len(text[:length].encode("utf-8", "replace"))
        yield "", data


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
