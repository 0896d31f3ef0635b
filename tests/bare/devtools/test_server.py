"""The server: how the end of ComfyUI and of its parent are told and noticed."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from zoetrope.devtools.server import ComfyError, ComfyServer
from zoetrope.tests.places import ROOT


class EndedServer(ComfyServer):
    """A ComfyUI that takes a prompt and is killed while it runs."""

    def request(self, path, body=None, timeout=300):
        if path == "/prompt":
            return {"prompt_id": "x"}
        raise ConnectionResetError(104, "Connection reset by peer")


def test_a_server_that_is_killed_in_a_run_is_told_in_one_sentence(tmp_path):
    server = EndedServer(sys.executable, tmp_path, tmp_path, log=tmp_path / "log")
    server.process = SimpleNamespace(poll=lambda: -9)
    server.log.write_text("loading\nthe last word\n")
    with pytest.raises(ComfyError, match="ComfyUI ended while it ran the workflow: the last word"):
        server.prompt({})


@pytest.mark.skipif(sys.platform != "linux", reason="the mark that ties a process to another one is Linux's")
def test_a_server_does_not_outlive_a_killed_parent(tmp_path):
    """Stand-ins: for ComfyUI a script that says a word and waits, for the parent a program that starts it."""
    (tmp_path / "main.py").write_text("import sys, time\nprint(sys.argv[1], flush=True)\ntime.sleep(240)\n")
    parent = f"import subprocess, sys; sys.path.insert(0, {str(ROOT)!r}); import dev\n"
    parent += "from zoetrope.devtools.processes import ending_with_us\n"
    parent += "command = [sys.executable, *ending_with_us(), 'main.py', '--port']\n"
    parent += "subprocess.Popen(command, start_new_session=True).wait()"
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "--port\n"
        process.kill()
        # The end of the pipe, which the script holds too, comes with the script's; else communicate() raises.
        assert process.communicate(timeout=60)[0] == ""
