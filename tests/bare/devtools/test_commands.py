"""What the commands refuse, and what they say."""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from zoetrope.devtools import commands, paths
from zoetrope.devtools.base_folder import make_base
from zoetrope.devtools.ending import Stop
from zoetrope.devtools.progress import keep_time, time_of
from zoetrope.devtools.server import free_port
from zoetrope.devtools.setup import Environment


def test_unknown_benchmark_lists_the_known_ones(home):
    (paths.ROOT / "benchmarks").mkdir()
    for name in ("step", "load"):
        (paths.ROOT / "benchmarks" / f"{name}.py").write_text(
            "import json\n\ndef main(arguments):\n    return 0\n"
        )
    (paths.ROOT / "benchmarks" / "shared_part.py").write_text("WIDTH = 7\n")
    with pytest.raises(Stop, match="no benchmark 'x'; there are: load, step"):
        commands.bench("x", [])


def test_port_that_is_taken(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Stop, match=f"Port {port} is taken.*--port {port + 1}"):
            commands.serve(port)


def test_serve_names_the_address_that_opens_the_demo(home, monkeypatch, capsys):
    class Server:
        url, process = "http://127.0.0.1:7", SimpleNamespace(wait=lambda: 0)

        def __init__(self, *arguments, **options):
            pass

        def start(self):
            pass

        stop = start

    monkeypatch.setattr(commands, "prepare", lambda **_: Environment(Path(sys.executable), None))
    monkeypatch.setattr(commands, "sees_gpu", lambda python: False)
    monkeypatch.setattr(commands, "ComfyServer", Server)
    monkeypatch.setattr(commands, "make_demo_base", lambda: make_base(home / "base"))
    assert commands.serve(free_port()) == 0
    link = "http://127.0.0.1:7/?template=zoetrope_demo&source=ComfyUI-Zoetrope"
    assert f"The demo in it: {link}\n" in capsys.readouterr().out


def test_clean_deletes_its_folder_and_nothing_behind_the_link(home):
    make_base(home / "base")
    (paths.ROOT / "mine.txt").touch()
    assert commands.clean() == 0
    assert not home.exists()
    assert (paths.ROOT / "mine.txt").exists()
    assert commands.clean() == 0


def test_the_time_of_the_last_run_is_the_next_estimate(home):
    assert time_of("demo", "about a minute") == "about a minute"
    keep_time("demo", 83.7)
    assert time_of("demo", "about a minute") == "last time it took 1:23"
    (home / "logs" / "demo.seconds").write_text("half")
    assert time_of("demo", "about a minute") == "about a minute"
