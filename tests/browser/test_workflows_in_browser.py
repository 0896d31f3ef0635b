"""Every example workflow in ComfyUI's real front end: dropped on the canvas, run with the Run button, its video on the screen."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from zoetrope.tests.comfy import standins, video_workflow_standins

dev = sys.modules["zoetrope_dev"]
HERE = Path(__file__).resolve().parent
# Show-1's text encoder, T5-XXL, is too large for a test.
WORKFLOWS = [
    path for path in sorted((dev.ROOT / "example_workflows").glob("*.json"))
    if video_workflow_standins.SHOW1_TEXT not in path.read_text(encoding="utf8")
]  # fmt: skip
ARTEFACTS = Path(os.environ.get("ZOETROPE_ARTEFACTS", dev.HOME / "artefacts"))


def drive(server, workflow, out, seconds=600, **options):
    """Runs a workflow in headless Chromium and returns what the page showed; screenshots go to the folder `out`."""
    shutil.rmtree(out, ignore_errors=True)
    trouble = dev.browser_trouble()
    if trouble:
        pytest.fail(f"The browser tests cannot run: {trouble}.", pytrace=False)
    task = {"url": server.url, "chromium": dev.find_chromium(), "workflow": str(workflow), "out": str(out), "seconds": seconds, **options}
    environment = {"NODE_PATH": str(dev.HOME / "node" / "node_modules"), **os.environ}
    command = ["node", str(HERE / "drive.cjs"), json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=seconds + 240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check(result):
    assert result["loaded"]["missing"] == []
    assert result["ended"]["end"] == "execution_success", result["ended"]
    assert result["pageErrors"] == []
    assert result["missingFiles"] == []
    shown = [video for video in result["videos"] if video["shown"] and video["duration"] > 0 and video["width"] > 0]
    assert shown, result["videos"]
    return shown


def test_front_end_runs_a_workflow_of_core_nodes(comfy_server):
    result = drive(comfy_server, HERE / "grey_video.json", ARTEFACTS / "grey_video")
    (video,) = check(result)
    assert (video["width"], video["height"]) == (64, 96)
    assert video["duration"] == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_example_workflow(comfy_server, workflow, tmp_path):
    content = workflow.read_text(encoding="utf8")
    shrink = (video_workflow_standins if "ZoetropeLoadVideoModel" in content else standins).shrink
    small = tmp_path / workflow.name
    small.write_text(json.dumps(shrink(json.loads(content))), encoding="utf8")
    check(drive(comfy_server, small, ARTEFACTS / workflow.stem))
