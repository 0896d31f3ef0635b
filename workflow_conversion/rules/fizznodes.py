"""Prompts and numbers over frames, of FizzNodes and AnimateDiff-Evolved."""

from __future__ import annotations

from typing import Any

from ..graph import Left, Node, Output, Scope
from ..plan import Plan, Wire
from .registry import MAKES, TAKES, rule

PROMPTS, NUMBERS = "ZoetropeSchedulePrompts", "ZoetropeScheduleValues"
CONDITIONS = ("positive", "negative", "guider", "conditioning")
"""Inputs of samplers and of what stands before them."""
FIZZ, PW = "FizzNodes", ("pw_a", "pw_b", "pw_c", "pw_d")


@rule("PromptSchedule", stage=TAKES)
def prompt(node: Node, plan: Plan) -> None:
    """The prompts of one frame alone."""
    values: dict[str, Any] = {"read_as": FIZZ, "curve": "linear", "loop": False}
    links: dict[str, Wire] = {}
    for name in ("text", "pre_text", "app_text"):
        plan.setting(node, name, values, links, name, "")
    plan.setting(node, "max_frames", values, links, "num_frames", 120)
    plan.setting(node, "current_frame", values, links, "frame", 0)
    if isinstance(values.get("frame"), int) and isinstance(values.get("num_frames"), int):
        values["frame"] %= max(1, values["num_frames"])  # as there, where frames begin again
    for name in PW:
        _printed(node, plan, name, values, links)
    made = plan.add(PROMPTS, values, clip=plan.wire(node, "clip"), **links)
    plan.outputs = {0: (made, 0), 1: (made, 1)}


@rule("BatchPromptSchedule", "BatchPromptScheduleLatentInput", stage=TAKES)
def prompts(node: Node, plan: Plan) -> None:
    values: dict[str, Any] = {"read_as": FIZZ, "curve": "linear", "loop": False}
    links: dict[str, Wire] = {}
    for name in ("text", "pre_text", "app_text"):
        plan.setting(node, name, values, links, name, "")
    _finish_prompts(node, plan, values, links)


@rule("BatchPromptScheduleEncodeSDXL", "BatchPromptScheduleSDXLLatentInput", stage=TAKES)
def prompts_sdxl(node: Node, plan: Plan) -> None:
    values: dict[str, Any] = {"read_as": FIZZ, "curve": "linear", "loop": False}
    links: dict[str, Wire] = {}
    for new, old in (("text", "text_g"), ("pre_text", "pre_text_G"), ("app_text", "app_text_G")):
        plan.setting(node, old, values, links, new, "")
    if "text_l" in node.sources or plan.value(node, "text_l", "") not in ("", values.get("text")):
        plan.say("both text encoders get text_g")
    plan.say("sizes of pictures are not told to SDXL")
    _finish_prompts(node, plan, values, links)


def _finish_prompts(node: Node, plan: Plan, values: dict, links: dict) -> None:
    if plan.constant(node, "start_frame", 0):
        raise Left("its start_frame is not 0, and prompts begin with the first frame here")
    clip = plan.wire(node, "clip")
    for name in PW:
        _printed(node, plan, name, values, links)
    if "num_latents" in node.sources:
        links["latent"] = node.sources["num_latents"]
        frames = None
    else:
        plan.setting(node, "max_frames", values, links, "num_frames", 120)
        frames = values.get("num_frames")
        latent = latents_behind(plan.scope, node)
        if latent is not None:
            links["latent"] = latent
        _say_length(node, plan, frames, latent, values)
    made = plan.add(PROMPTS, values, clip=clip, **links)
    plan.outputs = {0: (made, 0), 1: (made, 1)}
    if "num_latents" in node.sources:
        plan.outputs[2] = node.sources["num_latents"]


def _say_length(node: Node, plan: Plan, frames: Any, latent: Output | None, values: dict) -> None:
    """There a list that is too long is cut by ComfyUI; here the frames of the video count."""
    known = _known_batch(plan, latent)
    if latent is None:
        plan.say("prompts are refused for another number of frames than num_frames")
    elif isinstance(frames, (int, float)) and known is not None and known > frames:
        plan.say(f"frames behind number {int(frames)} keep the last prompt, where they began again")
    if "max_f" in str(values.get("text", "")) and known != frames:
        plan.say("max_f is the last frame of the video")


def _known_batch(plan: Plan, latent: Output | None) -> float | None:
    """The frames of an Empty Latent Image."""
    found = plan.scope.behind(latent) if latent else None
    node = plan.scope.nodes.get(found[0]) if found else None
    if node is None or "batch_size" in node.sources or node.raw is None:
        return None
    if node.type in ("EmptyLatentImage", "ADE_EmptyLatentImageLarge"):
        inputs, saved = node.raw.get("inputs"), node.raw.get("widgets_values")
        told = inputs.get("batch_size") if isinstance(inputs, dict) else None
        if isinstance(saved, list) and len(saved) >= 3:
            told = saved[2]
        return told if isinstance(told, (int, float)) else None
    return None


