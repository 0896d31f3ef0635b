"""One sampling step with a motion module against one without: 16 frames, SD1.5, AnimateDiff v2 at full size.

With --before COMMIT the step is measured at another commit of this repository too. With --peer PATH a whole
run is measured in this pack and in AnimateDiff-Evolved: the most memory, and the time. Each side has
processes of its own; they take turns, so that other work on the machine hits both. Ratios are time with the
module / time without; those named cpu count the time of the processors, not that of the clock.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from ..devtools.paths import ROOT
from .step_times import FRAMES

ROWS = {
    "plain_seconds": "step without motion module, s",
    "motion_seconds": "step with motion module, s",
    "step_ratio": "ratio",
    "step_cpu_ratio": "ratio, cpu",
    "before_step_ratio": "ratio at that commit",
    "before_step_cpu_ratio": "ratio at that commit, cpu",
    "step_ratio_vs_before": "ratio / ratio at that commit",
    "step_cpu_ratio_vs_before": "ratio / ratio at that commit, cpu",
    "peak_mib": "most memory of a run, MiB",
    "peer_peak_mib": "most memory of a run, AnimateDiff-Evolved, MiB",
    "run_ratio": "ratio of whole runs",
    "peer_run_ratio": "ratio of whole runs, AnimateDiff-Evolved",
    "run_cpu_ratio": "ratio of whole runs, cpu",
    "peer_run_cpu_ratio": "ratio of whole runs, AnimateDiff-Evolved, cpu",
    "peer_difference": "largest difference of both packs' latents",
}
"""What the table says of each result."""


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object with keys of ROWS as the last line; returns that object."""
    parser = parser_of_options()
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = measure(Path(folder), options)
    except ValueError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps(result))
    else:
        print_table(result)
    return result


def parser_of_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench step", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--size", type=positive, default=128, help="picture width and height in pixels (128)")
    parser.add_argument(
        "--repeats", type=positive, default=3, help="measured steps of each kind and process (3)"
    )
    parser.add_argument("--before", metavar="COMMIT", help="compare with this commit of this repository")
    parser.add_argument(
        "--peer", metavar="PATH", type=full_path, help="folder of ComfyUI-AnimateDiff-Evolved (Linux)"
    )
    parser.add_argument(
        "--rounds", type=positive, default=3, help="processes of each side of a comparison (3)"
    )
    parser.add_argument("--steps", type=positive, default=2, help="sampling steps of a run with --peer (2)")
    return parser


def full_path(text: str) -> Path:
    return Path(text).resolve()


def positive(text: str) -> int:
    """A whole number of at least 1. Raises argparse's error for others."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, {text!r} is not")
    return int(text)


def measure(folder: Path, options: argparse.Namespace) -> dict:
    """Everything that the options ask for, with files below folder. Raises ValueError for COMMIT and PATH."""
    from .step_before import compare_with_commit, times_in
    from .step_peer import check_peer, compare_with_peer
    from .step_times import ratios

    if options.peer:
        check_peer(options.peer)
    if options.before:
        result = compare_with_commit(folder, options.before, options.size, options.repeats, options.rounds)
    else:
        # In a process of its own, whose memory is free again when servers of a peer run.
        result = ratios(times_in(ROOT, folder, options.size, options.repeats))
    result |= {"frames": FRAMES, "size": options.size, "repeats": options.repeats}
    if options.peer:
        result |= compare_with_peer(folder, options.peer, options.size, options.steps, options.rounds)
    return result


def print_table(result: dict) -> None:
    print(f"{FRAMES} frames of {result['size']} px, SD1.5 + AnimateDiff v2, full size; medians")
    if "before" in result:
        print(f"  that commit {result['before']:>63}")
    for key, title in ROWS.items():
        if key in result:
            print(f"  {title:52} {result[key]:10.4g}")
