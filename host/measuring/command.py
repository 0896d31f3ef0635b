"""The program behind `python dev.py measure A [B]`: what the metric nodes do, without a browser.

A and B are videos or folders of videos or pictures; B is what A is compared with.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import comfy.clip_vision
import comfy.sd
import folder_paths

from ...foreign_text import printable
from ...frame_tools.labels import to_image
from ...frame_tools.score_pictures import draw_table
from ...metrics.metric import Score
from ...metrics.metrics import METRICS
from ..files.model_files import METRIC_NETWORKS, find_model_file, model_file_names, register_model_folders
from .measure import Instruments
from .networks import MetricNetwork, metric_network_from_file, missing_network_message
from .sets import measure_sets
from .tables import WRITERS, as_json, as_text, table_rows
from .video_sets import SetSettings, VideoSet, set_below

SOCKETS = {
    "inception": "inception",
    "i3d": "i3d",
    "aesthetic head": "aesthetic",
    "aesthetic head v2": "aesthetic",
}
PICTURE_WIDTH = 960


def measured(options: argparse.Namespace) -> list[Score]:
    """The scores that a command line asks for. Raises ValueError as the nodes do."""
    settings = SetSettings(options.num_frames, options.frame_rate)
    sets = [_set_of(path, settings) for path in (options.a, options.b) if path is not None]
    for video_set, told in sets:
        print(f"{video_set.name}: {told}", file=sys.stderr, flush=True)
    instruments = _instruments(options)
    names = " ".join(options.metrics.replace(",", " ").split())
    a, b = sets[0][0], sets[1][0] if len(sets) > 1 else None
    return measure_sets(a, b, names, instruments)


def _set_of(path: Path, settings: SetSettings) -> tuple[VideoSet, str]:
    if not path.exists():
        raise ValueError(f"'{printable(str(path))}' is not there; give the path of a video or of a folder.")
    return set_below(path, settings)


def _instruments(options: argparse.Namespace) -> Instruments:
    """The models that are named, and of models/metrics those that the metrics need."""
    given: dict = {"text": options.text}
    for network in _networks(options.networks):
        given.setdefault(SOCKETS.get(network.kind.name, network.kind.name), network)
    for field in ("clip_vision", "subject_vision"):
        if name := getattr(options, field):
            given[field] = comfy.clip_vision.load(_file(name, "clip_vision"))
            if given[field] is None:
                raise ValueError(f"'{printable(name)}' is no CLIP or DINO image encoder that ComfyUI knows.")
    if options.clip:
        path = _file(options.clip, "text_encoders")
        given["clip"] = comfy.sd.load_clip([path], clip_type=comfy.sd.CLIPType.STABLE_DIFFUSION)
    if options.optical_flow:
        from comfy_extras.nodes_void import OpticalFlowLoader

        _file(options.optical_flow, "optical_flow")
        given["optical_flow"] = OpticalFlowLoader.execute(options.optical_flow).args[0]
    return Instruments(**given)


def _networks(names: list[str] | None) -> Iterator[MetricNetwork]:
    """Those that are named, or all of models/metrics; of these a damaged one is told and left out."""
    for name in names or model_file_names(METRIC_NETWORKS):
        try:
            yield _network(name)
        except ValueError as error:
            if names:
                raise
            print(f"Left out: {printable(error, 600)}", file=sys.stderr, flush=True)


def _network(name: str) -> MetricNetwork:
    if os.path.isfile(name):
        return metric_network_from_file(name)
    if message := missing_network_message(name):
        raise ValueError(message)
    return metric_network_from_file(find_model_file(METRIC_NETWORKS, name))


def _file(name: str, key: str) -> str:
    """A file by its path, or by its name in a folder of ComfyUI's models."""
    if os.path.isfile(name):
        return name
    if (found := folder_paths.get_full_path(key, name)) is not None:
        return found
    raise ValueError(f"'{printable(name)}' is neither a file nor one of models/{key}; give its path.")


def write_results(scores: list[Score], path: Path) -> None:
    """Writes the scores as the file's ending says: .csv, .json, or a table as .png. ValueError for others."""
    kind = path.suffix.lower().removeprefix(".")
    if kind == "png":
        notes = [f"! {warning}" for score in scores for warning in score.warnings]
        table = draw_table(["value"], table_rows([scores]), list(dict.fromkeys(notes)), PICTURE_WIDTH)
        to_image(table[0]).save(path)
        return
    path.write_text(WRITERS[kind](["sets"], [scores]), encoding="utf8", errors="replace", newline="")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="dev.py measure",
        description="Scores of a video or a folder of videos or pictures, or of one against another.",
        epilog=f"metrics: {', '.join(METRICS)}",
    )
    parser.add_argument("a", type=Path, help="what is judged: a video, or a folder of videos or pictures")
    parser.add_argument("b", type=Path, nargs="?", help="what it is compared with")
    parser.add_argument("--metrics", default="", help="names with commas; without it all that fit")
    parser.add_argument("--num-frames", type=int, default=16, help="of each video; 0 = all (16)")
    parser.add_argument("--frame-rate", type=float, default=0.0, help="frames a second; 0 = as it is (0)")
    parser.add_argument(
        "--networks", nargs="+", help="files of Inception, I3D, an aesthetic head (all of models/metrics)"
    )
    parser.add_argument("--clip-vision", help="a CLIP image encoder, path or name in models/clip_vision")
    parser.add_argument("--clip", help="its text encoder, path or name in models/text_encoders")
    parser.add_argument("--text", default="", help="what should be seen")
    parser.add_argument("--subject-vision", help="DINOv2, path or name in models/clip_vision")
    parser.add_argument("--optical-flow", help="RAFT, a name in models/optical_flow")
    parser.add_argument("--out", type=Path, help="also write a .csv, .json or .png file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main(argv: list[str] | None = None) -> int:
    """0 = measured, 1 = could not be measured, 2 = wrong command line, 130 = stopped."""
    options = arguments().parse_args(argv)
    if options.out and options.out.suffix.lower() not in (".csv", ".json", ".png"):
        print(f"--out '{printable(options.out)}' must end with .csv, .json or .png.", file=sys.stderr)
        return 2
    register_model_folders()
    try:
        scores = measured(options)
        if options.out:
            write_results(scores, options.out)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (ValueError, RuntimeError, OSError) as error:
        print(printable(error, 1000), file=sys.stderr)
        return 1
    print(as_json(["sets"], [scores]) if options.json else as_text([printable(options.a.name)], [scores]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
