"""Windows of a video on a real Ray cluster of two nodes, from a running ComfyUI over its HTTP API."""

import contextlib
import os
import signal
import threading
import time

import psutil
import pytest
from zoetrope.benchmarks.cluster import windows_graph
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.host.cluster.test_workers import latents, same, within
from zoetrope.tests.ray_cluster import ray_cluster


def actors():
    """The processes of workers, which Ray names by their class, on the cluster of this test alone."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "ray::Actor" in " ".join(one.cmdline()):
                found.append(one.pid)
    return found


@pytest.fixture
def cluster(comfy_server):
    """A cluster that this ComfyUI may use."""
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMFYUI_PATH", str(comfy_server.comfyui))
        with ray_cluster() as made:
            file = comfy_server.base / "user" / "__zoetrope" / "allowed_clusters.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(made.address, encoding="utf8")
            yield made
            file.unlink()


@pytest.mark.timeout(1500)
def test_windows_on_ray(comfy_server, cluster):
    """One test for all of it: a cluster and its workers take half a minute on an idle machine."""
    on_ray = {"transport": "Ray", "workers": 2, "address": cluster.address}
    steps = (4, 12, 4, 4)  # long enough for a kill in the middle
    alone = [latents(comfy_server, windows_graph(seed, steps[seed], None)) for seed in range(4)]
    assert same(latents(comfy_server, windows_graph(0, 4, on_ray)), alone[0]) and alone[0][0].std() > 0.1
    log = comfy_server.last_words(300)
    assert "this run stays here" not in log and "Workers: unit" not in log, log
    pids = actors()
    assert len(pids) == 2

    killer = threading.Timer(0.5, os.kill, (pids[0], signal.SIGKILL))
    killer.start()
    assert same(latents(comfy_server, windows_graph(1, 12, on_ray)), alone[1])
    killer.join()
    log = comfy_server.last_words(300)
    assert "Workers: unit" in log and "of the cluster has ended" in log, log
    assert same(latents(comfy_server, windows_graph(2, 4, on_ray)), alone[2])
    assert len(actors()) == 2 and pids[0] not in actors()

    with pytest.raises(ComfyError, match="workers=3 is more than the 2 CPUs of the cluster"):
        comfy_server.prompt(windows_graph(9, 4, {**on_ray, "workers": 3}))
    assert same(latents(comfy_server, windows_graph(3, 4, on_ray)), alone[3])
    comfy_server.request("/free", {"unload_models": True, "free_memory": True})
    assert within(60, lambda: not actors())

    latents(comfy_server, windows_graph(5, 4, on_ray))
    cluster.shutdown()
    assert within(120, lambda: "is gone" in comfy_server.last_words(300))
    gone = time.monotonic()
    with pytest.raises(ComfyError, match="nobody answers at"):
        comfy_server.prompt(windows_graph(6, 4, on_ray))
    ends_itself = 60  # seconds after which Ray would have ended a process that it left connected
    time.sleep(max(0.0, gone + ends_itself - time.monotonic()))
    assert comfy_server.process.poll() is None
    latents(comfy_server, windows_graph(6, 4, None))
