"""Video to Frames is cancelled while it reads, even where no wanted frame has come yet."""

import time
import urllib.error
import uuid

import psutil
from zoetrope.tests.comfy.nodes.video.test_video_nodes import DEFAULTS, NODE
from zoetrope.tests.odd_videos import encode

PATIENCE = 270  # seconds, for a machine that has other things to do


def wait_for(what):
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.1)
    return found


def seconds_worked(server):
    """The processor's time that a server has used."""
    times = psutil.Process(server.process.pid).cpu_times()
    return times.user + times.system


def test_a_run_is_cancelled_in_the_node(comfy_server):
    """200 000 frames, of which the last is wanted:
    they are counted by decoding, so it would be long before the next node.
    """
    path = comfy_server.base / "input" / "long.ts"
    encode(path, "libx264")
    path.write_bytes(path.read_bytes() * 30000)
    graph = {
        "1": {"class_type": "LoadVideo", "inputs": {"file": path.name}},
        "2": {"class_type": NODE, "inputs": {"video": ["1", 0], **DEFAULTS, "skip_first_frames": 200000}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
    }
    before = seconds_worked(comfy_server)
    job = comfy_server.request("/prompt", {"prompt": graph, "client_id": uuid.uuid4().hex})["prompt_id"]
    wait_for(lambda: comfy_server.request("/queue")["queue_running"])
    wait_for(
        lambda: seconds_worked(comfy_server) > before + 1
    )  # the nodes before this one do not work that long
    comfy_server.request("/interrupt", {})

    def failure():
        try:
            entry = comfy_server.request(f"/history/{job}").get(job)
        except urllib.error.URLError:
            return None
        return entry and dict(entry["status"]["messages"])

    messages = wait_for(failure)
    path.unlink()
    assert "execution_interrupted" in messages and messages["execution_interrupted"]["node_id"] == "2"
