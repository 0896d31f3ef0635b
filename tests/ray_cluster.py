"""A Ray cluster of two nodes on this machine, by Ray's own utility: real processes, one processor each."""

import contextlib
import os
import shutil
import tempfile

SMALL = {"num_cpus": 1, "object_store_memory": 80_000_000}
QUIET = {"include_dashboard": False, "_system_config": {"memory_monitor_refresh_ms": 0}}
TRIES = 10  # Ray gives a node 30 seconds, which is too little where other tests take all processors


@contextlib.contextmanager
def ray_cluster(nodes=2):
    """The Cluster, whose `address` others connect to. Nothing of it is left behind."""
    folder = tempfile.mkdtemp(prefix="rc")  # short: Ray puts sockets below it
    os.makedirs(f"{folder}/ray")
    before, os.environ["RAY_TMPDIR"] = os.environ.get("RAY_TMPDIR"), folder
    cluster = None
    try:
        cluster = _started(nodes)
        yield cluster
    finally:
        if cluster is not None:
            cluster.shutdown()
        os.environ.pop("RAY_TMPDIR")
        if before is not None:
            os.environ["RAY_TMPDIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _started(nodes):
    from ray.cluster_utils import Cluster

    for left in reversed(range(TRIES)):
        cluster = Cluster()
        try:
            for number in range(nodes):
                cluster.add_node(**SMALL, **({} if number else QUIET))
            cluster.wait_for_nodes(300)
            return cluster
        except Exception as error:
            cluster.shutdown()
            if not left or "timed out" not in str(error):
                raise
    raise AssertionError("not reached")
