"""The program behind `python dev.py convert OLD`: a workflow of other packs' nodes becomes one of ours and
ComfyUI's own. docs/conversion.md says what it does with which node.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..devtools import paths
from ..devtools.base_folder import make_demo_base
from ..devtools.comfyui import find_comfyui
from ..devtools.ending import Stop
from ..devtools.progress import say
from ..devtools.server import ComfyServer
from ..foreign_text import printable
from ..workflow_conversion.convert import convert
from ..workflow_conversion.embedded import read_workflow


def main(arguments: list[str]) -> None:
    """Reads the command line and converts. Ends the program with a sentence where that fails."""
    parser = argparse.ArgumentParser(prog="dev.py convert", description=__doc__)
    parser.add_argument("old", type=Path, help="a .json, or an image or video with a workflow in it")
    parser.add_argument("-o", type=Path, metavar="NEW.json", help="where it is written; beside the old one")
    parser.add_argument("--report", type=Path, metavar="REPORT.json", help="what was done with each node")
    options = parser.parse_args(arguments)
    try:
        convert_file(options.old, options.o, options.report)
    except Stop as stop:
        sys.exit(f"\n{stop}")


def convert_file(old: Path, new: Path | None = None, told: Path | None = None) -> None:
    """Converts a file. A file that has nothing to convert is written only where `new` asks for it, byte for
    byte. Raises Stop where a file cannot be read or written, or is no workflow.
    """
    content, data = read(old)
    target = new or beside(old)
    made, report = convert(data, object_info())
    if report.trouble:
        raise Stop(f"{printable(old.name)} was not converted: {report.trouble}")
    if report.changed or new:
        write(target, written(made, content) if report.changed or not is_json(content) else content)
    if told:
        write(told, json.dumps(report.as_json(), indent=2, ensure_ascii=False).encode())
    say(report.note() if report.remarks else report.summary())
    if report.changed or new:
        say(f"Written: {target}")


def read(path: Path) -> tuple[bytes, Any]:
    """(bytes, workflow) of a file. Raises Stop with a sentence."""
    try:
        content = path.read_bytes()
        return content, read_workflow(content, path.name)
    except OSError as error:
        raise Stop(f"{printable(str(path))} cannot be read: {error.strerror}.") from None
    except ValueError as trouble:
        raise Stop(f"{printable(path.name)} was not converted: {trouble}") from None


def beside(old: Path) -> Path:
    """A name beside the old file that no file has."""
    for number in range(1, 1000):
        more = f" {number}" if number > 1 else ""
        path = old.with_name(f"{old.stem} (Zoetrope{more}).json")
        if not path.exists():
            return path
    raise Stop(f"there are 999 conversions of {printable(old.name)} already; name one with -o.")


def is_json(content: bytes) -> bool:
    """Whether a file's bytes are JSON, and not an image or a video."""
    return content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def written(data: Any, content: bytes) -> bytes:
    """JSON in the form of the file that it came from: its line breaks, its way to write other letters."""
    is_spread = is_json(content) and b"\n" in content.strip()
    is_ascii = is_json(content) and content.isascii() and b"\\u" in content
    separators = None if is_spread else (",", ":")
    return json.dumps(
        data, indent=2 if is_spread else None, separators=separators, ensure_ascii=is_ascii
    ).encode("utf-8", "surrogatepass")


def write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all. Raises Stop."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError as error:
        raise Stop(f"{printable(str(path))} cannot be written: {error.strerror}.") from None


def object_info() -> dict[str, Any]:
    """What ComfyUI says about its nodes and ours, asked of a server once for each state of the code."""
    comfyui = find_comfyui()
    kept, state = paths.HOME / "object_info.json", state_of(comfyui)
    try:
        known = json.loads(kept.read_text(encoding="utf8"))
        if known["state"] == state:
            return known["nodes"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    say("Asking ComfyUI about its nodes ...")
    log = paths.HOME / "logs" / "convert.log"
    server = ComfyServer(sys.executable, comfyui, make_demo_base(), log=log)
    try:
        server.start()
        nodes = server.object_info()
    finally:
        server.stop()
    write(kept, json.dumps({"state": state, "nodes": nodes}).encode())
    return nodes


def state_of(comfyui: Path) -> list[Any]:
    """Changes with ComfyUI's version and with every change of our nodes."""
    sources = [*(paths.ROOT / "nodes").rglob("*.py"), *(paths.ROOT / "host").rglob("*.py")]
    version = comfyui / "comfyui_version.py"
    newest = max(path.stat().st_mtime for path in sources)
    return [
        str(comfyui),
        version.read_text(encoding="utf8") if version.is_file() else "",
        len(sources),
        newest,
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
