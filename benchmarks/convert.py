"""Every workflow below a folder, converted: how many become free of other packs' video nodes.

Each is converted in memory, twice, and what comes out is checked against the nodes of this ComfyUI. The files
are only read.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

SUFFIXES = {".json", ".png", ".webp", ".mp4", ".webm", ".mkv", ".mov", ".flac"}


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object {files, fully_freed, partly, failed, crashed, ...}."""
    from ..demo.convert_workflow import object_info

    parser = argparse.ArgumentParser(prog="bench convert", description=__doc__)
    parser.add_argument("folder", type=Path, help="where workflows lie, in files and folders")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--reasons", type=int, default=12, help="how many reasons are listed (12)")
    options = parser.parse_args(arguments)
    result = measure(options.folder, object_info(), options.reasons)
    print(json.dumps(result) if options.json else _table(result), flush=True)
    return result


def measure(folder: Path, nodes: dict, reasons: int = 12) -> dict:
    """fully_freed: files none of whose active nodes is left; equal_only: of these, those that differ in
    nothing. partly: others in which something was done. failed: files that could not be read. untouched:
    files without such nodes. invalid, not_idempotent: faults of the converter, which the file did not
    have. seconds: of converting alone.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    counts, why, seconds = Counter(), Counter(), 0.0
    for path in files:
        kind, took, told = _judge(path, nodes)
        counts.update(kind)
        why.update(told)
        seconds += took
    names = (
        "fully_freed", "equal_only", "partly", "left_whole", "failed", "crashed", "untouched", "invalid",
        "not_idempotent",
    )  # fmt: skip
    return {
        "files": len(files), **{name: counts[name] for name in names}, "seconds": round(seconds, 2),
        "reasons": dict(why.most_common(reasons)),
    }  # fmt: skip


def _judge(path: Path, nodes: dict) -> tuple[list[str], float, list[str]]:
    from ..workflow_conversion.checks import faults
    from ..workflow_conversion.convert import convert
    from ..workflow_conversion.embedded import read_workflow

    started = time.perf_counter()
    try:
        try:
            data = read_workflow(path.read_bytes(), path.name)
        except ValueError:
            return ["failed"], time.perf_counter() - started, []
        made, report = convert(data, nodes)
        took = time.perf_counter() - started
        found = [_kind(report, data is made)]
        if found == ["fully_freed"] and not report.count("differs"):
            found.append("equal_only")
        if report.changed and set(faults(made, nodes)) - set(faults(data, nodes)):
            found.append("invalid")
        if convert(made, nodes)[0] != made:
            found.append("not_idempotent")
    except Exception:
        return ["crashed"], time.perf_counter() - started, []
    return found, took, [f"{r.grade}: {r.type}: {r.text}"[:160] for r in report.remarks if r.text]


def _kind(report: Any, is_same: bool) -> str:
    if report.trouble:
        return "failed"
    if not report.remarks:
        return "untouched"
    if report.is_free:
        return "fully_freed"
    return "left_whole" if is_same else "partly"


def _table(result: dict) -> str:
    lines = [f"{name:16} {value}" for name, value in result.items() if name != "reasons"]
    return "\n".join([*lines, *(f"{number:6} x {why}" for why, number in result["reasons"].items())])
