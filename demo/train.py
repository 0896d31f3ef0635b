"""Trains the tiny family: `python dev.py run demo.train --stage all`; every stage can be interrupted and goes on.

Stages: `unet` (text encoder and UNet on single frames), `decoder` (latents to pixels), `motion` (the AnimateDiff module,
everything else frozen). States lie in --work, the finished weights in demo/weights.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import shutil
import time
from collections.abc import Callable

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn

from ..motion_modules.animatediff import MotionConfig, MotionModel, animatediff_sites
from ..motion_modules.formats import to_original_names
from . import networks, sheets, stages
from .fast_norm import speed_up
from .optimiser import MasterOptimiser

HERE = pathlib.Path(__file__).parent
STEPS = {"unet": 2300, "decoder": 600, "motion": 1350}
RATES = {"unet": 2e-3, "decoder": 2e-3, "motion": 6e-3}
SAVE_SECONDS = 240
CHECKPOINT, MOTION_MODULE = "zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors"


def learning_rate(stage: str, step: int, steps: int) -> float:
    """Warm-up over 40 steps, constant, then linear to 3 % over the last 35 %."""
    left = (steps - step) / (0.35 * steps)
    return RATES[stage] * min(1.0, (step + 1) / 40, 0.03 + 0.97 * left)


def save(state: dict, path: pathlib.Path) -> None:
    """torch.save that never leaves half a file under the final name."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def fit(
    stage: str,
    optimiser: MasterOptimiser,
    loss_of: Callable[[random.Random, torch.Generator], torch.Tensor],
    steps: int,
    work: pathlib.Path,
    sheet: Callable[[], None] | None = None,
) -> None:
    """Run a stage to its last step; `loss_of` draws a batch from the two generators, both seeded by the step."""
    path, losses = work / f"{stage}.pt", []
    seconds = 0.0
    if path.exists():
        state = torch.load(path, weights_only=True)
        optimiser.load_state_dict(state["optimiser"])
        losses, seconds = state["losses"], state["seconds"]
    begun = saved = shown = time.monotonic()
    while optimiser.steps < steps:
        step = optimiser.steps
        loss = loss_of(random.Random(f"{stage} {step}"), torch.Generator().manual_seed(step))
        loss.backward()
        optimiser.step(learning_rate(stage, step, steps))
        losses.append(float(loss.detach()))
        now = time.monotonic()
        if step % 20 == 19:
            mean, pace = sum(losses[-20:]) / 20, (now - shown) / 20
            left = pace * (steps - step) / 60
            print(f"{stage} {step + 1}/{steps}  loss {mean:.4f}  {pace:.2f} s/step  {left:.0f} min left", flush=True)
            shown = now
        if now - saved > SAVE_SECONDS or optimiser.steps == steps:
            total = seconds + now - begun
            save({"optimiser": optimiser.state_dict(), "losses": losses, "seconds": total}, path)
            sheets.loss_curve(losses, work / f"loss_{stage}.png", f"{stage}, {total / 60:.0f} min")
            if sheet is not None:
                sheet()
            saved = shown = time.monotonic()


def averages(work: pathlib.Path, stage: str) -> dict[str, torch.Tensor]:
    """The moving average of a stage's weights.

    Raises FileNotFoundError when the stage has not been run."""
    path = work / f"{stage}.pt"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; run --stage {stage} first.")
    return torch.load(path, weights_only=True)["optimiser"]["average"]


def train_unet(steps: int, work: pathlib.Path, batch: int) -> None:
    """Text encoder and UNet together on single frames."""
    torch.manual_seed(0)
    tokens = networks.word_tokens()
    text, unet = networks.TextEncoder(networks.vocabulary(tokens)), networks.make_unet()
    unet = speed_up(unet.bfloat16().to(memory_format=torch.channels_last).train())
    both = nn.ModuleDict({"text": text, "unet": unet})
    optimiser = MasterOptimiser(both.named_parameters(), ("embedding", "input_blocks.0.0", "unet.out.2"), ema=0.997)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.unet_loss(text, unet, tokens, batch, rng, generator)

    def sheet() -> None:
        kept = {k: p.detach().clone() for k, p in both.named_parameters()}
        both.load_state_dict(optimiser.average)
        sheets.frames_sheet(text, unet, tokens, work / "sheet_unet.png")
        both.load_state_dict(kept)

    fit("unet", optimiser, loss_of, steps, work, sheet)


def train_decoder(steps: int, work: pathlib.Path, batch: int) -> None:
    """The decoder from latents, some of them noisy, to frames."""
    torch.manual_seed(1)
    decoder = networks.Decoder().to(memory_format=torch.channels_last)
    optimiser = MasterOptimiser(decoder.named_parameters(), ("13.weight", "1.weight"), ema=0.995)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.decoder_loss(decoder, batch, rng, generator)

    fit("decoder", optimiser, loss_of, steps, work)


