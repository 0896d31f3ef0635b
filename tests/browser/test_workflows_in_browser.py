"""Every example workflow in ComfyUI's real front end: dropped on the canvas, and run with the Run button
until its video is shown.
"""

import json
from pathlib import Path

import pytest
from zoetrope.demo.workflow_api import to_api
from zoetrope.tests.browser.session import ARTEFACTS
from zoetrope.tests.comfy import standins, video_workflow_standins
from zoetrope.tests.comfy.test_workflows import is_of_video_system
from zoetrope.tests.places import ROOT

HERE = Path(__file__).resolve().parent
WORKFLOWS = {path.stem: path for path in sorted((ROOT / "example_workflows").glob("*.json"))}
# The others have text and image encoders of full size.
# What the front end sends for them is what tests/comfy runs over HTTP.
RUN = [name for name in WORKFLOWS if any(part in name for part in ("AnimateDiff", "Demo", "ModelScope"))]


def shrunk(path):
    workflow = json.loads(path.read_text(encoding="utf8"))
    return (video_workflow_standins if is_of_video_system(workflow) else standins).shrink(workflow)


def open_workflow(browser, workflow, folder):
    file = folder / "workflow.json"
    file.write_text(json.dumps(workflow), encoding="utf8")
    found = browser.drop(file=str(file), nodes=len(workflow["nodes"]))
    assert found["types"] and found["missing"] == []


def run(browser, name):
    browser.screenshot(file=str(ARTEFACTS / name / "loaded.png"))
    ended = browser.run(seconds=400)
    assert ended["end"] == "execution_success", ended
    shown = [
        video for video in browser.videos() if video["shown"] and video["duration"] > 0 and video["width"] > 0
    ]
    browser.screenshot(file=str(ARTEFACTS / name / "done.png"))
    assert browser.troubles() == []
    assert shown
    return shown


@pytest.fixture(scope="module")
def object_info(comfy_server):
    return comfy_server.object_info()


def test_front_end_runs_a_workflow_of_core_nodes(browser, tmp_path):
    open_workflow(browser, json.loads((HERE / "grey_video.json").read_text(encoding="utf8")), tmp_path)
    (video,) = run(browser, "grey_video")
    assert (video["width"], video["height"]) == (64, 96)
    assert video["duration"] == pytest.approx(2, abs=0.2)


def without_titles(graph):
    """The graph without what the front end adds for itself:
    titles, and the widget that Load Video shows the video in.
    """
    return {
        number: {
            "class_type": node["class_type"],
            "inputs": {k: v for k, v in node["inputs"].items() if k != "video-preview"},
        }
        for number, node in graph.items()
    }


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_front_end_sends_what_the_tests_run(name, browser, object_info, tmp_path):
    """The graph that the front end makes of the file is that of demo/workflow_api.py,
    with which tests/comfy runs the workflows.
    """
    workflow = json.loads(WORKFLOWS[name].read_text(encoding="utf8"))
    open_workflow(browser, workflow, tmp_path)
    assert without_titles(browser.prompt()) == without_titles(to_api(workflow, object_info))
    assert browser.troubles() == []


@pytest.mark.parametrize("name", RUN)
def test_example_workflow_runs(name, browser, tmp_path):
    open_workflow(browser, shrunk(WORKFLOWS[name]), tmp_path)
    run(browser, name)
