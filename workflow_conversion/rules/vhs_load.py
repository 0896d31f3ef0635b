"""What VideoHelperSuite and others load: videos, folders of pictures, sound."""

from __future__ import annotations

import re
from typing import Any

from ..graph import Left, Node
from ..plan import New, Plan, Wire
from .registry import MAKES, rule

FRAMES = "ZoetropeTakeFrames"
FPS, NUM_FRAMES, DURATION, WIDTH, HEIGHT, SOURCE_FPS, SOURCE_FRAMES = 3, 4, 6, 7, 8, 9, 10
LOADED = (FPS, NUM_FRAMES, DURATION, WIDTH, HEIGHT)
INFOS = ("VHS_VideoInfo", "VHS_VideoInfoSource", "VHS_VideoInfoLoaded")
MULTIPLES = {"AnimateDiff": 8, "Mochi": 16, "LTXV": 32, "Hunyuan": 16, "Cosmos": 16, "Wan": 8}
LENGTHS = {"LTXV": "8n+1", "Hunyuan": "4n+1", "Cosmos": "8n+1", "Wan": "4n+1"}
RATES = {
    "frame_load_cap": "frame_cap",
    "skip_first_frames": "skip_first_frames",
    "select_every_nth": "select_every_nth",
}
_SIZE = re.compile(r"(\d+|\?)x(\d+|\?)")
_ELSEWHERE = re.compile(r"^(?:input[/\\])?(?P<below>(?![/\\]|[A-Za-z]:|\w+://|\.\.).+)$")


@rule("VHS_LoadVideo", "VHS_LoadVideoPath", "VHS_LoadVideoFFmpeg", "VHS_LoadVideoFFmpegPath", stage=MAKES)
def load_video(node: Node, plan: Plan) -> None:
    loaded = open_video(node, plan, "video")
    frames = take_frames(node, plan, (loaded, 0))
    pictures: Wire = (frames, 0)
    if (vae := node.sources.get("vae")) is not None:
        pictures = (plan.add("VAEEncode", {}, pixels=pictures, vae=vae), 0)
    second = (frames, 1) if "FFmpeg" in node.type else (frames, NUM_FRAMES)
    plan.outputs = {0: pictures, 1: second}
    told = 2 if "INFO" in node.output_type(2) else 3  # a version had no sound
    if told == 3:
        plan.outputs[2] = (frames, 2)
    for user, _, slot in list(plan.scope.final_users(node.id)):
        if slot == told and user.type in INFOS:
            plan.absorbed[user.id] = _info_outputs(user, plan, frames, loaded)
    if plan.scope.source(node, "meta_batch") or plan.scope.source(node, "batch_manager"):
        plan.say("all frames come at once, not in batches; for long videos take Video to Latents")


def take_frames(node: Node, plan: Plan, video: Wire) -> New:
    """Video to Frames with the settings of a loader of VideoHelperSuite."""
    values: dict[str, Any] = {"resize": "keep ratio", "multiple_of": 1}
    links: dict[str, Wire] = {}
    plan.setting(node, "force_rate", values, links, "force_rate", 0)
    for old, new in RATES.items():
        plan.setting(node, old, values, links, new, 1 if "nth" in old else 0)
    if "start_time" in (*(node.values or {}), *node.sources):
        plan.setting(node, "start_time", values, links, "start_seconds", 0)
    told = plan.value(node, "format", "AnimateDiff" if node.raw.get("widgets_values") is not None else "None")
    values["multiple_of"] = MULTIPLES.get(told, 1)
    values["length"] = LENGTHS.get(told, "any")
    _size(node, plan, values, links)
    return plan.add(FRAMES, values, video=video, **links)


def _size(node: Node, plan: Plan, values: dict, links: dict) -> None:
    """Old versions have `force_size` with names or sizes, new ones numbers alone."""
    forced = plan.value(node, "force_size", "")
    if isinstance(forced, str) and (sizes := _SIZE.fullmatch(forced)):
        values |= {
            side: 0 if n == "?" else int(n)
            for side, n in zip(("width", "height"), sizes.groups(), strict=True)
        }
    else:
        for side, off in (("width", "Custom Height"), ("height", "Custom Width")):
            if forced not in (off, "Disabled"):
                plan.setting(node, f"custom_{side}", values, links, side, 0)
    if (values.get("width") or "width" in links) and (values.get("height") or "height" in links):
        values["resize"] = "crop"
    if values.get("width") or values.get("height") or links.keys() & {"width", "height"}:
        plan.say("frames get their size by another filter")


def _info_outputs(info: Node, plan: Plan, frames: New, loaded: New) -> dict[int, Wire | None]:
    """What Video to Frames says in place of a video's info."""
    source: dict[int, Wire] = {0: (frames, SOURCE_FPS), 1: (frames, SOURCE_FRAMES)}
    used = {slot for _, _, slot in plan.scope.final_users(info.id)}
    if info.type != "VHS_VideoInfoLoaded" and used & {3, 4}:
        whole = plan.add(FRAMES, {"frame_cap": 1, "multiple_of": 1}, place=info, video=(loaded, 0))
        source |= {3: (whole, WIDTH), 4: (whole, HEIGHT)}
    loaded_outputs = {i: (frames, slot) for i, slot in enumerate(LOADED)}
    if info.type == "VHS_VideoInfoSource":
        return source
    if info.type == "VHS_VideoInfoLoaded":
        return loaded_outputs
    return source | {5 + i: wire for i, wire in loaded_outputs.items()}


