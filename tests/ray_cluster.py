"""A Ray cluster of some nodes on this machine, by Ray's own utility: real processes, one processor each."""

import contextlib
import os
import shutil
import tempfile
import time

import pytest

SMALL = {"num_cpus": 1, "object_store_memory": 80_000_000}
QUIET = {"include_dashboard": False, "_system_config": {"memory_monitor_refresh_ms": 0, "worker_niceness": 0}}
# Ray's workers run at niceness 15: beside other tests they would hardly get a processor.
PATIENCE = 400  # seconds; Ray gives a node 30, which is too little where other tests take all processors


@contextlib.contextmanager
def ray_cluster(nodes=2):
    """The Cluster, whose `address` others connect to. Nothing of it is left behind."""
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="rc")  # short: Ray puts sockets below it
    os.makedirs(f"{folder}/ray")
    cluster = Cluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        try:
            with _patience():
                for number in range(nodes):
                    cluster.add_node(**SMALL, **({} if number else QUIET))
            yield cluster
        finally:
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _patience():
    """Ray asks for a node that it starts until it is there. A node that it gave up would go on, unknown."""
    from ray._private import services

    asked, until = services.get_node, time.monotonic() + PATIENCE

    def get_node(*arguments):
        while True:
            try:
                return asked(*arguments)
            except RuntimeError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "get_node", get_node)
        yield
