"""The parts of `bench gpu`, one in a process: `python dev.py run benchmarks.gpu_parts PART FOLDER`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from ..devtools.base_folder import link_folder, make_base, put_demo_weights
from ..devtools.comfyui import find_comfyui
from ..devtools.paths import PACK
from ..devtools.server import ComfyServer
from . import animatediff_packs as packs
from . import video_full_size
from .animatediff import full_path
from .animatediff_packs import Inputs
from .peak_memory import Peak
from .step_times import ratios, times_of
from .video_files import SIZES, write_file

MIB = 2**20


@dataclass(frozen=True)
class Place:
    """Where the models are and which they are. small: the tiny family and sizes instead of full ones."""

    folder: Path
    small: bool
    peer: Path | None = None

    @property
    def base(self) -> Path:
        return self.folder / "base"

    @property
    def repeats(self) -> int:
        """Of what is timed."""
        return 1 if self.small else 3

    @property
    def inputs(self) -> Inputs:
        if self.small:
            return Inputs("zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors", 64, 1)
        return Inputs("full_size_sd15.safetensors", "full_size_mm_v2.safetensors", 512, 8)

    def checkpoint(self, dtype: torch.dtype | None = None):
        """The image checkpoint as MODEL; dtype: of its weights and of what it computes in."""
        import comfy.sd

        from ..host.files import demo_family

        demo_family.register()
        path = self.base / "models" / "checkpoints" / self.inputs.checkpoint
        options = {} if dtype is None else {"dtype": dtype}
        return comfy.sd.load_checkpoint_guess_config(
            str(path), output_vae=False, output_clip=False, model_options=options
        )[0]

    def moving(self, model):
        """That MODEL with the motion module."""
        from ..host.injection import MotionSettings, apply_motion_module
        from ..host.injection.motion_models import motion_module_from_file

        path = self.base / "models" / "animatediff_models" / self.inputs.module
        return apply_motion_module(model, motion_module_from_file(str(path)), MotionSettings())


def main(arguments: list[str]) -> dict:
    """Prints what a part found as one JSON object in the last line; returns that object."""
    parser = argparse.ArgumentParser(prog="bench gpu_parts", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("folder", type=Path, help="where the models of the part `files` lie")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--peer", type=full_path)
    options = parser.parse_args(arguments)
    result = PARTS[options.part](Place(options.folder, options.small, options.peer))
    print(json.dumps(result))
    return result


def files(place: Place) -> dict:
    """Writes the models of the other parts, and says what they will run on."""
    import comfy.model_management

    from .full_size import write_module, write_sd15_checkpoint

    models = make_base(place.base) / "models"
    if place.small:
        put_demo_weights(models)
    else:
        write_sd15_checkpoint(models / "checkpoints" / place.inputs.checkpoint)
        write_module(models / "animatediff_models" / place.inputs.module)
    device = comfy.model_management.get_torch_device()
    return {"device": comfy.model_management.get_torch_device_name(device), "torch": torch.__version__}


def step(place: Place) -> dict:
    """A sampling step with and without the module: time, and memory that the step takes."""
    plain = place.checkpoint()
    moving, found = place.moving(plain), {}
    for name, model in (("plain", plain), ("motion", moving)):
        sampled(model, place.inputs.size)  # loads the weights
        with Peak(plain.load_device) as memory:
            sampled(model, place.inputs.size)
        found[f"{name}_peak_mib"] = round(memory.more / MIB, 1)
    return ratios(times_of(plain, moving, place.inputs.size, place.repeats)) | found


def dynamic_vram(place: Place) -> dict:
    """A run in a ComfyUI server with its dynamic VRAM and in one without: time, memory, the same latents?"""
    nodes = packs.our_nodes(place.inputs)
    on, latents = in_server(place, PACK, nodes)
    off, others = in_server(place, PACK, nodes, "--disable-dynamic-vram")
    found = {f"{key}_{name}": value for name, run in (("on", on), ("off", off)) for key, value in run.items()}
    return found | {"difference": float((latents - others).abs().max())}


def peer(place: Place) -> dict:
    """A run in this pack and in AnimateDiff-Evolved, in a server each."""
    link_folder(place.base / "custom_nodes" / packs.PEER, place.peer)
    ours, latents = in_server(place, PACK, packs.our_nodes(place.inputs))
    theirs, others = in_server(place, packs.PEER, packs.peer_nodes(place.inputs))
    return {
        **ours,
        **{f"peer_{key}": value for key, value in theirs.items()},
        "module_ratio": round(ours["module_seconds"] / theirs["module_seconds"], 4),
        "difference": float((latents - others).abs().max()),
    }


def in_server(place: Place, pack: str, nodes: dict, *flags: str) -> tuple[dict, torch.Tensor]:
    """A run with the module, which loads everything, then one without and one with it, which are timed.

    Gives seconds of both, of the module in a step, MiB that torch and the device hold behind them, and the
    latents (F, 4, H, W) of the first run.
    """
    cpu = () if torch.cuda.is_available() else ("--cpu",)
    options = (*cpu, "--disable-api-nodes", "--whitelist-custom-nodes", pack, *flags)
    log = place.folder / f"{pack}.log"
    with ComfyServer(sys.executable, find_comfyui(), place.base, log=log, options=options) as server:
        packs.check_nodes(server, pack, nodes)
        latents, _ = packs.sample(server, packs.graph(nodes, packs.MOVING, place.inputs, 0))
        _, plain = packs.sample(server, packs.graph({}, "base", place.inputs, 0))
        _, motion = packs.sample(server, packs.graph(nodes, packs.MOVING, place.inputs, 1))
        device = server.request("/system_stats")["devices"][0]
    return {
        "plain_seconds": round(plain["wall"], 3),
        "motion_seconds": round(motion["wall"], 3),
        "module_seconds": round((motion["wall"] - plain["wall"]) / place.inputs.steps, 4),
        "torch_mib": round(device["torch_vram_total"] / MIB),
        "device_mib": round((device["vram_total"] - device["vram_free"]) / MIB),
    }, latents


def half(place: Place) -> dict:
    """One step in half precision against float32: the distance in standard deviations, None if not finite."""

    def result(dtype: torch.dtype) -> torch.Tensor:
        return sampled(place.moving(place.checkpoint(dtype)), place.inputs.size)

    exact = result(torch.float32)
    found = {}
    for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
        out = result(dtype)
        distance = float((out - exact).square().mean().sqrt() / exact.std())
        found |= {f"{name}_finite": bool(out.isfinite().all()), f"{name}_distance": round(distance, 6)}
    return found


def windows(place: Place) -> dict:
    """A step on 64 frames in windows of 16, overlap 4, by the number of windows that share a call."""
    from ..host.windows import ContextSettings, apply_context_windows

    model, found = place.moving(place.checkpoint()), {}
    num_frames = 28 if place.small else 64
    for count in (1, 2, 4, 0):
        settings = ContextSettings(context_length=16, context_overlap=4, windows_per_batch=count)
        windowed = apply_context_windows(model, settings)
        name = f"{count or 'auto'}"
        run = partial(sampled, windowed, place.inputs.size, num_frames)
        with Peak(model.load_device) as memory:
            run()
        found[f"{name}_seconds"] = timed(run, place.repeats)
        found[f"{name}_peak_mib"] = round(memory.more / MIB, 1)
    return found


def compiled(place: Place) -> dict:
    """The step compiled by core's TorchCompileModel against the same step as it is."""
    from comfy_extras.nodes_torch_compile import TorchCompileModel

    plain = place.moving(place.checkpoint())
    # "eager" follows the code as "inductor" does, and needs no compiler for C++.
    fast = TorchCompileModel.execute(plain, "eager" if place.small else "inductor").args[0]
    begun = time.perf_counter()
    difference = (sampled(fast, place.inputs.size) - sampled(plain, place.inputs.size)).abs().max()
    first = time.perf_counter() - begun
    times = {
        name: timed(partial(sampled, model, place.inputs.size), place.repeats)
        for name, model in (("plain", plain), ("compiled", fast))
    }
    return {
        "first_seconds": round(first, 3),
        "plain_seconds": times["plain"],
        "compiled_seconds": times["compiled"],
        "ratio": round(times["compiled"] / times["plain"], 4),
        "difference": float(difference),
    }


