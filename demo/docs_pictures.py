"""Makes the pictures of README.md and docs/, which lie in docs/pictures.

    python dev.py run demo.docs_pictures [strip|front_end|curves]

The strip is sampled in this process. The others are photographed in ComfyUI's front end, which needs what the
browser tests need: Chromium and Node.js. `python dev.py test browser` sets up the rest. The curves of
docs/cluster_scale.md are simulated with costs that are measured before, so that they differ a little.
"""

from __future__ import annotations

import argparse
import pathlib

from .screenshots import front_end, photograph_plan, photograph_previews, photograph_workflow
from .strip import make_strip

FOLDER = pathlib.Path(__file__).parents[1] / "docs" / "pictures"


def strip() -> None:
    make_strip(FOLDER / "with_and_without.webp")


def photographs() -> None:
    with front_end() as browser:
        photograph_plan(browser, FOLDER / "context_plan.png")
        previews = photograph_workflow(browser, FOLDER / "workflow.png")
        photograph_previews(browser, previews, FOLDER / "live_preview.webp")


def curves() -> None:
    from ..benchmarks.cluster_model import main as bench

    bench(["--plot", str(FOLDER / "cluster_scale.png")])


PARTS = {"strip": strip, "front_end": photographs, "curves": curves}


def main() -> None:
    parser = argparse.ArgumentParser(prog="run demo.docs_pictures", description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", choices=PARTS, help="one part instead of all")
    part = parser.parse_args().part
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in [part] if part else PARTS:
        PARTS[name]()
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
