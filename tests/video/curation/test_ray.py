"""Curation on a Ray cluster of two nodes: the same bytes as without one, whatever ends in the middle."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from zoetrope.cluster.connecting import ClusterError, connect
from zoetrope.curation import ray_workers
from zoetrope.curation.job import Job
from zoetrope.curation.ray_workers import Hand, Missing, RayWorkers, Shared, host_name
from zoetrope.curation.runner import Curation
from zoetrope.curation.settings import Clips, Export, Motion, Scores, Settings
from zoetrope.curation.workers import KILLED
from zoetrope.tests.places import ROOT
from zoetrope.tests.ray_cluster import ray_cluster

from .test_run import TRUTH, bytes_of, rows_of

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ray has no clusters of Windows hosts")
SETTINGS = Settings(motion=Motion("codec"), clips=Clips(0.2, 1.0), export=Export(["pairs", "parquet"]))


@pytest.fixture(scope="module")
def address():
    with ray_cluster() as cluster:
        yield cluster.address


@pytest.fixture(scope="module")
def cluster(address):
    with connect(address) as connected:
        yield connected


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "raw"
    (folder / "more").mkdir(parents=True)
    names = {"hard_cuts": "hard_cuts", "vfr": "more/\u732b \U0001f408", "truncated": "cut off", "static": "b"}
    for name, target in names.items():
        shutil.copy(TRUTH / f"{name}.mp4", folder / f"{target}.mp4")
    (folder / "empty.mp4").touch()
    return folder


def hands():
    """The processes of workers on this machine that have been made ready."""
    for process in psutil.process_iter(["cmdline"]):
        if "ray::Hand" in " ".join(process.info["cmdline"] or ()):
            yield process


def test_the_bytes_are_those_of_one_process_also_when_a_worker_is_killed(cluster, videos, tmp_path):
    killed = []

    def told(what, done, total, more):
        if what == "shots and scores" and done == 1 and not killed:
            killed.append(next(hands()))
            killed[0].kill()

    plain = Curation(Job(videos, tmp_path / "plain", SETTINGS)).run()
    found = Curation(
        Job(videos, tmp_path / "ray", SETTINGS), told=told, hire=lambda job: RayWorkers(job, cluster)
    ).run()
    assert killed and not killed[0].is_running()
    assert found.counts == plain.counts and found.counts.errors == {"probe": 2}
    assert bytes_of(tmp_path / "ray") == bytes_of(tmp_path / "plain")
    assert (tmp_path / "ray" / "clips.parquet").exists() and not list(tmp_path.rglob("seen-by-all-*"))
    assert KILLED not in str(rows_of(tmp_path / "ray"))


class Odd:
    """A job whose videos are names that say what a worker does with them."""

    settings = Settings()

    def __init__(self, folder, out):
        self.folder, self.out = folder, out

    def make_ready(self):
        pass

    def scan(self, row):
        import errno
        import os

        if row["source"] == "deadly":
            os.kill(os.getpid(), 9)
        if row["source"] == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        return row["source"]


@pytest.fixture
def odd(tmp_path):
    """Ray sends it as it stands here: tests are no part of what is shipped."""
    module = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(module)
    for name in ("deadly", "full", "fine", "good"):
        (tmp_path / name).touch()
    yield Odd(tmp_path, tmp_path / "out")
    ray.cloudpickle.unregister_pickle_by_value(module)


def test_what_ends_every_worker_is_given_up_and_a_full_disk_ends_the_run(cluster, odd, monkeypatch):
    """A video that is nowhere any more goes to the job all the same, which says so in its row."""
    monkeypatch.setattr(ray_workers, "TRIES", 2)

    def done_of(*names):
        calls = [{"source": name} for name in names]
        return {row["source"]: result for row, result in workers.run("scan", calls, lambda row, why: why)}

    with RayWorkers(odd, cluster, 1) as workers:
        found = done_of("fine", "deadly", "good", "gone")
        assert found == {"fine": "fine", "deadly": KILLED, "good": "good", "gone": "gone"}
        with pytest.raises(OSError, match="No space left"):
            done_of("full")


def test_a_host_that_does_not_share_the_folder_is_named(cluster, odd):
    workers = RayWorkers(odd, cluster, 1)
    with workers, pytest.raises(ClusterError, match=r"the host \S+ does not see '.*seen-by-all.*same path"):
        workers.shared = replace(workers.shared, text="another folder of that name")
        workers.check()


def test_what_a_host_lacks_is_found_before_each_call(odd):
    shared = Shared.of(odd)
    hand = Hand(odd, shared)
    assert hand.prepare() is None and hand.call("scan", {"source": "fine"}, False) == "fine"
    assert hand.call("scan", {"source": "gone"}, False).file == str(odd.folder / "gone")
    assert hand.call("export", [{"source": "fine"}, {"source": "gone"}], False).file.endswith("gone")
    assert Hand(odd, replace(shared, folder=str(odd.folder / "no"))).prepare().file.endswith("no")
    os.unlink(shared.proof)  # as where the share is not mounted any more
    assert (
        hand.prepare() == hand.call("scan", {"source": "fine"}, False) == Missing(host_name(), shared.proof)
    )


def test_other_weights_on_a_host_are_found(odd, tmp_path):
    raft, clip = tmp_path / "raft.pth", tmp_path / "clip"
    clip.mkdir()
    for file in (raft, clip / "model.safetensors", clip / "config.json"):
        file.write_bytes(os.urandom(9))
    odd.settings = Settings(motion=Motion("raft", weights=str(raft)), scores=Scores(clip=str(clip)))
    shared = Shared.of(odd)
    assert set(map(Path, shared.weights)) == {raft, *clip.iterdir()} and shared.missing() is None
    raft.write_bytes(os.urandom(9))
    assert shared.missing() == Missing(host_name(), str(raft))


COMMAND = [sys.executable, str(ROOT / "dev.py"), "run", "curation.command"]


def start(*arguments):
    """The command in a process of its own, whose words are read line by line."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], env=os.environ | {"ZOETROPE_INSIDE": "1"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_a_cluster_that_goes_away_is_told_and_nothing_is_lost(videos, tmp_path):
    """All of it is killed when the worker is ready; the same command goes on without a cluster."""
    config, out = tmp_path / "config.json", tmp_path / "set"
    config.write_text('{"motion": {"tier": "codec"}, "clips": {"shortest": 0.2, "longest": 1.0}}')
    shutil.copy(TRUTH / "dissolves.mp4", videos / "a long one.mp4")
    with ray_cluster(1) as own:
        address, said = own.address, []
        process = start(videos, "--out", out, "--config", config, "--ray", address)
        for line in process.stdout:
            said.append(line)
            if "shots and scores: 0" in line:
                own.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
        assert process.wait() == 1
    text = "".join(said)
    assert f"the Ray cluster at {address} went away" in text and "the same command goes on" in text
    assert "Traceback" not in text
    settings = replace(SETTINGS, export=Export())
    Curation(Job(videos, out, settings)).run()
    Curation(Job(videos, tmp_path / "plain", settings)).run()
    assert bytes_of(out) == bytes_of(tmp_path / "plain")
