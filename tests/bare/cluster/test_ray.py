"""A real Ray cluster of two nodes on this machine: connecting, workers, a kill, no process left over."""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from zoetrope.cluster import connecting
from zoetrope.cluster.code import copy_code
from zoetrope.cluster.connecting import ClusterError, connect, differences
from zoetrope.cluster.ray_workers import RayWorkers
from zoetrope.cluster.scheduler import Run
from zoetrope.cluster.worker import Refused, WorkerLost, WorkFailed

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
    from ray.cluster_utils import Cluster

    before = {process.pid for process in psutil.process_iter()}
    cluster = Cluster()
    try:
        _start(cluster)
        yield cluster.address
    finally:
        cluster.shutdown()
    left = [one for one in psutil.process_iter(["name", "cmdline", "ppid"])
            if one.pid not in before and _is_of_ray_here(one)]  # fmt: skip
    psutil.wait_procs(left, timeout=120)
    assert [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def _start(cluster):
    """Two nodes. Ray gives each 30 seconds to start, and a busy machine needs more."""
    import ray._private.services as services

    asked, end = services.get_node, time.monotonic() + 400

    def patient(*arguments):
        while True:
            try:
                return asked(*arguments)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "get_node", patient)
        cluster.add_node(num_cpus=1, object_store_memory=10**8, include_dashboard=False)
        cluster.add_node(num_cpus=1, object_store_memory=10**8)


def _is_of_ray_here(process):
    with contextlib.suppress(psutil.Error):
        told = " ".join(process.info["cmdline"] or ())
        return sys.prefix in told and any(
            name in told for name in ("raylet", "gcs_server", "ray::", "default_worker")
        )
    return False


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
