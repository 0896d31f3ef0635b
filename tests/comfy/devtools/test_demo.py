"""`python dev.py demo --json` as a whole, from the command to a video; what makes torchvision importable."""

import json
import subprocess
import sys
from pathlib import Path

import av
from zoetrope.devtools import paths
from zoetrope.devtools.comfyui import find_comfyui
from zoetrope.devtools.progress import time_of
from zoetrope.devtools.script import main
from zoetrope.devtools.torchvision_shim import declare_schemas_at_start


def test_demo_ends_with_the_video_it_made(tmp_path, monkeypatch, capsys):
    """In an environment that is set up already, with a .zoetrope of its own."""
    monkeypatch.setenv("ZOETROPE_PYTHON", sys.executable)
    monkeypatch.setenv("COMFYUI_PATH", str(find_comfyui()))
    monkeypatch.setattr(paths, "HOME", tmp_path / "home")
    assert main(["demo", "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "Making a video: about a minute." in said and "next: python dev.py serve" in said
    report = json.loads(said[-1])
    assert sorted(report) == ["frames", "seconds", "video"]
    assert time_of("demo", "never") != "never"
    video = Path(report["video"])
    assert video.is_relative_to(tmp_path)
    assert report["seconds"] > 0
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == report["frames"] == 16
    assert any((frames[0] != frame).any() for frame in frames[1:])


def test_torchvision_hook_waits_until_torchvision_is_imported(tmp_path):
    """What an environment is given runs in every start of its interpreter: it must not import torch."""
    declare_schemas_at_start(tmp_path)
    assert (tmp_path / "zoetrope_torchvision.pth").read_text() == "import zoetrope_torchvision\n"
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import zoetrope_torchvision\n"
    code += "import json.tool, xml.dom\nassert 'torch' not in sys.modules\n"
    code += "finder = sys.meta_path[0]; finder.find_spec('torchvision'); import torch\n"
    code += "assert finder not in sys.meta_path; print(torch.ops.torchvision.nms)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert "torchvision.nms" in done.stdout, done.stderr
