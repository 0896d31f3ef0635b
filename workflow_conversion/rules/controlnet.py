"""Advanced-ControlNet: ComfyUI's own ControlNet nodes, with ControlNet over Time for what changes."""

from __future__ import annotations

import math
from typing import Any

from ..graph import Left, Node
from ..plan import New, Plan, Wire
from .registry import TAKES, USES, options, rule
from .values import PREVIOUS, VARY, Value, chain, option, over_steps, put

OVER_TIME, APPLY, APPLY_ONE = "ZoetropeControlNetOverTime", "ControlNetApplyAdvanced", "ControlNetApply"
SOFT = ("ScaledSoftControlNetWeights", "ACN_ScaledSoftControlNetWeights")
DEFAULT = "ACN_DefaultUniversalWeights"
KEY = "TimestepKeyframe"
SPARSE = {
    "motion_scale": "attention_scale", "sparse_hint_mult": "strength_at_images",
    "sparse_nonhint_mult": "strength_elsewhere", "sparse_mask_mult": "mask_value",
}  # fmt: skip
EASES = {
    "linear": lambda x: x,
    "ease-in": lambda x: x * x,
    "ease-out": lambda x: 1 - (1 - x) ** 2,
    "ease-in-out": lambda x: (1 - math.cos(x * math.pi)) / 2,
}
"""How strengths of Latent Keyframe Interpolation go from the first to the last, 0 to 1."""
PREPROCESSOR = "ACN_SparseCtrlRGBPreprocessor"
LATENT_KEYS = ("LatentKeyframe", "LatentKeyframeGroup", "LatentKeyframeTiming")
PLACES = {"uniform": "spread", "starting": "starting", "ending": "ending", "center": "centre"}
options(
    *SOFT, DEFAULT, KEY, *LATENT_KEYS, PREPROCESSOR, "ACN_SparseCtrlIndexMethodNode",
    "ACN_SparseCtrlSpreadMethodNode",
)  # fmt: skip


@rule("ControlNetLoaderAdvanced", "ACN_ControlNetLoaderAdvanced", stage=TAKES)
def load(node: Node, plan: Plan) -> None:
    name = plan.constant(node, "control_net_name", plan.value(node, "cnet", ""))
    loaded: Wire = (plan.add("ControlNetLoader", {"control_net_name": name}), 0)
    plan.outputs = {0: over_time(plan, loaded, node, _key_input(node))}


@rule("DiffControlNetLoaderAdvanced", "ACN_DiffControlNetLoaderAdvanced", stage=TAKES)
def load_difference(node: Node, plan: Plan) -> None:
    name = plan.constant(node, "control_net_name", plan.value(node, "cnet", ""))
    made = plan.add("DiffControlNetLoader", {"control_net_name": name}, model=plan.wire(node, "model"))
    plan.outputs = {0: over_time(plan, (made, 0), node, _key_input(node))}


def _key_input(node: Node) -> str:
    names = ("timestep_keyframe", "tk_optional", "_tk_opt", "timestep_kf")
    return next((name for name in names if name in node.sources), names[0])


@rule("ACN_AdvancedControlNetApply", "ACN_AdvancedControlNetApply_v2", stage=USES)
def apply_advanced(node: Node, plan: Plan) -> None:
    values, links = _numbers(node, plan)
    image, vae = _hint(node, plan)
    conds = {name: plan.wire(node, name) for name in ("positive", "negative")}
    made = plan.add(APPLY, values, **conds, control_net=_net(node, plan), image=image, vae=vae, **links)
    plan.outputs = {0: (made, 0), 1: (made, 1), 2: plan.wire(node, "model_optional")}


@rule("ACN_AdvancedControlNetApplySingle", "ACN_AdvancedControlNetApplySingle_v2", stage=USES)
def apply_one(node: Node, plan: Plan) -> None:
    values, links = _numbers(node, plan)
    image, vae = _hint(node, plan)
    cond, net = plan.wire(node, "conditioning"), _net(node, plan)
    whole = (
        not links.keys() - {"strength"}
        and values.get("start_percent") == 0
        and values.get("end_percent") == 1
    )
    if whole and vae is None:
        values = {name: value for name, value in values.items() if name == "strength"}
        made = plan.add(APPLY_ONE, values, conditioning=cond, control_net=net, image=image, **links)
    else:
        given = {"positive": cond, "negative": cond, "control_net": net, "image": image, "vae": vae}
        made = plan.add(APPLY, values, **given, **links)
        plan.say("the negative prompt has to get its own ControlNet")
    plan.outputs = {0: (made, 0), 1: plan.wire(node, "model_optional")}