def video(name: str, place: Place) -> dict:
    """One step of a video network in half precision at its published number of frames and size."""
    path = place.folder / f"{name}.ckpt"
    if place.small:
        return tiny_video(name, path)
    write_file(path, SIZES[name])
    return video_full_size.run_one(name, str(path), published=True, half=True)


def tiny_video(name: str, path: Path) -> dict:
    """The same with the tiny network of the tests."""
    from ..tests.networks.video_networks import VIDEO_NETWORKS

    network = VIDEO_NETWORKS[name]
    network.write(path)
    model = video_full_size.load(str(path))[0]
    prompts = [network.prompt(which, network.num_frames) for which in ("positive", "negative")]
    latent = torch.zeros(network.num_frames, *network.latent)
    begun = time.perf_counter()
    with Peak(model.load_device) as memory:
        out = video_full_size.one_step(model, *prompts, latent)
    return {
        "frames": network.num_frames,
        "step_seconds": round(time.perf_counter() - begun, 2),
        "step_bytes": memory.more,
        "finite": bool(out.isfinite().all()),
    }


def sampled(model, size: int, num_frames: int = packs.FRAMES) -> torch.Tensor:
    """What one step of core's sampler with cfg makes of seeded noise: (F, 4, H, W)."""
    import comfy.sample

    latent = torch.zeros(num_frames, 4, size // 8, size // 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    width = model.model.model_config.unet_config["context_dim"]
    cond = torch.randn(1, 77, width, generator=torch.Generator().manual_seed(1))
    prompts = [[cond, {}]], [[-cond, {}]]
    return comfy.sample.sample(
        model, noise, 1, 7.0, "euler", "normal", *prompts, latent, disable_pbar=True, seed=0
    )


def timed(run: Callable[[], object], repeats: int) -> float:
    """The shortest of some runs in seconds; samplers hand out latents of the CPU, so the GPU is done."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return round(min(seconds), 4)


PARTS: dict[str, Callable[[Place], dict]] = {
    "files": files,
    "step": step,
    "dynamic_vram": dynamic_vram,
    "peer": peer,
    "half": half,
    "windows": windows,
    "modelscope": partial(video, "modelscope"),
    "svd": partial(video, "svd"),
    "compile": compiled,
}
