"""The video networks against diffusers' own classes of them: the time of one forward and how far apart the
results are.

ModelScopeT2V and Stable Video Diffusion at their published size, in float32 on one thread of a CPU, with
seeded weights that both networks share. The two take turns, so that other work on the machine hits both; the
times are medians of the processor's seconds. diffusers is not one of the pack's packages: it is looked for in
.zoetrope/diffusers.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import comfy.ops
import torch
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding

from ..devtools.paths import HOME
from ..foreign_text import printable
from ..shapes import fold_frames, unfold_frames
from ..video_unets.file_shapes import FileShapes
from ..video_unets.formats import VIDEO_UNETS
from .animatediff import full_path, positive

WIDTH = 1024
"""Of the text of both networks, D."""
SVD_VECTOR = ((6.0, 127.0, 0.02), 256)
"""Frame rate, motion and noise level, and the width in which each of them is embedded."""


@dataclass(frozen=True)
class Peer:
    """A network of ours and diffusers' class of it, whose defaults are the published sizes.

    system: in VIDEO_UNETS. tokens: S of its text. small: arguments of diffusers' class in small.
    """

    system: str
    network: str
    channels: int
    tokens: int
    timestep: float
    small: Mapping


_SMALL = {"block_out_channels": (64, 64, 128, 128), "layers_per_block": 1}
PEERS = {
    "modelscope": Peer("modelscope_diffusers", "UNet3DConditionModel", 4, 77, 500, _SMALL),
    "svd": Peer(
        "svd_diffusers",
        "UNetSpatioTemporalConditionModel",
        8,
        1,
        1.5,
        _SMALL | {"num_attention_heads": (1, 1, 2, 2)},
    ),
}
ROWS = {
    "ours_seconds": "ours, s",
    "diffusers_seconds": "diffusers, s",
    "ratio": "ours / diffusers",
    "difference": "largest difference",
}


def main(arguments: list[str]) -> dict[str, dict[str, float]]:
    """Prints a table, or with --json one object {network: {key of ROWS: number}} as the last line."""
    parser = argparse.ArgumentParser(prog="bench video_unets", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--frames", type=positive, default=8, help="frames of the video (8)")
    parser.add_argument("--size", type=positive, default=16, help="height and width of the latents (16)")
    parser.add_argument("--repeats", type=positive, default=5, help="forwards of each network (5)")
    parser.add_argument("--small", action="store_true", help="networks of a few channels")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS), help="these networks (all)")
    parser.add_argument(
        "--diffusers", metavar="PATH", type=full_path, default=HOME / "diffusers", help="where diffusers is"
    )
    options = parser.parse_args(arguments)
    try:
        diffusers = find_diffusers(options.diffusers)
    except ValueError as error:
        parser.error(str(error))
    shape = (options.frames, options.size, options.size)
    result = {}
    for name in options.only:
        result[name] = measure(diffusers, PEERS[name], shape, options.repeats, options.small)
        if not options.json:
            told = (f"{title} {result[name][key]:.4g}" for key, title in ROWS.items())
            print(f"{name:12} {', '.join(told)}", flush=True)
    if options.json:
        print(json.dumps(result))
    return result


def find_diffusers(folder: Path):
    """diffusers with both classes, from the interpreter's packages or from `folder`.

    Raises ValueError that says how to get it where it is missing or cannot be imported.
    """
    sys.path.append(str(folder))  # behind everything that ComfyUI has
    try:
        diffusers = importlib.import_module("diffusers")
        for peer in PEERS.values():
            getattr(diffusers, peer.network)
    except (ImportError, RuntimeError, AttributeError) as error:
        command = f"{sys.executable} -m pip install --no-deps --target {folder} diffusers importlib_metadata"
        raise ValueError(
            f"this benchmark compares with diffusers, which cannot be imported ({printable(error)}); "
            f"install it beside ComfyUI's packages: {command}"
        ) from None
    finally:
        sys.path.remove(str(folder))
    return diffusers


def measure(
    diffusers, peer: Peer, shape: tuple[int, int, int], repeats: int, small: bool
) -> dict[str, float]:
    """The numbers of one network on a video of (F, H, W) latents."""
    theirs, ours = networks(getattr(diffusers, peer.network), peer, peer.small if small else {})
    x, text = inputs(peer, shape)
    forwards = {
        "ours": lambda: our_forward(ours, peer, x, text),
        "diffusers": lambda: their_forward(theirs, peer, x, text),
    }
    results, seconds = in_turns(forwards, repeats)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "ours_seconds": round(medians["ours"], 4),
        "diffusers_seconds": round(medians["diffusers"], 4),
        "ratio": round(medians["ours"] / medians["diffusers"], 4),
        "difference": float((results["ours"] - results["diffusers"]).abs().max()),
    }


def networks(network: type, peer: Peer, settings: Mapping) -> tuple[torch.nn.Module, torch.nn.Module]:
    """diffusers' network and ours, with the same tensors as weights."""
    from .full_size import random_state_dict

    with torch.device("meta"):
        theirs = network(**settings)
    weights = random_state_dict(theirs, 0, torch.float32)
    theirs.load_state_dict(weights, assign=True)
    system = VIDEO_UNETS[peer.system]
    sizes = system.settings(FileShapes({key: value.shape for key, value in weights.items()}, peer.network))
    ours = system.network(
        **sizes, dtype=torch.float32, device="meta", operations=comfy.ops.disable_weight_init
    )
    ours.load_state_dict(system.to_network(weights), assign=True)
    return theirs.eval(), ours.eval()


def inputs(peer: Peer, shape: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents (1, C, F, H, W) and a text (1, S, D)."""
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(1, peer.channels, *shape, generator=generator),
        torch.randn(1, peer.tokens, WIDTH, generator=generator),
    )


def their_forward(network, peer: Peer, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """diffusers' result for x (1, C, F, H, W), text (1, S, D): (1, C', F, H, W)."""
    if peer.system != "svd_diffusers":
        return network(x, peer.timestep, text).sample
    numbers = torch.tensor([SVD_VECTOR[0]])
    return network(x.transpose(1, 2), peer.timestep, text, added_time_ids=numbers).sample.transpose(1, 2)


def our_forward(network, peer: Peer, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """Our result for the same, handed over as ComfyUI does: a row for each frame."""
    num_frames = x.shape[2]
    more = {}
    if peer.system == "svd_diffusers":
        numbers, width = SVD_VECTOR
        vector = timestep_embedding(torch.tensor(numbers), width).flatten()
        more["y"] = vector.expand(num_frames, -1)
    timesteps = torch.full((num_frames,), float(peer.timestep))
    context = text.repeat_interleave(num_frames, 0)
    out = network(fold_frames(x), timesteps, context, transformer_options={"cond_or_uncond": [0]}, **more)
    return unfold_frames(out, num_frames)


def in_turns(forwards: Mapping[str, Callable], repeats: int) -> tuple[dict, dict[str, list[float]]]:
    """What each forward gives, and the processor's seconds of `repeats` of each on one thread.

    A first round, which fills caches, is not counted.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    results, seconds = {}, {name: [] for name in forwards}
    try:
        with torch.no_grad():
            for repeat in range(repeats + 1):
                for name, forward in forwards.items():
                    begun = time.process_time()
                    results[name] = forward()
                    seconds[name] += [time.process_time() - begun] if repeat else []
    finally:
        torch.set_num_threads(threads)
    return results, seconds