def frozen_base(work: pathlib.Path) -> tuple[dict, networks.TextEncoder, nn.Module]:
    """Tokens, text encoder and UNet of the finished first stage; nothing of them is trained on."""
    tokens = networks.word_tokens()
    text, unet = networks.TextEncoder(networks.vocabulary(tokens)), networks.make_unet()
    nn.ModuleDict({"text": text, "unet": unet}).load_state_dict(averages(work, "unet"))
    unet = speed_up(unet.bfloat16().to(memory_format=torch.channels_last))
    return tokens, text.requires_grad_(False), unet.requires_grad_(False)


def make_motion() -> MotionModel:
    """An untrained AnimateDiff module in v3 layout (no middle block, 32 positions) for the tiny UNet."""
    channels = tuple(networks.UNET_WIDTH * m for m in networks.UNET_MULT)
    return MotionModel(MotionConfig(version="v3", site_channels=animatediff_sites(channels, with_mid=False)))


def train_motion(steps: int, work: pathlib.Path, frames: int) -> None:
    """The motion module on the finished, frozen base."""
    torch.manual_seed(2)
    tokens, text, unet = frozen_base(work)
    motion = speed_up(make_motion().bfloat16())
    named = [(k, p) for k, p in motion.named_parameters() if p.requires_grad]
    optimiser = MasterOptimiser(named, (), ema=0.99)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.motion_loss(text, unet, motion, tokens, frames, rng, generator)

    fit("motion", optimiser, loss_of, steps, work)


def export(work: pathlib.Path, weights: pathlib.Path) -> None:
    """Write the files that ship, with the key names under which such files are published, in float16."""
    weights.mkdir(parents=True, exist_ok=True)
    token_ids = networks.vocabulary(networks.word_tokens())
    both = averages(work, "unet")
    unet = {k.removeprefix("unet."): v for k, v in both.items() if k.startswith("unet.")}
    text = {k.removeprefix("text."): v for k, v in both.items() if k.startswith("text.")}
    decoder = networks.Decoder()
    decoder.load_state_dict(averages(work, "decoder"))
    write(networks.export_checkpoint(unet, text, token_ids, decoder.taesd_state()), weights / CHECKPOINT)
    if (work / "motion.pt").exists():
        motion = make_motion()
        motion.load_state_dict(motion.state_dict() | averages(work, "motion"))
        write({k: v.half() for k, v in to_original_names(motion).items()}, weights / MOTION_MODULE)


def show(work: pathlib.Path, folder: pathlib.Path) -> None:
    """Sample sheets made by the finished files through ComfyUI's own functions, and the loss curves, as small PNGs."""
    from . import play

    family = play.load_family()
    pictures = F.avg_pool2d(play.pictures(family, list(sheets.PROMPTS) * 3, seed=5), 2)
    sheets.save_grid(pictures, len(sheets.PROMPTS), folder / "pictures.png", by_rows=True)
    clips = []
    for index, prompt in enumerate(sheets.CLIP_PROMPTS):
        for model in (play.moving(family), play.not_moving(family)):
            clips.append(play.clip_of(family, model, prompt, seed=index))
    sheets.save_grid(F.avg_pool2d(torch.cat(clips), 2), 16, folder / "clips_with_over_without.png", by_rows=True)
    for stage in STEPS:
        if (work / f"loss_{stage}.png").exists():
            shutil.copy(work / f"loss_{stage}.png", folder / f"loss_{stage}.png")


def write(state: dict[str, torch.Tensor], path: pathlib.Path) -> None:
    """A safetensors file, put in place only when it is whole."""
    part = path.with_suffix(".part")
    safetensors.torch.save_file({k: v.detach().clone() for k, v in state.items()}, part)
    part.chmod(0o644)  # the file would be its owner's alone
    os.replace(part, path)
    print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB", flush=True)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=("unet", "decoder", "motion", "export", "show", "all"), default="all")
    parser.add_argument("--work", type=pathlib.Path, default=HERE.parent / ".zoetrope" / "train", help="folder of the training states")
    parser.add_argument("--weights", type=pathlib.Path, default=HERE / "weights", help="folder of the finished files")
    parser.add_argument("--steps", type=int, help="steps of the one stage named (default: %(default)s, as shipped)")
    parser.add_argument("--batch", type=int, help="frames a step")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    chosen = ("unet", "decoder", "motion", "export", "show") if arguments.stage == "all" else (arguments.stage,)
    if "unet" in chosen:
        train_unet(arguments.steps or STEPS["unet"], arguments.work, arguments.batch or 16)
    if "decoder" in chosen:
        train_decoder(arguments.steps or STEPS["decoder"], arguments.work, arguments.batch or 8)
    if "motion" in chosen:
        train_motion(arguments.steps or STEPS["motion"], arguments.work, arguments.batch or 64)
    if "export" in chosen:
        export(arguments.work, arguments.weights)
    if "show" in chosen:
        show(arguments.work, HERE)


if __name__ == "__main__":
    main()
