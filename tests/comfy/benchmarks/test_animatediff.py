"""AnimateDiff's benchmark compares what it is told to: another commit of a repository, another pack."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from zoetrope.benchmarks import animatediff
from zoetrope.benchmarks.animatediff_packs import (
    MOVING,
    PEER,
    WINDOWS,
    Inputs,
    Pack,
    Run,
    compare,
    measure_pack,
    medians,
    our_nodes,
    peer_nodes,
    peer_pack,
    windowed_nodes,
)
from zoetrope.benchmarks.commit_tree import unpack_commit
from zoetrope.benchmarks.step_times import one_step, ratios, times_of
from zoetrope.benchmarks.windows_memory import per_frame
from zoetrope.devtools.base_folder import make_base, put_demo_weights
from zoetrope.devtools.paths import PACK, ROOT
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.tests.comfy.benchmarks.peer_pack import write_peer
from zoetrope.tests.comfy.golden_unet import golden_model

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TINY = Inputs("zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors", 64, 1)


@pytest.fixture
def repository(tmp_path):
    """A git repository with a file that says 3 in its first commit, 4 in the second and 5 in the tree."""
    tree = tmp_path / "pack"
    tree.mkdir()
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    git(tree, "init")
    for number in ("3", "4"):
        (tree / "number").write_text(number)
        git(tree, "add", ".")
        git(tree, *who, "commit", "--message", number)
    (tree / "number").write_text("5")
    return tree


def git(tree, *arguments):
    done = subprocess.run(["git", "-C", str(tree), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def test_medians_become_ratios():
    times = {
        "plain": {"wall": [4.0, 2.0, 1.0], "cpu": [1.0, 4.0, 2.0]},
        "motion": {"wall": [9.0, 3.0, 5.0], "cpu": [2.0, 3.0, 2.5]},
    }
    assert ratios(times) == {
        "step_ratio": 2.5, "step_cpu_ratio": 1.25, "plain_seconds": 2.0, "motion_seconds": 5.0,
    }  # fmt: skip


def test_several_servers_of_a_pack_become_medians():
    def run(peak, plain, moving, windows):
        return Run(peak, torch.zeros(1), {"plain": plain, MOVING: moving, WINDOWS: windows})

    assert medians([run(700, 4, 5, 15), run(900, 8, 7, 14), run(800, 2, 6, 21)], 2) == {
        "step_ratio": 1.5, "windows_ratio": 2.5, "plain_seconds": 2, "motion_seconds": 3, "peak_mib": 800,
    }  # fmt: skip
    assert "windows_ratio" not in medians([Run(1, torch.zeros(1), {"plain": 1, MOVING: 2})], 1)


def test_steps_are_timed_by_both_clocks():
    model = golden_model()
    times = times_of(model, model.clone(), 16, 3)
    assert all(len(seconds) == 3 for kind in times.values() for seconds in kind.values())
    assert all(value > 0 for kind in times.values() for value in kind["wall"])
    assert set(one_step(model, 16)) == set(times["plain"]) == {"wall", "cpu"}


def test_a_commit_is_unpacked_and_the_repository_only_read(tmp_path, repository):
    before = git(repository, "status", "--short"), git(repository, "rev-parse", "HEAD", "HEAD~1").split()
    assert unpack_commit(repository, "HEAD~1", tmp_path / "tree") == before[1][1]
    assert (tmp_path / "tree" / "number").read_text() == "3"
    assert before == (
        git(repository, "status", "--short"),
        git(repository, "rev-parse", "HEAD", "HEAD~1").split(),
    )


@pytest.mark.parametrize("commit", ["0123456", "--all", "no such branch", ""])
def test_an_unknown_commit_is_refused(tmp_path, repository, commit):
    with pytest.raises(ValueError, match="must be a commit of .*, it has no .*; choose one of `git log`"):
        unpack_commit(repository, commit, tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_a_commit_needs_git_and_a_repository(tmp_path, repository, monkeypatch):
    inside = repository / "custom"  # as a pack without a repository in a ComfyUI that is one
    inside.mkdir()
    with pytest.raises(ValueError, match="needs a git repository, .*custom is none; clone"):
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
        (["--rounds", "0"], "must be a whole number of at least 1, '0' is not"),
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
        animatediff.main(arguments)
    assert ended.value.code == 2 and sentence in capsys.readouterr().err


def test_the_table_says_what_was_measured(capsys):
    animatediff.print_table(
        {"size": 64, "step_ratio": 1.25, "peer_peak_mib": 700, "latent_kib_per_frame": 64, "before": "a" * 40}
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["1.25", "700", "64", "a" * 40]
    assert "AnimateDiff-Evolved" in lines[2]


@linux
def test_packs_are_compared_in_servers_of_their_own(tmp_path):
    write_peer(tmp_path / "peer")
    put_demo_weights(make_base(tmp_path / "base") / "models")
    packs = {"": Pack(PACK, ROOT, windowed_nodes), "peer_": peer_pack(tmp_path / "peer")}
    result = compare(tmp_path, packs, TINY, 1)
    assert 250 < result["peer_peak_mib"] - result["peak_mib"] < 400
    assert result["peer_difference"] > 0.01
    assert all(result[key] > 0 for key in ("step_ratio", "peer_step_ratio", "windows_ratio", "plain_seconds"))
    json.dumps(result)


@linux
def test_a_pack_must_have_its_nodes_and_use_the_module(comfy_server):
    with pytest.raises(
        ValueError, match="must bring the node ADE_AnimateDiffLoaderGen1, ComfyUI has not loaded it"
    ):
        measure_pack(comfy_server, Pack(PEER, ROOT, peer_nodes), TINY)

    def idle(inputs):
        nodes = our_nodes(inputs)
        nodes[MOVING]["inputs"]["strength"] = 0.0
        return nodes

    with pytest.raises(ValueError, match="must change the latents"):
        measure_pack(comfy_server, Pack(PACK, ROOT, idle), TINY)
    run = measure_pack(comfy_server, Pack(PACK, ROOT, windowed_nodes), TINY)
    assert run.latents.shape == (16, 4, 8, 8) and torch.isfinite(run.latents).all()
    assert run.peak_mib > 100 and set(run.seconds) == {"plain", MOVING, WINDOWS}


@linux
def test_memory_of_frames_in_windows_is_counted():
    model = apply_context_windows(golden_model(), ContextSettings(3, 1, windows_per_batch=1))
    result = per_frame(model, 7, 29, (4, 16, 16))
    assert result["latent_kib_per_frame"] == 4
    assert set(result) == {"latent_kib_per_frame", "windows_kib_per_frame"}