def _numbers(node: Node, plan: Plan) -> tuple[dict[str, Any], dict[str, Wire]]:
    values: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    for name, usual in (("strength", 1.0), ("start_percent", 0.0), ("end_percent", 1.0)):
        plan.setting(node, name, values, links, name, usual)
    return values, links


def _hint(node: Node, plan: Plan) -> tuple[Wire | None, Wire | None]:
    """(image, VAE); SparseCtrl's preprocessor is what ComfyUI's node does with a VAE."""
    found = plan.scope.source(node, "image")
    given = plan.scope.nodes.get(found[0]) if found else None
    if given is not None and given.type == PREPROCESSOR:
        plan.options[given.id] = given
        return plan.wire(given, "image"), plan.wire(given, "vae")
    return plan.wire(node, "image"), plan.wire(node, "vae_optional")


def _net(node: Node, plan: Plan) -> Wire | None:
    """The ControlNet, with the mask, weights and key frames of the node that applies it."""
    net = plan.wire(node, "control_net")
    if net is None:
        return None
    mask = plan.wire(node, "mask_optional")
    masked = plan.add(VARY, {"value": 1.0, "outside": 0.0}, mask=mask) if mask is not None else None
    weights = option(plan, node, "weights_override")
    return over_time(plan, net, node, "timestep_kf", masked, weights, "latent_kf_override")


def over_time(
    plan: Plan, net: Wire, node: Node, keys: str, strength: Value | None = None, weights: Node | None = None,
    latent_keys: str = "",
) -> Wire:  # fmt: skip
    """The ControlNet behind ControlNet over Time, where something about it changes."""
    given: list[tuple[float, Value, Node]] = []
    for key in chain(plan, node, keys):
        if key.type in SOFT or key.type == DEFAULT:
            weights = weights or key
            continue
        if key.type != KEY:
            raise Left(f"its key frame {key.name} is nothing here")
        own = option(plan, key, "cn_weights" if "cn_weights" in key.sources else "control_net_weights")
        if weights is not None and own is not None and own is not weights:
            raise Left("its weights change from key frame to key frame")
        weights = own or weights
        if plan.scope.source(key, "mask_optional"):
            raise Left("a key frame has a mask of its own")
        given.append((plan.constant(key, "start_percent", 0.0), _key_strength(plan, key, node), key))
    if latent_keys and (frames := option(plan, node, latent_keys)) is not None:
        if given or strength is not None:
            raise Left("it has both strengths of frames and of steps, or a mask")
        strength = _by_frame(plan, frames, node, 0.0)
    if len(given) == 1 and given[0][0] == 0 and given[0][1] == 1.0:
        given = []
    strength = over_steps(plan, strength, given)
    values, links = _weights(plan, weights)
    put(strength, "strength", values, links)
    if not values and not links:
        return net
    return (plan.add(OVER_TIME, values, place=weights or node, control_net=net, **links), 0)


def _key_strength(plan: Plan, key: Node, node: Node) -> Value:
    strength = float(plan.constant(key, "strength", 1.0))
    frames = option(plan, key, "latent_keyframe")
    if frames is None:
        return strength
    return _by_frame(plan, frames, node, plan.constant(key, "null_latent_kf_strength", 0.0), strength)


def _weights(plan: Plan, node: Node | None) -> tuple[dict[str, Any], dict[str, Wire]]:
    values: dict[str, Any] = {}
    if node is None or node.type == DEFAULT:
        return values, {}
    if node.type not in SOFT:
        raise Left(f"its weights come from {node.name}, and nothing here is that")
    if plan.scope.source(node, "cn_extras"):
        raise Left("its weights have extras")
    values["soft_weights"] = plan.constant(node, "base_multiplier", 0.825)
    values["flip_weights"] = plan.value(node, "flip_weights", False)
    values["negative_strength"] = plan.value(node, "uncond_multiplier", 1.0)
    return values, {}


