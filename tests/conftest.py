"""What all tests share: the package name `zoetrope` for this repository,
reproducible torch, and where ComfyUI is.

The tiers tests/comfy and tests/browser need a ComfyUI: the one that COMFYUI_PATH
names, the one this folder is installed in, or the copy that `python dev.py test`
fetches. Without one they are not collected, and the summary says so.
"""

import faulthandler
import importlib.util
import os
import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDS_COMFYUI = (ROOT / "tests" / "comfy", ROOT / "tests" / "browser")


def load_dev():
    """Returns dev.py as a module."""
    if "zoetrope_dev" not in sys.modules:
        spec = importlib.util.spec_from_file_location("zoetrope_dev", ROOT / "dev.py")
        sys.modules["zoetrope_dev"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["zoetrope_dev"]


dev = load_dev()
dev.import_pack_as("zoetrope")
from zoetrope.tests.tiers import TierReport, is_numeric  # noqa: E402

COMFYUI = dev.find_comfyui()


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "numeric: compares numbers that depend on the processor's kernels (tests/rounding.py)"
    )
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(TierReport(), "zoetrope-tiers")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Files of tests to processes as xdist does it, but all browser tests to one:
    two browsers on two cores draw pages for minutes.
    """
    from xdist.scheduler import LoadFileScheduling

    class OneBrowser(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    return OneBrowser(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Ends the worker of a test that pytest-timeout could not end, say in a deadlock of compiled code:
    a new one takes the rest.
    """
    limit = item.config.getoption("timeout", None)
    if limit and hasattr(item.config, "workerinput"):
        faulthandler.dump_traceback_later(limit + 300, exit=True)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_ignore_collect(collection_path):
    """Leaves out what needs ComfyUI where there is none."""
    if COMFYUI is None and any(collection_path.is_relative_to(folder) for folder in NEEDS_COMFYUI):
        return True
    return None


def pytest_collection_modifyitems(items):
    numeric = {path for path in {item.path for item in items} if is_numeric(path.read_text(encoding="utf8"))}
    for item in items:
        if item.path in numeric:
            item.add_marker("numeric")


def asked_for_comfyui(config):
    """Returns whether a path on pytest's command line holds tests that need ComfyUI, or lies among them."""
    paths = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    return any(
        folder.is_relative_to(path) or path.is_relative_to(folder)
        for folder in NEEDS_COMFYUI
        for path in paths
    )


def pytest_terminal_summary(terminalreporter):
    if COMFYUI is None and asked_for_comfyui(terminalreporter.config):
        terminalreporter.section("ComfyUI", sep="=", yellow=True)
        terminalreporter.line(
            "tests/comfy and tests/browser were NOT RUN: there is no ComfyUI. "
            "Set COMFYUI_PATH to a ComfyUI folder, or run: python dev.py test"
        )


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Another number of threads is another order of sums;
    and on a busy machine threads that wait for each other are slow.
    """
    import torch  # here, as the process that gives tests to others needs no torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


@pytest.fixture(autouse=True)
def seeded():
    """Starts every test from the same random numbers,
    and sees that none leaves a real-time thread to the others.
    """
    import torch

    random.seed(0)
    torch.manual_seed(0)
    yield
    if hasattr(os, "sched_getscheduler"):
        policy = os.sched_getscheduler(0)
        if policy in (os.SCHED_FIFO, os.SCHED_RR):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            pytest.fail(
                "this test left its thread with real-time priority, which slows everything else down; see"
                " thread_priority.py"
            )
