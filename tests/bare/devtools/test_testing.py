"""`dev.py test`: which tests are chosen, what is set up for them, and what is said at the end."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from zoetrope.devtools import browser, paths, testing
from zoetrope.devtools.ending import Stop
from zoetrope.devtools.setup import Environment

ALL_TIERS = "bare, video, comfy, browser"
ALL_PATHS = ["tests/bare", "tests/video", "tests/comfy", "tests/browser"]


def test_browser_tier_says_what_is_missing(home, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "no Chromium" in browser.browser_trouble()
    with pytest.raises(Stop, match="The browser tier cannot run: there is no Chromium"):
        testing.run_tests(["browser"])
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "chromium" else None)
    assert "no Node.js" in browser.browser_trouble()


@pytest.fixture
def runs(home, monkeypatch):
    """Lets run_tests do all but set up and run: a list of (what was set up, pytest's command)."""
    for name in ("bare/test_x.py", "comfy/host/test_y.py", "browser/test_z.py"):
        file = paths.ROOT / "tests" / name
        file.parent.mkdir(parents=True)
        file.touch()
    (paths.ROOT / "demo").mkdir()
    made, ran = [], []
    place = Environment(Path(sys.executable), None)
    monkeypatch.setattr(testing, "browser_trouble", lambda: "")
    monkeypatch.setattr(testing, "find_chromium", lambda: "chromium")
    monkeypatch.setattr(testing, "prepare", lambda **asked: made.append(asked) or place)
    monkeypatch.setattr(testing, "limits", lambda *ignored: [])
    monkeypatch.setattr(
        testing, "run_visibly", lambda command, environment: ran.append((made[-1], command)) or 0
    )
    return ran


ONE_FILE, ONE_TEST = "tests/bare/test_x.py", "tests/bare/test_x.py::test_a[b/c]"


@pytest.mark.parametrize(
    ("arguments", "comfy", "browser", "named", "said"),
    [
        ([], True, True, ALL_PATHS, ALL_TIERS),
        (["bare"], False, False, ["tests/bare"], "bare"),
        (["video"], False, False, ["tests/video"], "video"),
        (["comfy", "bare"], True, False, ["tests/comfy", "tests/bare"], "comfy, bare"),
        ([ONE_FILE], False, False, [ONE_FILE], ONE_FILE),
        ([ONE_TEST], False, False, [ONE_TEST], ONE_TEST),
        (
            ["tests/comfy/host", "tests/bare"],
            True,
            False,
            ["tests/comfy/host", "tests/bare"],
            "tests/comfy/host, tests/bare",
        ),
        (
            ["-x", "tests/browser/test_z.py"],
            True,
            True,
            ["tests/browser/test_z.py"],
            "tests/browser/test_z.py",
        ),
        (["tests"], True, True, ["tests"], "tests"),
        (["bare", "-k", "demo"], False, False, ["tests/bare"], "bare -k 'demo'"),  # a folder has that name
        (["-k", "odd or even"], True, True, ALL_PATHS, f"{ALL_TIERS} -k 'odd or even'"),
    ],
)
def test_what_the_chosen_tests_need_is_set_up_and_the_end_says_what_ran(
    runs, capsys, arguments, comfy, browser, named, said
):
    assert testing.run_tests(arguments) == 0
    ((made, command),) = runs
    assert made == {"comfy": comfy, "browser": browser, "curation": True}
    assert [argument for argument in command if argument in named] == named
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Running the tests: {said}."
    assert re.sub(r"\d+:\d\d", "TIME", lines[-1]) == f"Passed after TIME: {said}."


def test_a_path_that_is_not_there_is_named(runs):
    wanted = rf"There is no tests/bare/test_w.py in .*; name a tier \({ALL_TIERS}\), a file or a folder"
    with pytest.raises(Stop, match=wanted):
        testing.run_tests(["tests/bare/test_w.py::test_a"])
    assert runs == []


def test_browser_tests_are_left_out_where_there_is_no_browser_unless_nothing_else_was_chosen(
    runs, monkeypatch, capsys
):
    monkeypatch.setattr(testing, "browser_trouble", lambda: "there is no Chromium")
    assert testing.run_tests(["tests"]) == 0
    ((made, command),) = runs
    assert made == {"comfy": True, "browser": False, "curation": True} and "--ignore=tests/browser" in command
    assert "The browser tests were left out: there is no Chromium." in capsys.readouterr().out
    assert testing.run_tests(["tests/bare"]) == 0
    assert "left out" not in capsys.readouterr().out
    with pytest.raises(Stop, match="The browser tier cannot run"):
        testing.run_tests(["tests/browser/test_z.py"])


@pytest.mark.parametrize(("status", "word"), [(0, "Passed"), (1, "FAILED"), (5, "No test was chosen")])
def test_the_last_line_says_how_it_ended(runs, monkeypatch, capsys, status, word):
    monkeypatch.setattr(testing, "run_visibly", lambda command, environment: status)
    assert testing.run_tests(["bare"]) == status
    assert re.fullmatch(rf"{word} after \d+:\d\d: bare\.", capsys.readouterr().out.splitlines()[-1])


SHARED = ["-n", str(testing.TEST_PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"]


@pytest.mark.parametrize(
    ("arguments", "named", "shared"),
    [
        ([], [], True),
        (["-k", "not slow", "tests/bare"], ["tests/bare"], True),
        (["dev.py", "README.md"], ["dev.py", "README.md"], True),
        (["dev.py::test_x"], ["dev.py::test_x"], False),
        (["-n0"], [], False),
        (["--pdb"], [], False),
        (["-s"], [], False),
    ],
)
def test_tests_are_shared_by_processes_unless_they_are_one_file_or_watched(arguments, named, shared):
    wanted = [f"--timeout={testing.TEST_SECONDS}"] + (SHARED if shared else [])
    assert testing.limits(sys.executable, arguments, named) == wanted


def test_an_interpreter_without_the_runner_tests_in_one_process(tmp_path, capsys):
    environment = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert testing.limits(python, [], []) == []
    assert "no pytest_timeout and no xdist" in capsys.readouterr().out
