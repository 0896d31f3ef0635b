"""bench gpu runs every part in small, tells what it could not do, and says what to do without a GPU."""

import json
import os
import sys

import pytest
import torch
from zoetrope.benchmarks import gpu
from zoetrope.benchmarks.gpu import BUDGETS, FAILED, NO_GPU, PATIENCE, answer_of
from zoetrope.benchmarks.gpu_parts import PARTS, Place
from zoetrope.tests.comfy.benchmarks.peer_pack import write_peer

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def ended(arguments, status):
    with pytest.raises(SystemExit) as found:
        gpu.main(arguments)
    assert found.value.code == status


def test_every_part_has_a_budget_and_all_take_eight_minutes():
    assert list(BUDGETS) == list(PARTS)
    assert sum(BUDGETS.values()) + PATIENCE <= 8 * 60  # the last one may need that long to end


@without_gpu
def test_a_machine_without_a_gpu_is_told_what_to_do(capsys):
    ended(["--json"], NO_GPU)
    said = capsys.readouterr()
    assert said.out == "" and "bench gpu --small --device cpu" in said.err
    assert "pytorch.org" in said.err or "nvidia-smi" in said.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--device", "cpu"], "--device cpu must go with --small"),
        (["--small", "--device", "cpu", "--peer", "nowhere"], "must be a folder of a custom node"),
    ],
)
def test_options_are_refused_in_a_sentence(capsys, arguments, sentence):
    ended(arguments, 2)
    assert sentence in capsys.readouterr().err


def test_a_part_that_takes_too_long_or_fails_is_told():
    def said_by(code, seconds=60):
        return answer_of([sys.executable, "-c", code], dict(os.environ), seconds)

    assert said_by("print('loading'); print('{\"ratio\": 2}')") == {"ratio": 2}
    assert said_by("import sys; sys.exit('no such layer')") == {"error": "no such layer"}
    assert said_by("import os; os._exit(7)") == {"error": "it ended with status 7"}
    assert "took longer than its 2 s" in said_by("import time; time.sleep(600)", 2)["error"]


def test_parts_that_no_time_is_left_for_are_named(capsys):
    ended(["--json", "--small", "--device", "cpu", "--seconds", "0", "--only", "step", "svd", "peer"], FAILED)
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["files", "step", "peer", "svd"]
    assert "no time was left" in found["svd"]["error"] and "it needs the files" in found["step"]["error"]
    assert "--peer PATH" in found["peer"]["skipped"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The tiny models of all parts; a part runs here in this process, which has ComfyUI already."""
    folder = tmp_path_factory.mktemp("gpu")
    write_peer(folder / "peer")
    place = Place(folder, True, folder / "peer")
    PARTS["files"](place)
    return place


@linux
def test_parts_run_in_processes_of_their_own(capsys):
    gpu.main(["--json", "--small", "--device", "cpu", "--seconds", "9999", "--only", "step"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(found) == ["files", "step"] and found["step"]["step_ratio"] > 0


@linux
def test_half_precision_is_measured_in_small(place):
    found = PARTS["half"](place)
    assert found["fp16_finite"] and 0 <= found["fp16_distance"] < 0.1
    assert found["bf16_finite"] and 0 < found["bf16_distance"] < 0.5


@linux
def test_windows_in_a_call_are_measured_in_small(place):
    found = PARTS["windows"](place)
    assert all(found[f"{count}_seconds"] > 0 for count in ("1", "2", "4", "auto"))


@linux
def test_a_compiled_step_is_measured_in_small(place):
    assert PARTS["compile"](place)["difference"] < 1e-3
    torch.compiler.reset()


@linux
@pytest.mark.parametrize("name", ["modelscope", "svd"])
def test_video_networks_are_measured_in_small(place, name):
    assert PARTS[name](place)["finite"]


@linux
def test_runs_in_servers_are_measured_in_small(place):
    assert PARTS["dynamic_vram"](place)["difference"] == 0
    assert PARTS["peer"](place)["difference"] > 0.01  # the stand-in has another motion
