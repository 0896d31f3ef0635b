"""AnimateDiff-Evolved's sample settings: noise, cfg by steps, noise schedules, FreeInit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..graph import Left, Node
from ..plan import New, Plan, Wire
from .registry import options
from .values import VARY, Value, chain, multival, option, over_steps, put
from .windows import NOISE

GUIDANCE, FREE_INIT = "ZoetropeVaryGuidance", "ZoetropeApplyFreeInit"
CFGS = ("ADE_CustomCFGSimple", "ADE_CustomCFG", "ADE_CustomCFGKeyframeSimple", "ADE_CustomCFGKeyframe")
EXTRAS = {
    "ADE_CFGExtrasPAGSimple": ("PerturbedAttentionGuidance", "scale", 3.0),
    "ADE_CFGExtrasRescaleCFGSimple": ("RescaleCFG", "multiplier", 0.7),
}
BETAS = {
    "autoselect": "auto",
    "use existing": "use existing",
    "linear (HotshotXL/default)": "linear (Stable Diffusion)",
    **{
        name: name
        for name in (
            "sqrt_linear (AnimateDiff)", "linear (AnimateDiff-SDXL)", "lcm", "lcm[100_ots]",
            "lcm >> sqrt_linear", "avg(sqrt_linear,linear)", "lcm avg(sqrt_linear,linear)",
        )
    },
}  # fmt: skip
LAYERS = ("ADE_NoiseLayerAdd", "ADE_NoiseLayerAddWeighted", "ADE_NoiseLayerReplace")
options(
    "ADE_AnimateDiffSamplingSettings", *LAYERS, *CFGS, *EXTRAS, "ADE_SigmaSchedule",
    "ADE_IterationOptsDefault", "ADE_IterationOptsFreeInit",
)  # fmt: skip


@dataclass
class Sampling:
    """What sample settings say. noise: of Context Windows. beta: in place of the loader's, or empty.
    behind: what stands behind the module, each a function of the MODEL.
    """

    noise: str = "default"
    beta: str = ""
    behind: list[Any] = field(default_factory=list)


def sampling_of(plan: Plan, node: Node, name: str = "sample_settings") -> Sampling:
    """Reads the sample settings that are wired to an input. Raises Left for what nothing here does."""
    found, settings = Sampling(), option(plan, node, name)
    if settings is None:
        return found
    if settings.type != "ADE_AnimateDiffSamplingSettings":
        raise Left(f"its {name} come from {settings.name}, and nothing here is that")
    for missing, what in (
        ("image_inject", "nothing here puts images in while sampling"),
        ("ancestral_opts", "nothing here sets the noise of ancestral samplers"),
        ("noise_calib", "nothing here calibrates noise"),
    ):
        if plan.scope.source(settings, missing):
            raise Left(what)
    _noise(plan, settings, found)
    _iterations(plan, settings, found)
    _guidance(plan, settings, found)
    if (schedule := option(plan, settings, "sigma_schedule")) is not None:
        if schedule.type != "ADE_SigmaSchedule":
            raise Left(f"its noise schedule comes from {schedule.name}, and nothing here is that")
        found.beta = beta_schedule(plan.constant(schedule, "beta_schedule", "autoselect"))
    return found


def beta_schedule(told: str, module: str = "") -> str:
    """The noise schedule by our name. Raises Left for those that nothing here has."""
    if told not in BETAS:
        raise Left(f"nothing here is the noise schedule {told}")
    if told == "autoselect" and "lcm" in module.lower():
        return "lcm"  # what that pack selects for AnimateLCM's files
    return BETAS[told]


def _noise(plan: Plan, settings: Node, found: Sampling) -> None:
    told, node = plan.constant(settings, "noise_type", "default"), settings
    for layer in chain(plan, settings, "noise_layers"):
        if _lays_over(plan, layer, told):
            told, node = plan.constant(layer, "noise_type", "default"), layer
    if told not in NOISE:
        raise Left(f"nothing here is the noise type {told}")
    found.noise = NOISE[told]
    if told == "empty":  # which is no noise, whatever the seed is
        return
    usual = {"batch_offset": 0, "seed_offset": 0, "seed_gen": "comfy", "seed_gen_override": "use existing"}
    changed = [name for name, value in usual.items() if plan.constant(node, name, value) != value]
    changed += [n for n in (node, settings) if plan.scope.source(n, "seed_override")]
    if changed or plan.constant(settings, "seed_offset", 0):
        plan.say("the start noise is another one, as with another seed")


def _lays_over(plan: Plan, layer: Node, below: str) -> bool:
    """Whether the noise of a layer takes the place of what is below; False where it adds nothing. Raises Left
    for sums of two noises.
    """
    weight = plan.constant(layer, "noise_weight", 1.0)
    balance = plan.constant(layer, "balance_multiplier", 1.0)
    is_known = layer.type in LAYERS and not plan.scope.source(layer, "mask_optional")
    if is_known and layer.type == "ADE_NoiseLayerReplace":
        return True
    is_nothing = weight == 0 or plan.constant(layer, "noise_type", "default") == "empty"
    if is_known and layer.type == "ADE_NoiseLayerAdd" and is_nothing:
        return False
    keeps_nothing = below == "empty" or (layer.type == "ADE_NoiseLayerAddWeighted" and balance == 1)
    if is_known and weight == 1 and keeps_nothing:
        return True
    raise Left("noise layers need SamplerCustomAdvanced with Combine Noise")


def _iterations(plan: Plan, settings: Node, found: Sampling) -> None:
    node = option(plan, settings, "iteration_opts")
    if node is None:
        return
    if node.type == "ADE_IterationOptsFreeInit":
        kept = {"iterations": 2, "d_s": 0.25, "d_t": 0.25}
        values = {name: plan.constant(node, name, usual) for name, usual in kept.items()}
        values["low_pass_filter"] = plan.constant(node, "filter", "gaussian")
        plan.say("FreeInit draws its fresh noise as the published code does")
        found.behind.append(lambda model: (plan.add(FREE_INIT, values, place=node, model=model), 0))
    elif node.type != "ADE_IterationOptsDefault" or plan.constant(node, "iterations", 1) != 1:
        raise Left("nothing here samples again with what came out")


def _guidance(plan: Plan, settings: Node, found: Sampling) -> None:
    given = chain(plan, settings, "custom_cfg")
    if not given:
        return
    keys: list[tuple[float, Value, Node]] = []
    for node in given:
        if node.type not in CFGS:
            raise Left(f"its cfg comes from {node.name}, and nothing here is that")
        start = plan.constant(node, "start_percent", 0.0)
        keys.append((start, _cfg(plan, node), node))
        _extras(plan, node, found, is_only=len(given) == 1)
    place = given[-1]
    value = keys[0][1] if len(keys) == 1 else _from_start(plan, keys)
    values, links = {}, {}
    put(value, "cfg", values, links)
    found.behind.append(lambda model: (plan.add(GUIDANCE, values, place=place, model=model, **links), 0))


def _cfg(plan: Plan, node: Node) -> Value:
    if "Simple" in node.type:
        if "cfg" not in node.sources:
            return float(plan.value(node, "cfg", 8.0))
        return plan.add(VARY, {}, place=node, value=node.sources["cfg"])
    value = multival(plan, node, "cfg_multival")
    if value is None:
        raise Left(f"nothing is wired to cfg_multival of {node.name}")
    return value


def _from_start(plan: Plan, keys: list[tuple[float, Value, Node]]) -> Value | None:
    """The first key of a cfg holds from the beginning."""
    keys = sorted(keys, key=lambda key: key[0])
    return over_steps(plan, None, [(0.0, *keys[0][1:]), *keys[1:]])


def _extras(plan: Plan, node: Node, found: Sampling, is_only: bool) -> None:
    extra = option(plan, node, "cfg_extras")
    if extra is None:
        return
    if extra.type not in EXTRAS or not is_only or plan.scope.source(extra, "prev_extras"):
        raise Left(f"nothing here changes the guidance as {extra.name} does")
    kind, name, usual = EXTRAS[extra.type]
    values = {name: (extra.values or {}).get(name, usual)}
    values = {k: v for k, v in values.items() if isinstance(v, (int, float))}
    found.behind.append(lambda model: (plan.add(kind, values, place=extra, model=model), 0))


__all__ = ["New", "Sampling", "Wire", "beta_schedule", "sampling_of"]
