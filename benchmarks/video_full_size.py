"""Every video system at its published size: loaded by the ordinary loader, one step, finite; memory that
loading and the step take.

Each runs in a process of its own, one after the other, so that all of its memory is returned. On a GPU the
step can have the published number of frames and size (--published), and what core expects it to take is
compared with what it takes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object {system:
    what was measured} as the last line; returns that object.
    """
    from .video_files import SIZES, write_file

    parser = argparse.ArgumentParser(prog="bench video_full_size", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument(
        "--published", action="store_true", help="the published number of frames and size, for GPUs"
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="write every number of the files, several GB each, to measure loading them",
    )
    parser.add_argument("--half", action="store_true", help="load the weights in half precision, as GPUs do")
    parser.add_argument("--write", metavar="FILE", help=argparse.SUPPRESS)  # of one system, in this process
    parser.add_argument("--load", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("only", nargs="*", help="systems to run; all without")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - set(SIZES):
        parser.error(f"unknown systems {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    if options.write:
        write_file(Path(options.write), SIZES[options.only[0]], options.whole)
        return {}
    if options.load:
        result = {options.only[0]: run_one(options.only[0], options.load, options.published, options.half)}
        print(json.dumps(result))
        return result
    result = {}
    print(
        f"{'system':24} {'million':>8} {'file GB':>8} {'load GB':>8} {'frames x latent':>16} {'step s':>7}"
        f" {'step GB':>8}  result"
    )
    for name in options.only or SIZES:
        result[name] = _in_own_processes(name, options)
        print(_row(name, result[name]), flush=True)
    if options.json:
        print(json.dumps(result))
    return result


def _in_own_processes(name: str, options: argparse.Namespace) -> dict:
    """What was measured of one system, or {"error": the last line of the process that ended}."""
    flags = [f"--{flag}" for flag in ("published", "whole", "half") if getattr(options, flag)]
    run = [sys.executable, str(ROOT / "dev.py"), "run", "benchmarks.video_full_size", *flags, name]
    with tempfile.TemporaryDirectory(dir=ROOT / ".zoetrope") as folder:
        path = Path(folder) / "model.ckpt"
        for action in ("--write", "--load"):
            done = subprocess.run(
                [*run, action, str(path)],
                capture_output=True,
                text=True,
                env=os.environ | {"ZOETROPE_INSIDE": "1"},
            )
            if done.returncode:
                return {"error": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])[name]


def _row(name: str, found: dict) -> str:
    if "error" in found:
        return f"{name:24} {found['error']}"
    shape = f"{found['frames']} x {found['height']}x{found['width']}"
    sizes = (
        f"{found['parameters'] / 1e6:8.0f} {found['file_bytes'] / 1e9:8.2f} {found['load_bytes'] / 1e9:8.2f}"
    )
    what = "finite" if found["finite"] else "NOT FINITE"
    if "expected_bytes" in found:
        what += (
            f", core expects {found['expected_bytes'] / 1e9:.2f} GB, factor {found['factor']} (declared"
            f" {found['declared']})"
        )
    return (
        f"{name:24} {sizes} {shape:>16} {found['step_seconds']:7.1f} {found['step_bytes'] / 1e9:8.2f}  {what}"
    )


def run_one(name: str, path: str, published: bool, half: bool) -> dict:
    """Loads and runs one system's file;
    bytes are what this process takes more than before (on a GPU: what its memory holds more).
    """
    import comfy.cli_args
    import comfy.model_management

    from .peak_memory import Peak
    from .video_files import SIZES

    comfy.cli_args.args.fp16_unet = half
    frames, height, width = SIZES[name].shape(published)
    with Peak() as loading:
        patcher, clip, vae, clip_vision = load(path)
    positive, negative, latent = inputs(
        (patcher.model, clip, vae, clip_vision), SIZES[name], frames, height, width
    )
    device = comfy.model_management.get_torch_device()
    comfy.model_management.load_models_gpu([patcher])
    with Peak(device) as stepping:
        started = time.perf_counter()
        out = one_step(patcher, positive, negative, latent)
        seconds = time.perf_counter() - started
    model = patcher.model
    title = model.system.title if hasattr(model, "system") else type(model).__name__
    result = {
        "title": title,
        "parameters": sum(p.numel() for p in model.diffusion_model.parameters()),
        "file_bytes": os.path.getsize(path),
        "load_bytes": loading.more,
        "frames": frames,
        "height": height,
        "width": width,
        "step_seconds": round(seconds, 2),
        "step_bytes": stepping.more,
        "device": str(device),
        "dtype": str(model.get_dtype_inference()),
        "finite": bool(out.isfinite().all()) and out.shape == latent.shape,
    }
    if device.type != "cpu":
        result |= compared_with_core(model, [2 * frames, *latent.shape[1:]], stepping.more)
    return result


def compared_with_core(model, shape: list[int], step_bytes: int) -> dict:
    """What core expects a step on (rows, C, H, W) to take, and the factor that would make it right."""
    expected = model.memory_required(shape)
    declared = model.memory_usage_factor
    return {
        "expected_bytes": int(expected),
        "declared": declared,
        "factor": round(declared * step_bytes / expected, 3),
    }


def load(path: str) -> tuple:
    """(ModelPatcher, CLIP, VAE, CLIP_VISION) by Load Video Model's loader."""
    from ..host.video_models.loader import video_model_from_file

    found = video_model_from_file(path)
    return found.model, found.clip, found.vae, found.clip_vision


def inputs(loaded: tuple, size, frames: int, height: int, width: int) -> tuple[list, list, object]:
    """Both prompts and the empty latents; files that carry encoders read a prompt and an image with them."""
    import torch

    from ..host.video_models.videocrafter_conditioning import ImageSettings, image_to_video, with_frame_rate
    from ..tests.networks.video_networks import VIDEO_NETWORKS

    model, clip, vae, clip_vision = loaded
    image = (
        torch.rand(1, 8 * height, 8 * width, 3, generator=torch.Generator().manual_seed(2))
        if clip_vision is not None
        else None
    )
    if size.conditioning:
        return core_conditioning(size.conditioning, clip_vision, vae, image, frames)
    system, channels = model.system, model.latent_format.latent_channels
    if system.prefix:
        prompts = [[[clip.encode_from_tokens(clip.tokenize(text)), {}]] for text in ("a panda eats", "")]
        if not model.diffusion_model.image_tokens:
            return *with_frame_rate(*prompts, system.default_fps or 24), torch.zeros(
                frames, channels, height, width
            )
        settings = ImageSettings(8 * width, 8 * height, frames, system.default_fps)
        positive, negative, latent = image_to_video(*prompts, clip_vision, vae, image, settings)
        return positive, negative, latent["samples"]
    values = VIDEO_NETWORKS[system.name].conditions(frames, (channels, height, width))
    prompts = [
        [[torch.randn(1, 77, size.text, generator=torch.Generator().manual_seed(seed)), dict(values)]]
        for seed in (0, 1)
    ]
    return *prompts, torch.zeros(frames, channels, height, width)


def core_conditioning(node: str, clip_vision, vae, image, frames: int) -> tuple[list, list, object]:
    """What core's own conditioning nodes make of an image (1, H, W, 3) for its video networks."""
    from comfy_extras.nodes_stable3d import SV3D_Conditioning
    from comfy_extras.nodes_video_model import SVD_img2vid_Conditioning

    height, width = image.shape[1:3]
    if node == "SV3D_Conditioning":
        positive, negative, latent = SV3D_Conditioning.execute(
            clip_vision, image, vae, width, height, frames, 0.0
        ).args
    else:
        positive, negative, latent = SVD_img2vid_Conditioning().encode(
            clip_vision, image, vae, width, height, frames, 127, 6, 0.0
        )
    return positive, negative, latent["samples"]


def one_step(model, positive: list, negative: list, latent):
    """One step of core's sampler: (F, C, H, W)."""
    import comfy.sample
    import torch

    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(3))
    return comfy.sample.sample(
        model, noise, 1, 4.0, "euler", "normal", positive, negative, latent, disable_pbar=True, seed=3
    )
