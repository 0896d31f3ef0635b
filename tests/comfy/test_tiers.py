"""The report of several tiers, in a small project of three:
times and numbers of tests, and the end after a failed first tier.
"""

import re
import subprocess
import sys

import pytest

from ..places import ROOT

CONFTEST = """
import importlib.util

spec = importlib.util.spec_from_file_location("tiers", {path!r})
tiers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiers)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(tiers.TierReport())
"""
PROCESSES = [(), ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")]


def run_project(folder, options, bare, comfy="def test_slow(): pass\n"):
    """Runs a project with these tests in tests/bare and tests/comfy and returns what pytest said."""
    for tier, content in (("bare", bare), ("comfy", comfy)):
        (folder / "tests" / tier).mkdir(parents=True)
        (folder / "tests" / tier / f"test_{tier}.py").write_text(content)
    (folder / "tests" / "conftest.py").write_text(CONFTEST.format(path=str(ROOT / "tests" / "tiers.py")))
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *options,
        "tests/bare",
        "tests/comfy",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("options", PROCESSES, ids=["one_process", "two_processes"])
def test_every_tier_is_counted_and_the_last_line_is_pytests(tmp_path, options):
    done = run_project(tmp_path, options, "def test_one(): pass\ndef test_two(): pass\n")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" tests in ")[0] for line in lines if " tests in " in line] == [
        "tests/bare: 2",
        "tests/comfy: 1",
    ]
    assert lines[-1].startswith("3 passed in ")


@pytest.mark.parametrize("options", PROCESSES, ids=["one_process", "two_processes"])
def test_a_failed_first_tier_ends_the_run(tmp_path, options):
    slow = (
        "import time\nimport pytest\n\n@pytest.mark.parametrize('i', range(300))\ndef test_slow(i):\n   "
        " time.sleep(0.2)\n"
    )
    done = run_project(tmp_path, options, "def test_one(): assert False\n", slow)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "tests/bare failed, so the slower tests were left out" in done.stdout
    counts = re.match(r"1 failed(?:, (\d+) passed)? in ", done.stdout.splitlines()[-1])
    assert int(counts[1] or 0) < 300


def test_a_failed_later_tier_does_not_end_it(tmp_path):
    broken = "def test_broken(): assert False\ndef test_whole(): pass\n"
    done = run_project(tmp_path, (), "def test_one(): pass\n", broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 failed, 2 passed in ")