def _by_frame(plan: Plan, last: Node, node: Node, elsewhere: float, factor: float = 1.0) -> New:
    """Strengths of single frames as a list; as many frames as the latents of the sampler have."""
    from .fizznodes import latents_behind

    strengths: dict[int, float] = {}
    row, key = [], last
    while key is not None and key not in row:
        row.insert(0, key)
        key = option(plan, key, next((n for n in PREVIOUS["latent_keyframe"] if n in key.sources), ""))
    for key in row:
        strengths |= _frames_of(plan, key)
    if not strengths or min(strengths) < 0:
        raise Left("its strengths of frames count from the end")
    latent = latents_behind(plan.scope, node) or next(
        (f for user, _, _ in plan.scope.final_users(node.id) if (f := latents_behind(plan.scope, user))), None
    )
    if latent is None:
        raise Left("no sampler behind it says how many frames there are")
    count = plan.add("ZoetropeCountFrames", {}, place=last, frames=latent)
    numbers = [strengths.get(i, elsewhere) * factor for i in range(max(strengths) + 1)] + [elsewhere * factor]
    text = ", ".join(f"{i}: ({number:g})" for i, number in enumerate(numbers))
    values = {"text": text, "curve": "hold", "loop": False, "read_as": "Zoetrope"}
    listed = plan.add("ZoetropeScheduleValues", values, place=last, num_frames=(count, 0))
    return plan.add(VARY, {}, place=last, value=(listed, 0))


def _frames_of(plan: Plan, key: Node) -> dict[int, float]:
    if key.type == "LatentKeyframe":
        return {int(plan.constant(key, "batch_index", 0)): float(plan.constant(key, "strength", 1.0))}
    if key.type == "LatentKeyframeTiming":
        first, last = (int(plan.constant(key, f"batch_index_{end}", 0)) for end in ("from", "to_excl"))
        begin, end = (float(plan.constant(key, f"strength_{end}", 1.0)) for end in ("from", "to"))
        curve = EASES.get(plan.value(key, "interpolation", "linear"))
        if curve is None or plan.value(key, "revert", False) is True or not 0 < last - first <= 4096:
            raise Left("its strengths of frames go along an unknown curve")
        steps = max(1, last - first - 1)
        return {first + i: begin + (end - begin) * curve(i / steps) for i in range(last - first)}
    if key.type == "LatentKeyframeGroup":
        return _group(plan.constant(key, "index_strengths", ""))
    raise Left(f"its strengths of frames come from {key.name}, and nothing here is that")


def _group(text: str) -> dict[int, float]:
    """Frames and strengths as 0, 3=0.5, 4:8=0.2; the end of a range is not in it."""
    found: dict[int, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        frames, _, strength = part.partition("=")
        first, is_range, last = frames.partition(":")
        try:
            begin = int(first)
            end = int(last) if is_range else begin + 1
            found |= dict.fromkeys(range(begin, min(end, begin + 4096)), float(strength or 1.0))
        except ValueError:
            raise Left("its strengths of frames are written in a way that cannot be read") from None
    return found


@rule("ACN_SparseCtrlLoaderAdvanced", stage=TAKES)
def load_sparse(node: Node, plan: Plan) -> None:
    name = plan.constant(node, "sparsectrl_name", "")
    loaded = plan.add("ZoetropeLoadSparseCtrl", {"control_net_name": name})
    values: dict[str, Any] = {"place": "spread"}
    links: dict[str, Wire] = {}
    method = option(plan, node, "sparse_method")
    if method is not None and method.type == "ACN_SparseCtrlIndexMethodNode":
        values["place"] = "at frames"
        plan.setting(method, "indexes", values, links, "frames", "0")
    elif method is not None and method.type == "ACN_SparseCtrlSpreadMethodNode":
        values["place"] = PLACES.get(plan.constant(method, "spread", "uniform"), "spread")
    elif method is not None:
        raise Left(f"its places come from {method.name}, and nothing here is that")
    if plan.constant(node, "use_motion", True):
        plan.setting(node, "motion_strength", values, links, "motion_strength", 1.0)
    else:
        values["motion_strength"] = 0.0
    for old, new in SPARSE.items():
        plan.setting(node, old, values, links, new, 1.0)
    is_aware = plan.constant(node, "context_aware", "nearest_hint") == "nearest_hint"
    values["windows_without_images"] = "nearest image" if is_aware else "no image"
    placed: Wire = (plan.add("ZoetropePlaceSparseImages", values, control_net=(loaded, 0), **links), 0)
    plan.say("SparseCtrl's numbers are those of the published code")
    plan.outputs = {0: over_time(plan, placed, node, _key_input(node))}
