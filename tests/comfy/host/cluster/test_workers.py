"""The nodes of workers in a running ComfyUI, over its HTTP API: workers are processes of that server."""

import os
import re
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load
from zoetrope.benchmarks.cluster import sampling, windows_graph, worker_pids
from zoetrope.devtools.server import ComfyError

PROCESSES = {"transport": "processes", "workers": 2, "address": "local"}
CONTROL = {
    "30": ("ControlNetLoader", {"control_net_name": "zoetrope_tiny_control_blob.safetensors"}),
    "31": ("EmptyImage", {"width": 64, "height": 64, "batch_size": 3, "color": 0xC04020}),
    "33": ("ControlNetApplyAdvanced", {
        "positive": ["6", 0], "negative": ["7", 0], "control_net": ["30", 0], "image": ["31", 0],
        "strength": 0.8, "start_percent": 0.0, "end_percent": 1.0,
    }),
}  # fmt: skip
HOOKS = {
    "30": ("CreateHookLora", {
        "lora_name": "zoetrope_tiny_lora_dusk.safetensors", "strength_model": 1.0, "strength_clip": 0.0,
    }),
    "33": ("PairConditioningSetProperties", {
        "positive_NEW": ["6", 0], "negative_NEW": ["7", 0], "strength": 1.0, "set_cond_area": "default",
        "hooks": ["30", 0],
    }),
}  # fmt: skip


def graph(workers, extra=(), steps=2, seed=1):
    """A video of four windows; `extra` nodes may make its prompts as node 33."""
    nodes = windows_graph(seed, steps, workers)
    nodes |= {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in dict(extra).items()}
    if "33" in nodes:
        nodes["9"]["inputs"].update(positive=["33", 0], negative=["33", 1])
    return nodes


def latents(server, nodes):
    """The latents that a graph saves, in the order of the list."""
    files = [path for path in server.output_files(server.prompt(nodes)) if path.suffix == ".latent"]
    return [load(path.read_bytes())["latent_tensor"] for path in files]


