"""What making and editing videos without a motion module comes to on the tiny trained family, in sections."""

from __future__ import annotations

import argparse
import json

SECTIONS = ("text2video_zero", "inversion", "round_trip")
"""Modules beside this one, each with measure(family, count) -> its numbers."""


def main(arguments: list[str]) -> dict:
    """Prints a line for each number, or with --json one object {section: numbers}; returns that object."""
    parser = argparse.ArgumentParser(prog="bench editing", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--count", type=int, default=12, help="videos in each section (12)")
    parser.add_argument("--only", choices=SECTIONS, help="one section instead of all")
    options = parser.parse_args(arguments)
    result = run(options.count, (options.only,) if options.only else SECTIONS)
    if options.json:
        print(json.dumps(result))
    else:
        for section, numbers in result.items():
            for key, value in numbers.items():
                print(f"  {section}.{key:24} {value}")
    return result


def run(count: int, sections: tuple[str, ...] = SECTIONS) -> dict:
    """The numbers of each section, of `count` videos."""
    from importlib import import_module

    from ..demo import play

    family = play.load_family()
    return {name: import_module(f".{name}", __package__).measure(family, count) for name in sections}
