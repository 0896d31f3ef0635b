"""The step's benchmark compares with what it is told to: another commit of a repository, another pack."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from zoetrope.benchmarks import step, step_before, step_peer
from zoetrope.benchmarks.step_before import compare_with_commit, times_in, unpack_commit
from zoetrope.benchmarks.step_times import joined, one_step, ratios, times_of
from zoetrope.devtools.base_folder import make_base, put_demo_weights
from zoetrope.tests.comfy.benchmarks.peer_pack import write_peer
from zoetrope.tests.comfy.golden_unet import golden_model

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Says a time that stands in its tree, and writes down that it ran.
STAND_IN = """
import json, pathlib, sys
assert sys.argv[1:3] == ["run", "benchmarks.step_times"]
tree, folder = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[3])
seconds = float((tree / "seconds").read_text())
with open(folder / "runs", "a") as runs:
    runs.write(f"{seconds:g} ")
if seconds < 0:
    sys.exit("no such layer")
motion = {"wall": [seconds, seconds], "cpu": [seconds / 2]}
print(json.dumps({"plain": {"wall": [2.0], "cpu": [2.0]}, "motion": motion}))
"""

TINY = step_peer.Inputs("zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors", 64, 1)


@pytest.fixture
def repository(tmp_path):
    """A git repository whose first commit takes 3 s, the second 4 s and the working tree 5 s with motion."""
    tree = tmp_path / "pack"
    (tree / "benchmarks").mkdir(parents=True)
    (tree / "dev.py").write_text(STAND_IN)
    (tree / "benchmarks" / "step.py").touch()
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    git(tree, "init")
    for seconds in ("3", "4"):
        (tree / "seconds").write_text(seconds)
        git(tree, "add", ".")
        git(tree, *who, "commit", "--message", seconds)
    (tree / "seconds").write_text("5")
    return tree


def git(tree, *arguments):
    done = subprocess.run(["git", "-C", str(tree), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def test_medians_become_ratios():
    parts = [
        {"plain": {"wall": [4.0, 2.0], "cpu": [1.0]}, "motion": {"wall": [9.0, 3.0], "cpu": [2.0]}},
        {"plain": {"wall": [1.0], "cpu": [4.0, 2.0]}, "motion": {"wall": [5.0], "cpu": [3.0, 2.5]}},
    ]
    assert ratios(joined(parts)) == {
        "step_ratio": 2.5, "step_cpu_ratio": 1.25, "plain_seconds": 2.0, "motion_seconds": 5.0,
    }  # fmt: skip


def test_steps_are_timed_by_both_clocks():
    model = golden_model()
    times = times_of(model, model.clone(), 16, 3)
    assert all(len(seconds) == 3 for kind in times.values() for seconds in kind.values())
    assert all(value > 0 for kind in times.values() for value in kind["wall"])
    assert set(one_step(model, 16)) == set(times["plain"]) == {"wall", "cpu"}


def test_a_commit_is_measured_in_turns_with_this_tree(tmp_path, repository, monkeypatch):
    monkeypatch.setattr(step_before, "ROOT", repository)
    before = git(repository, "status", "--short"), git(repository, "rev-parse", "HEAD", "HEAD~1").split()
    result = compare_with_commit(tmp_path, "HEAD~1", 64, 2, 3)
    assert (tmp_path / "runs").read_text() == "3 5 3 5 3 5 "
    assert (result["before_step_ratio"], result["step_ratio"], result["step_ratio_vs_before"]) == (
        1.5,
        2.5,
        1.6667,
    )
    assert (result["before_step_cpu_ratio"], result["step_cpu_ratio"]) == (0.75, 1.25)
    assert (result["before"], result["rounds"]) == (before[1][1], 3)
    assert before == (
        git(repository, "status", "--short"),
        git(repository, "rev-parse", "HEAD", "HEAD~1").split(),
    )


def test_a_commit_that_cannot_be_measured_is_named(tmp_path, repository, monkeypatch):
    (repository / "seconds").write_text("-1")
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--all", "--message", "broken")
    monkeypatch.setattr(step_before, "ROOT", repository)
    with pytest.raises(ValueError, match="HEAD cannot: no such layer; choose a newer one"):
        compare_with_commit(tmp_path, "HEAD", 64, 1, 1)
    with pytest.raises(RuntimeError, match="no such layer"):
        times_in(repository, tmp_path, 64, 1)


@pytest.mark.parametrize("commit", ["0123456", "--all", "no such branch", ""])
def test_an_unknown_commit_is_refused(tmp_path, repository, commit):
    with pytest.raises(ValueError, match="must be a commit of .*, it has no .*; choose one of `git log`"):
        unpack_commit(repository, commit, tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_a_commit_needs_git_and_a_repository(tmp_path, repository, monkeypatch):
    inside = repository / "benchmarks"  # as a pack without a repository in a ComfyUI that is one
    with pytest.raises(ValueError, match="needs a git repository, .*benchmarks is none; clone"):
        unpack_commit(inside, "HEAD", tmp_path / "tree")
    shutil.rmtree(repository / ".git")
    with pytest.raises(ValueError, match="needs a git repository"):
        unpack_commit(repository, "HEAD", tmp_path / "tree")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="needs the program git, .*; install it"):
        unpack_commit(repository, "HEAD", tmp_path / "tree")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--repeats", "0"], "must be a whole number of at least 1, '0' is not"),
        (["--size", "1.5"], "must be a whole number of at least 1, '1.5' is not"),
        pytest.param(
            ["--peer", "nowhere"],
            f"must be a folder of a custom node, with an __init__.py; {Path('nowhere').resolve()} is none",
            marks=linux,
        ),
    ],
)
def test_options_are_refused_in_a_sentence(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as ended:
        step.main(arguments)
    assert ended.value.code == 2 and sentence in capsys.readouterr().err


def test_the_table_says_what_was_measured(capsys):
    step.print_table({"size": 64, "step_ratio": 1.25, "peak_mib": 700, "before": "a" * 40})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["a" * 40, "1.25", "700"]


@linux
def test_two_packs_are_compared_in_servers_of_their_own(tmp_path):
    write_peer(tmp_path / "peer")
    put_demo_weights(make_base(tmp_path / "base") / "models")
    result = step_peer.compare_files(tmp_path, tmp_path / "peer", TINY, 1)
    assert 250 < result["peer_peak_mib"] - result["peak_mib"] < 400
    assert result["peer_difference"] > 0.01
    assert all(
        result[key] > 0 for key in ("run_ratio", "peer_run_ratio", "run_cpu_ratio", "peer_run_cpu_ratio")
    )
    json.dumps(result)


@linux
def test_a_pack_must_have_its_nodes_and_use_the_module(comfy_server):
    with pytest.raises(
        ValueError, match="must bring the node ADE_AnimateDiffLoaderGen1, ComfyUI has not loaded it"
    ):
        step_peer.measure_pack(comfy_server, "the peer", step_peer.peer_nodes(TINY), TINY)
    nodes = step_peer.our_nodes(TINY)
    nodes[step_peer.MOVING]["inputs"]["strength"] = 0.0
    with pytest.raises(ValueError, match="must change the latents"):
        step_peer.measure_pack(comfy_server, "this pack", nodes, TINY)
    nodes[step_peer.MOVING]["inputs"]["strength"] = 1.0
    run = step_peer.measure_pack(comfy_server, "this pack", nodes, TINY)
    assert run.latents.shape == (16, 4, 8, 8) and torch.isfinite(run.latents).all()
    assert run.peak_mib > 100
