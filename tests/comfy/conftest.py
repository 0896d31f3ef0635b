"""Lets the tests of this folder import ComfyUI in process, on the CPU, with a base folder of their own.

ComfyUI reads its options and folders while it is imported,
so this happens before pytest imports the first test module.
"""

from pathlib import Path

import pytest
from zoetrope.tests.comfy.server import comfy_models, comfy_server, comfyui_in_this_process  # noqa: F401

BASE = comfyui_in_this_process()


@pytest.fixture(scope="session")
def comfy_base() -> Path:
    """The base folder of the ComfyUI in this process:
    models/, input/, output/ (a server started by a test has its own).
    """
    return BASE