def same(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


def within(seconds, what):
    """What comes true in so many seconds."""
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module", autouse=True)
def _no_workers_are_left(comfy_server):
    yield
    pids = worker_pids(comfy_server.process.pid)
    assert pids
    comfy_server.stop()
    comfy_server.start()
    assert not set(pids) & {int(name) for name in os.listdir("/proc") if name.isdigit()}


@pytest.mark.parametrize(("extra", "more"), [((), {}), (CONTROL, {"control_net": ["30", 0]}), (HOOKS, {})],
                         ids=["plain", "ControlNet", "hooks"])  # fmt: skip
def test_a_video_is_the_same_with_workers(comfy_server, extra, more):
    alone = latents(comfy_server, graph(None, extra))
    together = latents(comfy_server, graph({**PROCESSES, **more}, extra))
    assert same(alone, together) and alone[0].std() > 0.1
    assert len(worker_pids(comfy_server.process.pid)) == 2
    log = comfy_server.last_words(200)
    assert "this run stays here" not in log


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(comfy_server):
    alone = latents(comfy_server, graph(None, seed=2, steps=4))
    latents(comfy_server, graph(PROCESSES, seed=3))
    victim = worker_pids(comfy_server.process.pid)[0]
    killer = threading.Timer(0.5, os.kill, (victim, signal.SIGKILL))
    killer.start()
    assert same(latents(comfy_server, graph(PROCESSES, seed=2, steps=4)), alone)
    killer.join()
    assert victim not in worker_pids(comfy_server.process.pid)


def test_what_cannot_be_right_is_refused(comfy_server):
    without = graph(PROCESSES)
    without["20"]["inputs"]["model"] = ["4", 0]
    behind = graph(PROCESSES)
    behind["40"] = {
        "class_type": "LoraLoaderModelOnly",
        "inputs": {
            "model": ["20", 0], "lora_name": "zoetrope_tiny_lora_dusk.safetensors", "strength_model": 1.0,
        },
    }  # fmt: skip
    behind["9"]["inputs"]["model"] = ["40", 0]
    elsewhere = graph({**PROCESSES, "transport": "Ray", "address": "127.0.0.1:1"})
    for nodes, words in (
        (without, "needs a MODEL with context windows"),
        (behind, "the MODEL was changed behind Run Windows on Workers"),
        (graph(PROCESSES, CONTROL), "a ControlNet that Run Windows on Workers does not know"),
        (elsewhere, "'127.0.0.1:1' is not a cluster that may be used"),
    ):
        with pytest.raises(ComfyError, match=words):
            comfy_server.prompt(nodes)


def test_more_seeds_than_workers_come_out_in_order(comfy_server):
    nodes = sampling(None, 5, 1, 0.0)
    nodes["6"]["inputs"]["text"] = "a red ball"
    alone = []
    for seed in (4, 5, 11):
        nodes["9"]["inputs"]["seed"] = seed
        alone += latents(comfy_server, nodes)
    nodes["50"] = {
        "class_type": "ZoetropeRunSeedsOnWorkers",
        "inputs": {"latent": ["9", 0], "seeds": "4-5, 11", "prompts": "", **PROCESSES},
    }
    nodes["10"]["inputs"]["samples"] = ["50", 0]
    assert same(latents(comfy_server, nodes), alone)

    nodes["50"]["inputs"]["seeds"] = "1-x"
    with pytest.raises(ComfyError, match=re.escape("'1-x', which is no number and no range")):
        comfy_server.prompt(nodes)


def test_two_prompts_at_once(comfy_server):
    """Two people's prompts, of other settings, in the queue together; then the same two again."""
    graphs = [graph({**PROCESSES, "workers": 2}, seed=21), graph({**PROCESSES, "workers": 1}, HOOKS, seed=22)]
    alone = [latents(comfy_server, graph(None, seed=21)), latents(comfy_server, graph(None, HOOKS, seed=22))]
    with ThreadPoolExecutor(4) as people:
        together = list(people.map(lambda nodes: latents(comfy_server, nodes), [*graphs, *graphs]))
    assert all(map(same, together, alone * 2))


@pytest.mark.skipif(sys.platform != "linux", reason="memory of a process is limited in another way elsewhere")
def test_a_worker_without_memory_changes_nothing(comfy_server):
    import resource

    large = [graph(workers, seed=23) for workers in (None, PROCESSES)]
    for nodes in large:
        nodes["8"]["inputs"].update(width=256, height=256)
    alone = latents(comfy_server, large[0])
    small = latents(comfy_server, graph(None, seed=27))
    latents(comfy_server, graph(PROCESSES, seed=24))
    pids = worker_pids(comfy_server.process.pid)
    for pid in pids:  # nothing more than they have already
        resource.prlimit(pid, resource.RLIMIT_AS, (2**20, 2**20))
    assert same(latents(comfy_server, large[1]), alone)
    log = comfy_server.last_words(200)
    assert "Workers: unit 1 of 4 again: worker" in log and "Prompt executed" in log, log
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert same(latents(comfy_server, graph(PROCESSES, seed=27)), small)  # they may be ending still
    latents(comfy_server, graph(PROCESSES, seed=28))
    new = worker_pids(comfy_server.process.pid)
    assert len(new) == 2 and not set(new) & set(pids)


def test_models_that_are_unloaded_are_those_of_workers_too(comfy_server):
    alone = latents(comfy_server, graph(PROCESSES, seed=25))
    before = worker_pids(comfy_server.process.pid)
    comfy_server.request("/free", {"unload_models": False, "free_memory": False})
    assert before and worker_pids(comfy_server.process.pid) == before
    comfy_server.request("/free", {"unload_models": True, "free_memory": False})
    assert not worker_pids(comfy_server.process.pid)
    nodes = graph(PROCESSES, seed=26)
    with ThreadPoolExecutor(1) as person:  # asked for in the middle of a run, it waits for its end
        running = person.submit(latents, comfy_server, nodes)
        assert within(100, lambda: worker_pids(comfy_server.process.pid))
        comfy_server.request("/free", {"unload_models": True, "free_memory": True})
        assert worker_pids(comfy_server.process.pid)
        assert running.result()[0].std() > 0.1
    assert within(100, lambda: not worker_pids(comfy_server.process.pid))
    assert same(latents(comfy_server, graph(PROCESSES, seed=25)), alone)
