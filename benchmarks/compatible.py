"""Old seeds of AnimateDiff-Evolved: our latents against those that were recorded from that pack.

Every recorded run for which this pack has the same setting, at full size on a CPU. A difference is the
largest of one latent; the latents have an rms of 100 to 170.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object {case: {difference, tolerance}} as the last line."""
    from ..tests.networks.evolved_cases import CASES, Networks, difference

    parser = argparse.ArgumentParser(prog="bench compatible", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="these cases (all)")
    options = parser.parse_args(arguments)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        networks = Networks(Path(folder))
        for name in options.only:
            found[name] = {"difference": difference(name, networks), "tolerance": CASES[name].strict}
            if not options.json:
                wrong = "" if found[name]["difference"] <= CASES[name].strict else "   DIFFERS"
                print(f"{name:40} {found[name]['difference']:.2e}{wrong}", flush=True)
    if options.json:
        print(json.dumps(found))
    return found
