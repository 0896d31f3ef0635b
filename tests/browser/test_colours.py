"""What the browser shows of our videos has the colours
of the frames (ComfyUI's own MP4 of this size is 39 of 255 off).
"""

import json
import os
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from zoetrope.devtools.browser import browser_trouble, find_chromium
from zoetrope.devtools.paths import HOME

HERE = Path(__file__).resolve().parent
COLOURS = [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 0),
    (128, 128, 128),
    (255, 255, 255),
    (230, 180, 150),
]


def test_colours_in_the_browser_are_those_of_the_frames(comfy_server):
    trouble = browser_trouble()
    if trouble:
        pytest.fail(f"The browser tests cannot run: {trouble}.", pytrace=False)
    graph = {}
    for i, (red, green, blue) in enumerate(COLOURS):
        colour = (red << 16) + (green << 8) + blue
        graph |= {
            f"{i}1": {
                "class_type": "EmptyImage",
                "inputs": {"width": 1280, "height": 720, "batch_size": 4, "color": colour},
            },
            f"{i}2": {
                "class_type": "ZoetropeCreateVideo",
                "inputs": {"images": [f"{i}1", 0], "fps": 8.0, "crf": 18.0},
            },
            f"{i}3": {
                "class_type": "SaveVideo",
                "inputs": {
                    "video": [f"{i}2", 0],
                    "filename_prefix": f"colour{i}",
                    "format": "auto",
                    "codec": "auto",
                },
            },
        }
    outputs = comfy_server.prompt(graph)["outputs"]
    urls = [
        f"{comfy_server.url}/view?" + urllib.parse.urlencode(outputs[f"{i}3"]["images"][0])
        for i in range(len(COLOURS))
    ]
    task = json.dumps({"chromium": find_chromium(), "urls": urls})
    environment = {"NODE_PATH": str(HOME / "node" / "node_modules"), **os.environ}
    done = subprocess.run(
        ["node", str(HERE / "colours.cjs"), task],
        capture_output=True,
        text=True,
        env=environment,
        timeout=540,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    errors = {
        want: max(abs(a - b) for a, b in zip(want, got, strict=True))
        for want, got in zip(COLOURS, shown, strict=True)
    }
    assert max(errors.values()) <= 12, list(zip(COLOURS, shown, strict=True))
