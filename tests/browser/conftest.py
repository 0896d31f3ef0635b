"""The server that the browser tests drive, with a stand-in for every file that the example workflows name."""

import pytest
from zoetrope.tests.comfy.server import comfy_server, comfyui_in_this_process, make_server_base  # noqa: F401

comfyui_in_this_process()  # the stand-ins are made of ComfyUI's own layers

from zoetrope.tests.browser.session import browser, chromium  # noqa: E402, F401
from zoetrope.tests.comfy import standins, video_workflow_standins  # noqa: E402


@pytest.fixture(scope="session")
def comfy_models(tmp_path_factory):
    base = make_server_base(tmp_path_factory)
    standins.put_standins(base / "models")
    video_workflow_standins.put_standins(base / "models")
    standins.put_inputs(base / "input")
    return base / "models"
