"""bench video_unets compares with diffusers where it is, and says how to get it where it is not."""

import json
import sys

import pytest
import torch
from zoetrope.benchmarks import video_unets
from zoetrope.benchmarks.video_unets import HOME, PEERS, find_diffusers, in_turns


def test_forwards_take_turns_and_the_first_round_is_not_counted():
    ran, threads = [], torch.get_num_threads()
    forwards = {name: lambda name=name: ran.append((name, torch.get_num_threads())) for name in "ab"}
    _, seconds = in_turns(forwards, 3)
    assert ran == [("a", 1), ("b", 1)] * 4
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("content", [None, "raise ImportError('needs another package')", ""])
def test_a_missing_diffusers_is_told_with_the_command_that_installs_it(
    tmp_path, monkeypatch, capsys, content
):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    if content is not None:  # one that cannot be imported, one without the classes
        monkeypatch.delitem(sys.modules, "diffusers")
        (tmp_path / "diffusers.py").write_text(content)
    path = list(sys.path)
    with pytest.raises(SystemExit) as ended:
        video_unets.main(["--diffusers", str(tmp_path)])
    assert ended.value.code == 2
    assert f"-m pip install --no-deps --target {tmp_path} diffusers" in capsys.readouterr().err
    assert sys.path == path


def test_both_networks_make_the_same_of_the_same_weights(capsys):
    try:
        find_diffusers(HOME / "diffusers")
    except ValueError as error:
        pytest.skip(str(error))
    video_unets.main(["--json", "--small", "--frames", "3", "--size", "8", "--repeats", "1"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(found) == list(PEERS)
    for numbers in found.values():
        assert set(numbers) == set(video_unets.ROWS)
        assert numbers["difference"] < 1e-4 and numbers["ratio"] > 0
