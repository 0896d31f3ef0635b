"""Setting up: what is refused with which sentence, and that nothing half-made is ever taken for whole."""

import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple

import pytest
from zoetrope.devtools import lock
from zoetrope.devtools.comfyui_download import COMFYUI_TAG
from zoetrope.devtools.ending import Stop
from zoetrope.devtools.environment import venv_python
from zoetrope.devtools.setup import check_own_interpreter, prepare
from zoetrope.devtools.steps import Step, python_steps, setup_steps
from zoetrope.tests.places import ROOT


def test_disk_without_room(home, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9e9, 8e9, 1e9))
    with pytest.raises(Stop, match="1.0 GB free; the set-up needs 6 GB"):
        prepare(comfy=False)
    assert not (home / "venv").exists()


def test_second_setup_at_the_same_time(home, monkeypatch):
    monkeypatch.setattr(lock, "LOCK_SECONDS", 0.3)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import dev; from pathlib import Path\n"
    code += f"from zoetrope.devtools import lock, paths; paths.HOME = Path({str(home)!r})\n"
    code += "with lock.only_one_setup(): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Stop, match="Another dev.py"), lock.only_one_setup():
            pass
        monkeypatch.setattr(lock, "LOCK_SECONDS", 300)
        closed = threading.Event()
        closing = threading.Timer(0.5, lambda: (closed.set(), other.stdin.close()))
        closing.start()
        with lock.only_one_setup():
            assert (home / "lock").exists() and closed.is_set()  # waited for the other's end
        closing.join()


@pytest.mark.skipif(os.name == "nt", reason="Windows hands no descriptor on")
def test_programs_of_a_setup_keep_its_lock(home):
    assert lock.inherited == ()
    with lock.only_one_setup():
        (descriptor,) = lock.inherited
        assert os.path.samestat(os.fstat(descriptor), os.stat(home / "lock"))
    assert lock.inherited == ()


def test_own_interpreter_without_packages(home, tmp_path):
    environment = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with pytest.raises(Stop, match="has no torch, numpy, einops, safetensors, psutil, pytest, torchvision"):
        check_own_interpreter(python, comfy=True)
    with pytest.raises(Stop, match="does not run"):
        check_own_interpreter(tmp_path / "nothing", comfy=False)
    check_own_interpreter(sys.executable, comfy=False)


def test_step_is_done_only_with_the_stamp_of_its_own_fingerprint(tmp_path, progress):
    done = []
    step = Step("title", tmp_path / "stamps" / "x", ("torch", 1), done.append)
    assert not step.is_done()
    step.run(progress)
    assert done == [progress]
    assert step.is_done()
    assert not Step("title", tmp_path / "stamps" / "x", ("torch", 2), done.append).is_done()


def test_step_that_fails_is_not_done(tmp_path, progress):
    def fail(progress):
        raise Stop("no")

    step = Step("title", tmp_path / "x", 1, fail)
    with pytest.raises(Stop):
        step.run(progress)
    assert not step.is_done()


def test_environment_that_is_not_whole_is_made_again(home):
    def done_steps(before=None):
        python = venv_python()
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        stamps = home / "venv" / "complete"
        stamps.mkdir(exist_ok=True)
        for step in python_steps(None, False, home / "log"):
            stamps.mkdir(parents=True, exist_ok=True)
            step.stamp.write_text(step.fingerprint)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        if before:
            before()
        return [step.title for step in python_steps(None, False, home / "log") if step.is_done()]

    assert len(done_steps()) == 4
    assert done_steps((home / "venv" / "unfinished").touch) == []
    assert not (home / "venv").exists()
    assert done_steps(venv_python().unlink) == []
    assert done_steps((home / "venv" / "complete" / "python").unlink) == []


def test_own_interpreter_leaves_only_comfyui_to_fetch(home, monkeypatch):
    every = [step.title for step in setup_steps(None, True, True, home / "log")]
    assert every[:3] == ["Python environment", f"ComfyUI {COMFYUI_TAG}", "PyTorch"]
    assert every[-1] == "browser driver"
    assert [step.title for step in setup_steps(None, False, False, home / "log")] == [every[0], *every[2:5]]
    monkeypatch.setenv("ZOETROPE_PYTHON", sys.executable)
    assert [step.title for step in setup_steps(None, True, False, home / "log")] == [every[1]]
