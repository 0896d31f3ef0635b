"""AnimateDiff-Evolved's loaders, old and new: each takes its whole cone of options with it.

What puts a MODEL out becomes Load Motion Module, Load MotionLoRA and Apply Motion Module with what stands
behind them. What shows that the numbers stay: tests/comfy/test_compatible.py, a recorded run of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..graph import Left, Node
from ..plan import Plan, Wire
from .module_settings import adjusted
from .registry import MAKES, USES, options, rule
from .sampling_options import beta_schedule, sampling_of
from .values import VARY, Value, chain, motion_keys, multival, option, over_steps, put
from .windows import in_windows

LOAD, LORA, APPLY = "ZoetropeLoadMotionModule", "ZoetropeLoadMotionLora", "ZoetropeApplyMotionModule"
AS_EVOLVED, AS_EVOLVED_OLD = "as AnimateDiff-Evolved", "as AnimateDiff-Evolved, old loaders"
"""Choices of `group_norm`; the second for loaders whose apply_v2_models_properly is off, or not there."""
OLD_CHOICE = "over all frames (AnimateDiff-Evolved)"
SIMPLE = ("ADE_ApplyAnimateDiffModelSimple", "ADE_ApplyAnimateDiffModel")
options(*SIMPLE, "ADE_AnimateDiffLoRALoader", "ADE_LoadAnimateDiffModel")


@dataclass
class Module:
    """One motion module: its file, where it is loaded, and how it acts."""

    file: str
    wire: Wire
    place: Node
    strength: Value | None = None
    scale: Value | None = None
    start: float = 0.0
    end: float = 1.0


@rule("ADE_AnimateDiffLoaderGen1", stage=USES)
def gen1(node: Node, plan: Plan) -> None:
    module = _module(plan, node, node)
    module.scale, module.strength = _values(plan, node, module.scale)
    _refuse_blocks(plan, node)
    plan.outputs = {0: _model(plan, node, [module], AS_EVOLVED)}


@rule("ADE_AnimateDiffLoaderWithContext", stage=USES)
def loader_with_context(node: Node, plan: Plan) -> None:
    module = _module(plan, node, node)
    values: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    plan.setting(node, "motion_scale", values, links, "scale", 1.0)
    if links or values["scale"] != 1.0:
        if module.scale is not None:
            raise Left("it has a motion scale and a mask of it")
        given = plan.add(VARY, {}, value=links["scale"]) if links else float(values["scale"])
        module.scale = given
    keys = motion_keys(plan, node, "ad_keyframes")
    module.scale = over_steps(plan, module.scale, keys["scale_multival"])
    module.strength = over_steps(plan, None, keys["effect_multival"])
    in_prompt = "class_type" in (node.raw or {})
    is_proper = plan.constant(node, "apply_v2_models_properly", not in_prompt)
    plan.outputs = {0: _model(plan, node, [module], AS_EVOLVED if is_proper else AS_EVOLVED_OLD)}


@rule("AnimateDiffLoaderV1", "ADE_AnimateDiffLoaderV1Advanced", stage=USES)
def loader_v1(node: Node, plan: Plan) -> None:
    module = _module(plan, node, node)
    model = _model(plan, node, [module], AS_EVOLVED_OLD)
    if node.type == "ADE_AnimateDiffLoaderV1Advanced":
        values = {name: plan.constant(node, name, usual) for name, usual in (
            ("context_length", 16), ("context_overlap", 4), ("context_stride", 1), ("closed_loop", False),
        )}  # fmt: skip
        schedule = "looped_uniform" + ("" if values["context_stride"] == 1 else " (AnimateDiff-Evolved)")
        values |= {"context_schedule": schedule, "fuse_method": "flat"}
        if values["context_length"]:
            model = (plan.add("ZoetropeApplyContextWindows", values, model=model), 0)
    plan.outputs = {0: model, 1: plan.wire(node, "latents")}


@rule("ADE_UseEvolvedSampling", stage=USES)
def use_evolved_sampling(node: Node, plan: Plan) -> None:
    modules = [_applied(plan, given) for given in chain(plan, node, "m_models")]
    plan.outputs = {0: _model(plan, node, modules, AS_EVOLVED)}


@rule("CheckpointLoaderSimpleWithNoiseSelect", stage=MAKES)
def checkpoint(node: Node, plan: Plan) -> None:
    if plan.constant(node, "use_custom_scale_factor", False):
        raise Left("it sets the scale of latents, and nothing here does")
    told = plan.constant(node, "beta_schedule", "use existing")
    made = plan.add("CheckpointLoaderSimple", {"ckpt_name": plan.constant(node, "ckpt_name", "")})
    plan.outputs = {slot: (made, slot) for slot in range(3)}
    if told != "use existing" and _reaches_sampler(plan, node):
        plan.say(f"samplers without a motion module have the checkpoint's own noise schedule, and not {told}")


def _reaches_sampler(plan: Plan, node: Node) -> bool:
    """Whether the MODEL of a loader comes to a sampler without a motion module, which sets the schedule."""
    seen, stack = set(), [(node.id, 0)]
    while stack:
        node_id, output = stack.pop()
        for user, name, slot in plan.scope.final_users(node_id):
            if slot != output or (user.id, name) in seen or user.type == APPLY:
                continue
            seen.add((user.id, name))
            if "latent_image" in dict(user.sockets) or user.type in (
                "BasicScheduler",
                "CFGGuider",
                "BasicGuider",
            ):
                return True
            kinds = [kind for _, kind in user.outputs]
            stack += [(user.id, i) for i, kind in enumerate(kinds) if kind == "MODEL"]
    return False


@rule("ADE_AnimateDiffUnload", stage=MAKES)
def unload(node: Node, plan: Plan) -> None:
    """The MODEL from before the motion modules, found where only our nodes are between."""
    source = plan.scope.source(node, "model")
    while source is not None and (there := plan.scope.nodes.get(source[0])) is not None and there.is_new:
        source = there.sources.get("model")
        if there.type == APPLY and source is not None and not _is_ours(plan, source):
            plan.outputs = {0: source}
            return
    raise Left("between it and the motion module are other nodes; wire the MODEL from before the module")


def _is_ours(plan: Plan, source: Wire) -> bool:
    found = plan.scope.behind(source)
    node = plan.scope.nodes.get(found[0]) if found else None
    return node is not None and node.is_new and "model" in node.sources


def _module(plan: Plan, node: Node, loader: Node) -> Module:
    """Load Motion Module with the changes, and MotionLoRAs, that are wired to a loader."""
    named: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    plan.setting(loader, "model_name", named, links, "motion_module", "")
    wire: Wire = (plan.add(LOAD, named, place=loader, **links), 0)
    name = "ad_settings" if "ad_settings" in loader.sources else "motion_model_settings"
    wire, scale = adjusted(plan, wire, loader, name)
    wire = _with_loras(plan, wire, node)
    return Module(str(named.get("motion_module", "")), wire, node, scale=scale)


def _with_loras(plan: Plan, wire: Wire, node: Node) -> Wire:
    for lora in chain(plan, node, "motion_lora"):
        if lora.type != "ADE_AnimateDiffLoRALoader":
            raise Left(f"its motion_lora comes from {lora.name}, and nothing here is that")
        values: dict[str, Any] = {"lora_name": plan.constant(lora, "name", plan.value(lora, "lora_name", ""))}
        links: dict[str, Wire] = {}
        plan.setting(lora, "strength", values, links, "strength", 1.0)
        wire = (plan.add(LORA, values, place=lora, motion_module=wire, **links), 0)
    return wire


def _applied(plan: Plan, node: Node) -> Module:
    """A node of the kind Apply AnimateDiff Model, with the loader that is wired to it."""
    if node.type not in SIMPLE:
        raise Left(f"its m_models come from {node.name}, and nothing here is that")
    loader = option(plan, node, "motion_model")
    if loader is None:
        raise Left(f"nothing is wired to motion_model of {node.name}")
    if loader.type != "ADE_LoadAnimateDiffModel":
        raise Left(f"the motion module of {node.name} comes from {loader.name}, and nothing here is that")
    _refuse_blocks(plan, node)
    module = _module(plan, node, loader)
    module.scale, module.strength = _values(plan, node, module.scale)
    module.start = plan.constant(node, "start_percent", 0.0)
    module.end = plan.constant(node, "end_percent", 1.0)
    return module


def _values(plan: Plan, node: Node, masked: Value | None) -> tuple[Value | None, Value | None]:
    """(scale, effect) of a node with multivals and key frames."""
    keys = motion_keys(plan, node, "ad_keyframes")
    scale = multival(plan, node, "scale_multival")
    if masked is not None and scale is not None:
        raise Left("it has a scale_multival and a mask of the motion scale")
    scale = over_steps(plan, masked if scale is None else scale, keys["scale_multival"])
    return scale, over_steps(plan, multival(plan, node, "effect_multival"), keys["effect_multival"])


def _refuse_blocks(plan: Plan, node: Node) -> None:
    if plan.scope.source(node, "per_block"):
        raise Left("it has values for single blocks; Vary Value by Block has them as text")


def _model(plan: Plan, node: Node, modules: list[Module], norms: str) -> Wire:
    """The MODEL behind motion modules, what sample settings add, and context windows."""
    sampling, model = sampling_of(plan, node), plan.wire(node, "model")
    told = plan.constant(node, "beta_schedule", "autoselect")
    if not modules and not sampling.beta and told not in ("autoselect", "use existing"):
        raise Left(f"it sets the noise schedule {told} without a motion module")
    if not modules and sampling.beta:
        raise Left("it sets a noise schedule without a motion module")
    for module in modules:
        values: dict[str, Any] = {
            "beta_schedule": sampling.beta or beta_schedule(told, modules[0].file),
            "group_norm": _norms(plan, norms), "start_percent": module.start, "end_percent": module.end,
        }  # fmt: skip
        links: dict[str, Wire] = {} if model is None else {"model": model}
        put(module.strength, "strength", values, links)
        put(module.scale, "attention_scale", values, links)
        model = (plan.add(APPLY, values, place=module.place, motion_module=module.wire, **links), 0)
    for add in sampling.behind:
        model = add(model)
    behind = in_windows(plan, model, node, "context_options", sampling.noise)
    if behind == model and sampling.noise != "default":
        behind = _noise_without_windows(plan, node, model, sampling.noise)
    if behind is None:
        raise Left("nothing is wired to its model")
    return behind


def _noise_without_windows(plan: Plan, node: Node, model: Wire | None, noise: str) -> Wire:
    """A kind of start noise belongs to Context Windows here; without options there are none there."""
    values = {"context_length": 4096, "context_overlap": 0, "noise_type": noise}
    if noise in ("freenoise", "repeated"):
        values |= {"context_length": 16, "context_overlap": 4}
        plan.say("videos of more than 16 frames are sampled in windows")
    return (plan.add("ZoetropeApplyContextWindows", values, model=model), 0)


def _norms(plan: Plan, choice: str) -> str:
    return choice if choice in (plan.targets.inputs(APPLY)["group_norm"].choices or ()) else OLD_CHOICE
