"""`dev.py demo`: an example workflow in a real ComfyUI, from the set-up to the video."""

import importlib.util
import json
import time

from . import paths
from .base_folder import make_demo_base
from .ending import Stop
from .processes import ask
from .progress import Progress, clock, keep_time, say, time_of
from .server import ComfyServer
from .setup import prepare

VIDEO_SUFFIXES = (".mp4", ".webm", ".webp", ".gif", ".mkv", ".mov")


def demo(as_json=False):
    """Runs the demo's workflow and says where its video is, `as_json` in one line more. Raises Stop."""
    begun = time.monotonic()
    if not paths.DEMO_WORKFLOW.is_file():
        raise Stop(
            f"The demo's workflow {paths.DEMO_WORKFLOW} is missing; get a whole copy of the repository."
        )
    place = prepare()
    base = make_demo_base()
    say(f"Making a video: {time_of('demo', 'about a minute')}.")
    started = time.monotonic()
    video = make_video(ComfyServer(place.python, place.comfyui, base, log=paths.HOME / "logs" / "demo.log"))
    frames, seconds = count_frames(place.python, video), round(time.monotonic() - begun, 1)
    keep_time("demo", time.monotonic() - started)
    say(f"\n{frames} frames in {clock(seconds)}; open the video: {video}\nnext: python dev.py serve")
    if as_json:
        say(json.dumps({"video": str(video), "frames": frames, "seconds": seconds}))
    return 0


def make_video(server):
    """Runs the demo's workflow in a server that is started for it, and returns the path of its last video."""
    progress, name = Progress(2), paths.DEMO_WORKFLOW.name
    try:
        with progress.step("starting ComfyUI"):
            server.start()
        with progress.step(f"running {name}"):
            workflow = json.loads(paths.DEMO_WORKFLOW.read_text(encoding="utf8"))
            graph = workflow_api().to_api(workflow, server.object_info())
            files = server.output_files(server.prompt(graph, on_progress=progress.detail))
    except ValueError as error:
        raise Stop(f"{name} cannot be run: {error} ComfyUI's log is {server.log}.") from None
    finally:
        server.stop()
    videos = [path for path in files if path.suffix in VIDEO_SUFFIXES]
    if not videos:
        raise Stop(f"The workflow ran but wrote no video; its log is {server.log}.")
    return videos[-1]


def workflow_api():
    """Returns demo/workflow_api.py, which turns a saved workflow into what /prompt takes."""
    path = paths.ROOT / "demo" / "workflow_api.py"
    spec = importlib.util.spec_from_file_location("zoetrope_workflow_api", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count_frames(python, video):
    """Returns how many frames a video file really holds. Raises Stop when it cannot be read."""
    code = "import av, sys; print(sum(1 for _ in av.open(sys.argv[1]).decode(video=0)))"
    done = ask(python, code, video)
    if done.returncode:
        raise Stop(f"The video {video} cannot be read back: {done.stderr.strip().splitlines()[-1]}")
    return int(done.stdout)
