"""A real Ray cluster of two nodes on this machine: connecting, workers, a kill, no process left over."""

import os
import shutil
import signal
import sys
from pathlib import Path

import psutil
import pytest
from zoetrope.cluster import connecting, ray_workers
from zoetrope.cluster.code import copy_code
from zoetrope.cluster.connecting import ClusterError, connect, differences
from zoetrope.cluster.ray_workers import RayWorkers
from zoetrope.cluster.scheduler import Run
from zoetrope.cluster.worker import Refused, WorkerLost, WorkFailed
from zoetrope.tests.ray_cluster import SMALL, ray_cluster

PLACE = "cluster.object_of_tests:Calculator"


def code_with_object(folder):
    """The code that travels, with the object of these tests, which are not part of it."""
    target = copy_code(folder)
    shutil.copyfile(Path(__file__).with_name("object_of_tests.py"), target / "cluster" / "object_of_tests.py")
    return target


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"install the extra \[cluster\]"):
        connect("local")


def test_differences_name_the_program_and_both_versions():
    here = {"Python": "3.11", "torch": "2.13.0"}
    assert differences(here, dict(here)) == []
    assert differences(here, {"Python": "3.12"}) == [
        "Python 3.12 there, 3.11 here",
        "torch none there, 2.13.0 here",
    ]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("1.2.3", "is no address of a cluster"),
        ("127.0.0.1:1", "nobody answers at 127.0.0.1:1"),
        ("", "no address"),
    ],
)
def test_wrong_addresses(address, words):
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(ClusterError, match=words):
        connect(address)


@pytest.fixture(scope="module")
def two_nodes():
    pytest.importorskip("ray", reason="Ray is not installed")
    before = set(psutil.Process().children(recursive=True))
    with ray_cluster() as cluster:
        yield cluster.address
        started = set(psutil.Process().children(recursive=True)) - before
    assert len(started) > 2
    _, left = psutil.wait_procs(started, timeout=120)
    assert [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def test_two_nodes(two_nodes, monkeypatch):
    """One connection for all of it: a connection takes seconds."""
    monkeypatch.setattr(connecting, "copy_code", code_with_object)
    with connect(two_nodes) as cluster:
        assert len(cluster.hosts) == 2
        assert set(cluster.on_every_host(lambda: 5).values()) == {5} and not cluster.started_here
        with pytest.raises(ClusterError, match=r"torch .* there, 0.1 here"):
            connecting._compare_hosts(cluster, {"torch": "0.1"}, None)
        with pytest.raises(ClusterError, match="is connected to a Ray cluster already"):
            connect(two_nodes)

        pool = RayWorkers(cluster, PLACE, {"factor": 3}, 2)
        one, two = pool.ready()
        shared = pool.share(b"data of the run")
        assert one.submit("length", shared, 4).result(300) == 19
        with pytest.raises(WorkFailed, match="worker 1 of the cluster: TypeError"):
            one.submit("times").result(300)
        with pytest.raises(Refused, match=r"no file there \(on worker 2 of the cluster\)"):
            two.submit("refuse").result(300)
        waiting = two.submit("wait")
        two.cancel()
        assert waiting.result(300) is True
        victim = one.submit("pid").result(300)
        pending = one.submit("wait")
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(WorkerLost, match="worker 1 of the cluster has ended"):
            pending.result(300)
        run = Run([one, two], range(9), lambda worker, unit: worker.submit("times", unit))
        assert list(run.results()) == [3 * n for n in range(9)] and not one.is_alive
    with connect(two_nodes) as cluster:  # it can be had again
        assert len(cluster.hosts) == 2


def test_workers_that_get_no_place_are_given_up(two_nodes, monkeypatch, caplog):
    """The cluster has two processors: who asks for more, or comes second, goes on with what is there."""
    monkeypatch.setattr(connecting, "copy_code", code_with_object)
    monkeypatch.setattr(ray_workers, "GRACE", 1.0)
    with connect(two_nodes) as cluster:
        first, second = (RayWorkers(cluster, PLACE, {}, count) for count in (1, 2))
        (one,) = first.ready()
        (other,) = second.ready()
        assert "1 of 2 workers got no CPU of the cluster" in caplog.text
        assert one.submit("times", 2).result(300) == other.submit("times", 2).result(300) == 4

        monkeypatch.setattr(ray_workers, "PATIENCE", 1.0)
        third = RayWorkers(cluster, PLACE, {}, 1)
        with pytest.raises(ClusterError, match="which others use; wait for them, add hosts"):
            third.ready()
        with pytest.raises(KeyboardInterrupt, match="cancelled"):
            third.ready(_cancelled)

        monkeypatch.undo()
        cluster.ray.kill(one.actor)  # its place is free now, and nobody who gave up has taken it
        assert len(second.ready()) == 2


def _cancelled():
    raise KeyboardInterrupt("cancelled")


def test_more_data_than_the_object_store_holds_goes_by_disk(two_nodes, monkeypatch):
    monkeypatch.setattr(connecting, "copy_code", code_with_object)
    with connect(two_nodes) as cluster:
        pool = RayWorkers(cluster, PLACE, {}, 1)
        (one,) = pool.ready()
        size = 2 * SMALL["object_store_memory"]
        assert one.submit("length", pool.share(bytes(size)), 1).result(300) == size + 1
