"""A .zoetrope and a ComfyUI for tests of devtools/, none of them the person's who runs the tests."""

import pytest
from zoetrope.devtools import paths
from zoetrope.devtools.progress import Progress


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A .zoetrope of its own, in an empty repository at tmp_path."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "HOME", tmp_path / ".zoetrope")
    for name in ("COMFYUI_PATH", "ZOETROPE_PYTHON", "ZOETROPE_TORCH_INDEX", "CHROMIUM"):
        monkeypatch.delenv(name, raising=False)
    paths.HOME.mkdir()
    return paths.HOME


@pytest.fixture
def progress(capsys):
    return Progress(1)


@pytest.fixture
def make_comfyui():
    """Makes a folder look like a ComfyUI and returns it."""

    def make(path, version="0.30.0"):
        (path / "comfy").mkdir(parents=True)
        for name in ("main.py", "nodes.py"):
            (path / name).touch()
        (path / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
        (path / "requirements.txt").write_text("torch\n")
        return path

    return make
