"""The runs of AnimateDiff-Evolved that were recorded, and the same runs by this pack.

Source: tests/data/goldens/ade, made by that pack's own nodes in ComfyUI. Its networks have the published
widths, which that pack demands, and weights that are functions of their names; latents are tiny.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import comfy.sample
import comfy.supported_models
import torch
from safetensors.torch import load_file, save_file

from ...frame_values import frame_values
from ...host.injection import AS_EVOLVED, AS_EVOLVED_OLD, USE_EXISTING, MotionSettings, apply_motion_module
from ...host.injection.motion_loras import add_motion_lora_from_file
from ...host.injection.motion_models import MotionModule, motion_module_from_file
from ...host.injection.positions import adjust_positions
from ...host.sampling.varying_guidance import VaryingGuidance, vary_guidance
from ...host.windows.handler import ContextSettings, apply_context_windows
from ...motion_modules.animatediff.layers import sinusoidal_table
from ...motion_modules.positions import PositionChange
from ..gold_weights import gold_input, gold_state_dict
from ..places import GOLDENS
from .image_unets import image_unet

FOLDER = GOLDENS / "ade"
TOLERANCE = 2e-2
"""Of latents whose rms is 100 to 170. Two threads of that pack differ by 3e-3 from one."""
SEED = 7
_THEIRS = " (AnimateDiff-Evolved)"
LORA_STRENGTH, EFFECT, MASK_VALUE = 0.8, 0.6, 1.2
EFFECT_PER_FRAME = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]


class _SD15(comfy.supported_models.SD15):
    unet_extra_config = {"num_heads": 8, "num_head_channels": -1}


class Networks:
    """The checkpoint, the modules and the MotionLoRA, each made when it is first asked for.

    folder: where modules are written, 1.8 GB each, and removed again. They take 7 GB of memory together.
    """

    def __init__(self, folder):
        self.folder = folder
        self.shapes = json.loads((FOLDER / "ade_shapes.json").read_text())
        self._modules: dict[str, MotionModule] = {}

    @cached_property
    def plain(self):
        weights = gold_state_dict(self.shapes["unet"], self.shapes["gains"]["unet"])
        return image_unet(
            _SD15, weights, model_channels=320, context_dim=768, use_linear_in_transformer=False
        )

    @cached_property
    def drawn(self) -> dict[str, torch.Tensor]:
        """The weights that all versions of the module share."""
        shapes = {k: v for k, v in self.shapes["motion_module_v2"].items() if not k.endswith(".pe")}
        return gold_state_dict(shapes, self.shapes["gains"]["motion_module"])

    def module(self, version: str) -> MotionModule:
        if version not in self._modules:
            rows = self.shapes["pe_length"][version]
            shapes = {k: v for k, v in self.shapes["motion_module_v2"].items() if k.endswith(".pe")}
            tensors = self.drawn | {k: sinusoidal_table(rows, shape[2]) for k, shape in shapes.items()}
            kept = {k: v for k, v in tensors.items() if version == "v2" or not k.startswith("mid_block.")}
            with self._as_file(kept, version) as path:
                self._modules[version] = motion_module_from_file(path)
        return self._modules[version]

    def with_lora(self) -> MotionModule:
        changes = gold_state_dict(self.shapes["motion_lora_v2"], self.shapes["gains"]["motion_lora"])
        with self._as_file(changes, "lora") as path:
            return add_motion_lora_from_file(self.module("v2"), path, LORA_STRENGTH)

    @contextlib.contextmanager
    def _as_file(self, tensors: dict[str, torch.Tensor], name: str) -> Iterator[str]:
        path = self.folder / f"{name}.safetensors"
        save_file(tensors, path)
        try:
            yield str(path)
        finally:
            path.unlink()


@dataclass(frozen=True)
class PeerCase:
    """One recorded run. make: our MODEL of the same settings. strict: the tolerance where it is another."""

    make: Callable[[Networks], object]
    strict: float = TOLERANCE
    noise_seed: int | None = None


def moving(networks: Networks, version: str = "v2", **settings):
    return apply_motion_module(networks.plain, networks.module(version), MotionSettings(**settings))


def _windows(networks: Networks, length: int = 8, overlap: int = 2, **settings):
    settings = ContextSettings(context_length=length, context_overlap=overlap, **settings)
    return apply_context_windows(moving(networks), settings)


def _case(strict: float = TOLERANCE, **settings) -> PeerCase:
    return PeerCase(partial(moving, **settings), strict)


def _window_case(**settings) -> PeerCase:
    return PeerCase(partial(_windows, **settings))


def _static(fuse_method: str = "pyramid", noise_seed: int | None = None, **settings) -> PeerCase:
    schedule = f"standard_static{_THEIRS}"
    case = _window_case(overlap=3, context_schedule=schedule, fuse_method=fuse_method, **settings)
    return replace(case, noise_seed=noise_seed)


def _uniform(stride: int) -> PeerCase:
    return _window_case(context_schedule=f"standard_uniform{_THEIRS}", context_stride=stride)


def _masked():
    return frame_values([MASK_VALUE], gold_input("ade.mask", (6, 64, 64)).abs().clamp(0, 1))


def _guided(networks: Networks):
    values = frame_values([1.5], start_percent=0.5, before=frame_values([4.0]))
    return vary_guidance(moving(networks), VaryingGuidance(values))


def _stretched(networks: Networks):
    module = adjust_positions(networks.module("v2"), PositionChange(cap=16, length=24))
    return apply_motion_module(networks.plain, module, MotionSettings())


def _with_lora(networks: Networks):
    return apply_motion_module(networks.plain, networks.with_lora(), MotionSettings())


CASES: dict[str, PeerCase] = {
    "nomodule": PeerCase(lambda networks: networks.plain),
    "v2": _case(),
    "v1": _case(version="v1", group_norm=AS_EVOLVED),
    "v3": _case(version="v3"),
    "v2_motionlora": PeerCase(_with_lora),
    "v2_effect": _case(strength=EFFECT),
    "v2_scale": _case(attention_scale=1.3),
    "v2_effect_per_frame": _case(strength=frame_values(EFFECT_PER_FRAME)),
    "v2_scale_mask": _case(attention_scale=_masked()),
    "v2_effect_mask": _case(strength=_masked()),
    "v2_legacy_loader": _case(group_norm=AS_EVOLVED_OLD),
    "v2_use_existing": _case(beta_schedule=USE_EXISTING),
    "nomodule_windows": PeerCase(lambda networks: networks.plain),
    "looped_s1": _window_case(context_schedule="looped_uniform"),
    "looped_closed": _window_case(context_schedule="looped_uniform", closed_loop=True),
    "looped_s1_3steps_flat": _window_case(context_schedule="looped_uniform", fuse_method="flat"),
    "static": _static(),
    "static_flat": _static("flat"),
    **{
        f"static_{name.replace('-', '_').replace(' ', '_')}": _static(f"{name}{_THEIRS}")
        for name in (
            "overlap-linear",
            "relative",
            "delayed reverse sawtooth",
            "pyramid-sigma",
            "pyramid-sigma inverse",
            "gauss-sigma",
            "gauss-sigma inverse",
        )
    },
    "uniform_s1": _uniform(1),
    "uniform_s2": _uniform(2),
    "batched": _window_case(context_schedule=f"batched{_THEIRS}"),
    "freenoise_static": _static(noise_type="freenoise", noise_seed=123),
    "v2_4": _case(),
    "v2_keyframes": _case(
        strict=5e-3, strength=frame_values([0.4], start_percent=0.5, before=frame_values([1.0]))
    ),
    "v2_range": _case(strict=5e-3, end_percent=0.5),
    "v2_custom_cfg": PeerCase(_guided),
    "v2_pe_sweetspot": PeerCase(_stretched),
}
"""Name of a recorded run -> how this pack does it."""


def difference(name: str, networks: Networks) -> float:
    """The largest difference of our latents to the recorded ones."""
    case = CASES[name]
    recorded = json.loads((FOLDER / "ade.json").read_text())["cases"][f"y_{name}"]
    got = _sample(case, case.make(networks), recorded)
    return float((got - load_file(FOLDER / "ade.safetensors")[f"y_{name}"]).abs().max())


def _sample(case: PeerCase, model, recorded: dict) -> torch.Tensor:
    frames, (height, width) = recorded["frames"], recorded["latent"]
    zeros = torch.zeros(frames, 4, height, width)
    positive, negative = ([[gold_input(name, (1, 77, 768)), {}]] for name in ("ade.pos", "ade.neg"))
    if case.noise_seed is None:
        noise = gold_input(f"ade.noise.f{frames}.{height}x{width}", zeros.shape)
    else:
        noise = comfy.sample.prepare_noise(zeros, case.noise_seed)
    return comfy.sample.sample(
        model, noise, recorded["steps"], recorded["cfg"], "euler", "normal", positive, negative, zeros,
        disable_pbar=True, seed=SEED if case.noise_seed is None else case.noise_seed,
    )  # fmt: skip
