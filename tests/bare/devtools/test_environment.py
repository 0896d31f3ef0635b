"""The virtual environment, and what becomes of what pip and other programs say."""

import contextlib
import importlib.util
import sys

import pytest
from zoetrope.devtools import environment
from zoetrope.devtools.ending import Stop
from zoetrope.devtools.processes import run_logged


def test_python_without_pip(home, monkeypatch, progress):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Stop, match="no venv and no ensurepip; install it .*apt install python3"):
        environment.make_venv(progress, home / "log")


@pytest.mark.parametrize(
    ("says", "status", "is_half_done"),
    [
        ("Collecting x", 0, False),
        ("Collecting x", 1, False),
        ("Installing collected packages: x", 0, False),
        ("Installing collected packages: x", 1, True),
    ],
)
def test_pip_that_fails_while_it_copies_leaves_a_mark(
    home, monkeypatch, progress, says, status, is_half_done
):
    pip = [sys.executable, "-c", f"print({says!r}); raise SystemExit({status})"]
    monkeypatch.setattr(environment, "pip_command", lambda: pip)
    mark = home / "unfinished"
    with pytest.raises(Stop) if status else contextlib.nullcontext():
        environment.pip_install(["x"], progress, home / "log", mark)
    assert mark.exists() == is_half_done


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "ERROR: Could not install packages: [Errno 28] No space left on device",
            "is full; make room for 6 GB",
        ),
        (
            "WARNING: Retrying (total=4) after connection broken by 'NewConnectionError'",
            "run this again, it goes on",
        ),
        (
            "ERROR: No matching distribution found for torch",
            "pip failed: No matching distribution found for torch",
        ),
    ],
)
def test_what_pip_says_becomes_one_sentence(tmp_path, line, sentence):
    with pytest.raises(Stop, match=sentence):
        raise Stop(environment.pip_trouble(["Collecting torch", line], tmp_path / "log"))


def test_output_of_a_program_is_logged_and_its_status_returned(home, progress):
    command = [sys.executable, "-c", "print('one'); print(); print('two'); raise SystemExit(5)"]
    assert run_logged(command, home / "log", progress) == (5, ["one", "", "two"])
    assert "one\n\ntwo\n" in (home / "log").read_text()


def test_the_latest_line_that_says_something_is_shown(home, capsys, monkeypatch):
    shown = []
    teller = type("Teller", (), {"detail": lambda self, text: shown.append(text)})()
    command = [sys.executable, "-c", "print('Collecting torch'); print('  Created wheel')"]
    run_logged(command, home / "log", teller, environment._pip_activity)
    assert set(shown) - {""} == {"Collecting torch "}