@rule("VHS_LoadImages", "VHS_LoadImagesPath", "LoadImagesFromDirectory", stage=MAKES)
def load_images(node: Node, plan: Plan) -> None:
    values: dict[str, Any] = {"resize": "crop", "multiple_of": 1}
    links: dict[str, Wire] = {}
    named = _path(node, plan, "directory")
    if isinstance(named, tuple):
        values["source"], links["path"] = "", named
    elif below := inside_input(named):
        values["source"] = f"{below.rstrip('/')}/"
    else:
        values |= {"source": "", "path": named}
        _allow(plan, named)
    plan.setting(node, "image_load_cap", values, links, "frame_cap", 0)
    skipped = "start_index" if node.type == "LoadImagesFromDirectory" else "skip_first_images"
    plan.setting(node, skipped, values, links, "skip_first_frames", 0)
    plan.setting(node, "select_every_nth", values, links, "select_every_nth", 1)
    made = plan.add("ZoetropeLoadFrames", values, **links)
    plan.outputs = {0: (made, 0), 1: (made, 1), 2: (made, 3)}
    if plan.scope.source(node, "meta_batch"):
        plan.say("all frames come at once, not in batches; for long videos take Video to Latents")


@rule("VHS_LoadImagePath", stage=MAKES)
def load_image(node: Node, plan: Plan) -> None:
    made = plan.add("LoadImage", {"image": file_below_input(plan, plan.constant(node, "image", ""))})
    pictures: Wire = (made, 0)
    values: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    _size(node, plan, values, links)
    if links or values.get("width") or values.get("height"):
        raise Left("it changes the size of the picture; load it, and put Upscale Image behind")
    if (vae := plan.wire(node, "vae")) is not None:
        pictures = (plan.add("VAEEncode", {}, pixels=pictures, vae=vae), 0)
    plan.outputs = {0: pictures, 1: (made, 1)}


@rule("VHS_LoadAudio", "VHS_LoadAudioUpload", stage=MAKES)
def load_audio(node: Node, plan: Plan) -> None:
    is_path = node.type == "VHS_LoadAudio"
    start_name = "seek_seconds" if is_path else "start_time"
    named = _path(node, plan, "audio_file" if is_path else "audio")
    is_long = any(slot == 1 for _, _, slot in plan.scope.final_users(node.id))  # its duration is asked for
    below = None if isinstance(named, tuple) else inside_input(named)
    values: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    if below is None or is_long:
        _by_path(named, below, plan, values, links)
        plan.setting(node, start_name, values, links, "start_seconds", 0)
        plan.setting(node, "duration", values, links, "duration_seconds", 0)
        made = plan.add("ZoetropeLoadAudioFromPath", values, **links)
        plan.outputs = {0: (made, 0), 1: (made, 1)}
        return
    sound: Wire = (plan.add("LoadAudio", {"audio": below}), 0)
    plan.setting(node, start_name, values, links, "start_index", 0)
    plan.setting(node, "duration", values, links, "duration", 0)
    if links or values.get("start_index") or values.get("duration"):
        if "duration" in values and not values["duration"]:
            values["duration"] = 360000.0  # to the end
        sound = (plan.add("TrimAudioDuration", values, audio=sound, **links), 0)
    plan.outputs = {0: sound}


def open_video(node: Node, plan: Plan, name: str) -> New:
    """The loader of a video that an old node names: ComfyUI's for a file of the folder input."""
    named = _path(node, plan, name)
    if not isinstance(named, tuple) and (below := inside_input(named)) is not None:
        return plan.add("LoadVideo", {"file": below})
    values: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    _by_path(named, None, plan, values, links)
    return plan.add("ZoetropeLoadVideoFromPath", values, **links)


def _path(node: Node, plan: Plan, name: str) -> str | Wire:
    """The path that a widget says, or what is wired to it. Files on the net have to be there first."""
    wire = plan.wire(node, name)
    found = plan.scope.source(node, name) if wire else None
    told = plan.scope.constant(found) if found else plan.value(node, name, "")
    if told is None:
        return wire
    path = told.strip().strip("\"'") if isinstance(told, str) else ""
    return file_below_input(plan, path) if "://" in path else path


def inside_input(path: str) -> str | None:
    """The name that ComfyUI's loaders have for a file of the folder input; None for one that is elsewhere."""
    if not path:
        return ""
    inside = _ELSEWHERE.match(path)
    return inside["below"].replace("\\", "/") if inside else None


def _by_path(named: str | Wire, below: str | None, plan: Plan, values: dict, links: dict) -> None:
    if isinstance(named, tuple):
        links["path"] = named
        return
    values["path"] = named if below is None else below
    if below is None:
        _allow(plan, named)


def _allow(plan: Plan, path: str) -> None:
    """Says what the person who runs ComfyUI has to do, once, for a file outside of the folder input."""
    folder = re.split(r"[/\\][^/\\]*$", path.rstrip("/\\"))[0]
    plan.ask(f"its folder has to stand in user/__zoetrope/allowed_folders.txt: {folder}")


def file_below_input(plan: Plan, path: Any) -> str:
    """The name that ComfyUI's loaders have for a file of the folder input; says where it has to go."""
    if not isinstance(path, str) or not path.strip():
        return ""
    path = path.strip().strip('"')
    if (inside := inside_input(path)) is not None:
        return inside
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    plan.say(f"files are loaded from the folder input: put {name} there")
    return name
