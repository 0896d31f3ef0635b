"""The worked examples at the heads of dense functions say what the functions do."""

import doctest
import importlib

import pytest
from zoetrope.tests.places import ROOT

LIBRARIES = ("frame_tools", "motion_modules", "samplers", "shapes", "video_io")
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for library in LIBRARIES
    for path in sorted(ROOT.glob(f"{library}*"))
    for path in ([path] if path.is_file() else sorted(path.rglob("*.py")))
    if ">>> " in path.read_text(encoding="utf8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_what_happens(name):
    found = doctest.testmod(importlib.import_module(f"zoetrope.{name}"))
    assert found.attempted and not found.failed


def test_dense_modules_have_examples():
    assert {"samplers.context_schedules", "samplers.context_fusion", "shapes"} <= set(MODULES)