def latents_behind(scope: Scope, node: Node) -> Output | None:
    """The latents that the samplers behind a node start from, where these do not come from it themselves."""
    behind, stack = {node.id}, [node.id]
    found: list[Output] = []
    while stack:
        for user, name, _ in scope.final_users(stack.pop()):
            kinds = dict(user.sockets)
            given = [n for n in user.sources if n == "latent_image" or kinds.get(n) == "LATENT"]
            if given and any(part in name for part in CONDITIONS):
                found.append(user.sources[given[0]])
            if user.id not in behind:
                behind.add(user.id)
                stack.append(user.id)
    return next((latent for latent in found if latent[0] not in behind), None)


def _printed(node: Node, plan: Plan, name: str, values: dict, links: dict) -> None:
    """Numbers that `pw_a` stands for; one number is a list of one."""
    if name in node.sources:
        links[name] = node.sources[name]
        return
    number = plan.value(node, name, 0)
    if number and name in str(values.get("text", "")):
        made = plan.add(NUMBERS, {"text": f"0: ({number})", "num_frames": 1, "curve": "linear"})
        links[name] = (made, 0)


@rule("BatchValueSchedule", "BatchValueScheduleLatentInput", "ValueSchedule", stage=MAKES)
def numbers(node: Node, plan: Plan) -> None:
    values: dict[str, Any] = {"read_as": FIZZ, "curve": "linear", "loop": False}
    links: dict[str, Wire] = {}
    plan.setting(node, "text", values, links, "text", "")
    if "num_latents" in node.sources:
        count = plan.add("ZoetropeCountFrames", {}, frames=node.sources["num_latents"])
        links["num_frames"] = (count, 0)
    else:
        plan.setting(node, "max_frames", values, links, "num_frames", 120)
    if node.type == "ValueSchedule":
        plan.setting(node, "current_frame", values, links, "frame", 0)
    made = plan.add(NUMBERS, values, **links)
    _number_outputs(node, plan, (made, 1 if node.type == "ValueSchedule" else 0))
    if node.type == "BatchValueScheduleLatentInput":
        plan.outputs[2] = node.sources.get("num_latents")


def _number_outputs(node: Node, plan: Plan, floats: Wire) -> None:
    """FLOAT and INT there; whole numbers of a list are not here."""
    plan.outputs[0] = floats
    used = {slot for _, _, slot in plan.scope.final_users(node.id)}
    if 1 in used and floats[1] == 1:
        plan.outputs[1] = (plan.add("ComfyNumberConvert", {}, value=floats), 1)


@rule("ADE_ValueScheduling", "ADE_ValueSchedulingLatents", stage=MAKES)
def evolved_numbers(node: Node, plan: Plan) -> None:
    values: dict[str, Any] = {"read_as": "Zoetrope", "curve": "linear", "loop": False}
    links: dict[str, Wire] = {}
    plan.setting(node, "values", values, links, "text", "")
    _evolved_length(node, plan, values, links, "latent")
    made = plan.add(NUMBERS, values, **links)
    plan.outputs = {0: (made, 0), 1: (made, 0)}


@rule("ADE_FloatToFloats", stage=MAKES)
def floats(node: Node, plan: Plan) -> None:
    plan.outputs = {0: plan.wire(node, "FLOAT")}
    if plan.outputs[0] is None:
        raise Left("nothing is wired to it")


@rule("ADE_PromptScheduling", "ADE_PromptSchedulingLatents", stage=TAKES)
def evolved_prompts(node: Node, plan: Plan) -> None:
    if plan.scope.source(node, "values_replace"):
        raise Left("it replaces values under names of one's own; write pw_a to pw_d in backticks")
    values: dict[str, Any] = {
        "read_as": "Zoetrope",
        "loop": False,
        "curve": "compounding (AnimateDiff-Evolved)",
    }
    links: dict[str, Wire] = {}
    for old, new in (("prompts", "text"), ("prepend_text", "pre_text"), ("append_text", "app_text")):
        plan.setting(node, old, values, links, new, "")
    if plan.value(node, "tensor_interp", "lerp") != "lerp":
        plan.say("prompts are mixed along a line, not along a circle")
    latents = plan.wire(node, "latent")
    if latents is not None:
        links["latent"] = latents
    elif (behind := latents_behind(plan.scope, node)) is not None:
        links["latent"] = behind
    elif plan.constant(node, "max_length", 0):
        values["num_frames"] = plan.constant(node, "max_length")
    else:
        raise Left("it does not say for how many frames, and no sampler behind it does")
    made = plan.add(PROMPTS, values, clip=plan.wire(node, "clip"), **links)
    plan.outputs = {0: (made, 0), 1: latents}


def _evolved_length(node: Node, plan: Plan, values: dict, links: dict, name: str) -> None:
    if name in node.sources:
        links["num_frames"] = (plan.add("ZoetropeCountFrames", {}, frames=node.sources[name]), 0)
        return
    length = plan.constant(node, "max_length", 0)
    if not length:
        raise Left("it does not say for how many frames")
    values["num_frames"] = length


@rule("ConcatStringSingle", stage=MAKES)
def concatenate(node: Node, plan: Plan) -> None:
    values: dict[str, Any] = {"delimiter": ""}
    links: dict[str, Wire] = {}
    for name in ("string_a", "string_b"):
        plan.setting(node, name, values, links, name, "")
    plan.outputs = {0: (plan.add("StringConcatenate", values, **links), 0)}
