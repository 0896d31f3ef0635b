"""The plain model and the motion module that the tests of this folder share."""

import pytest
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module


@pytest.fixture(scope="module")
def plain():
    return golden_model()


@pytest.fixture(scope="module")
def module():
    return motion_module("v3")
