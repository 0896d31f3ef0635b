"""Trains the tiny family: `python dev.py run demo.train --stage all`; every stage can be interrupted and goes on.

Stages: `unet` (text encoder and UNet on single frames), `decoder` (latents to pixels), `motion` (the AnimateDiff module,
everything else frozen), `motion_v2` (the same in v2 layout), `pan` and `zoom` (MotionLoRAs), `dusk` (a LoRA of the UNet),
`control` (a ControlNet). States lie in --work, the finished weights in demo/weights.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import shutil

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn

from ..motion_modules.formats import to_original_names
from . import networks, sheets, stages, train_adapters
from .files import FILES, FOLDER
from .optimiser import MasterOptimiser
from .training import STEPS, Partner, averages, begin_local, fit, frozen_base, in_bfloat16, make_motion

HERE = pathlib.Path(__file__).parent
IN_PAIRS = ("unet", "motion", "control")  # stages that two processes may train together
FRAMES = {"unet": 16, "decoder": 8, "dusk": 16, "control": 16}  # in a step; 64 in every other stage


def train_unet(steps: int, work: pathlib.Path, batch: int, partner: Partner | None, start: pathlib.Path | None) -> None:
    """Text encoder and UNet together on single frames, from new weights or from those of the checkpoint `start`."""
    torch.manual_seed(0)
    tokens = networks.word_tokens()
    text, unet = networks.TextEncoder(networks.vocabulary(tokens)), networks.make_unet()
    if start is not None:
        networks.load_base(safetensors.torch.load_file(start), text, unet)
    unet = in_bfloat16(unet.train())
    probe = stages.MotionProbe(unet)
    both = nn.ModuleDict({"text": text, "unet": unet, "probe": probe})
    optimiser = MasterOptimiser(both.named_parameters(), ("embedding", "input_blocks.0.0", "unet.out.2", "probe"), ema=0.995)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.unet_loss(text, unet, probe, tokens, batch, rng, generator)

    def sheet() -> None:
        kept = {k: p.detach().clone() for k, p in both.named_parameters()}
        both.load_state_dict(optimiser.average)
        sheets.frames_sheet(text, unet, tokens, work / "sheet_unet.png")
        both.load_state_dict(kept)

    fit("unet", optimiser, loss_of, steps, work, sheet, partner)


def train_decoder(steps: int, work: pathlib.Path, batch: int) -> None:
    """The decoder from latents, some of them noisy, to frames."""
    torch.manual_seed(1)
    decoder = networks.Decoder().to(memory_format=torch.channels_last)
    optimiser = MasterOptimiser(decoder.named_parameters(), ("13.weight", "1.weight"), ema=0.995)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.decoder_loss(decoder, batch, rng, generator)

    fit("decoder", optimiser, loss_of, steps, work)


def train_motion(steps: int, work: pathlib.Path, frames: int, partner: Partner | None) -> None:
    """The motion module on the finished, frozen base."""
    torch.manual_seed(2)
    tokens, text, unet = frozen_base(work)
    motion = in_bfloat16(begin_local(make_motion()))
    named = [(k, p) for k, p in motion.named_parameters() if p.requires_grad]
    optimiser = MasterOptimiser(named, (), ema=0.99)

    def loss_of(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
        return stages.motion_loss(text, unet, motion, tokens, frames, rng, generator)

    fit("motion", optimiser, loss_of, steps, work, partner=partner)


def export(work: pathlib.Path, weights: pathlib.Path) -> None:
    """Write the files that ship, with the key names under which such files are published, in float16: all that are trained."""
    weights.mkdir(parents=True, exist_ok=True)
    token_ids = networks.vocabulary(networks.word_tokens())
    both = averages(work, "unet")
    unet = {k.removeprefix("unet."): v for k, v in both.items() if k.startswith("unet.")}
    text = {k.removeprefix("text."): v for k, v in both.items() if k.startswith("text.")}
    decoder = networks.Decoder()
    decoder.load_state_dict(averages(work, "decoder"))
    write(networks.export_checkpoint(unet, text, token_ids, decoder.taesd_state()), weights, "checkpoint")

    def done(stage: str) -> bool:
        return (work / f"{stage}.pt").exists()

    for stage, version in (("motion", "v3"), ("motion_v2", "v2")):
        if done(stage):
            motion = make_motion(version)
            motion.load_state_dict(motion.state_dict() | averages(work, stage))
            write(to_original_names(motion), weights, stage)
    for stage in train_adapters.CAMERAS:
        if done(stage):
            write(train_adapters.motion_lora_state(work, stage), weights, stage)
    if done("dusk"):
        write(train_adapters.dusk_lora_state(work, *networks.diffusers_names()), weights, "dusk")
    if done("control"):
        write(averages(work, "control"), weights, "control")


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


def write(state: dict[str, torch.Tensor], folder: pathlib.Path, which: str) -> None:
    """A safetensors file in float16 (integers stay), put in place only when it is whole; `which` is a key of FILES."""
    path = folder / FILES[which]
    part = path.with_suffix(".part")
    half = {k: (v.half() if v.is_floating_point() else v).detach().clone().contiguous() for k, v in state.items()}
    safetensors.torch.save_file(half, part)
    part.chmod(0o644)  # the file would be its owner's alone
    os.replace(part, path)
    print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB", flush=True)


def run_stage(stage: str, steps: int, arguments: argparse.Namespace) -> None:
    """Train one stage to its last step."""
    work, frames = arguments.work, arguments.batch or FRAMES.get(stage, 64)
    partner = Partner(work, stage, arguments.partner == "second") if arguments.partner else None
    if stage == "unet":
        train_unet(steps, work, frames, partner, arguments.start)
    elif stage == "decoder":
        train_decoder(steps, work, frames)
    elif stage == "motion":
        train_motion(steps, work, frames, partner)
    elif stage == "motion_v2":
        train_adapters.train_motion_v2(steps, work, frames)
    elif stage == "dusk":
        train_adapters.train_dusk(steps, work, frames)
    elif stage == "control":
        train_adapters.train_control(steps, work, frames, partner)
    else:
        train_adapters.train_motion_lora(stage, steps, work, frames)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=(*STEPS, "export", "show", "all"), default="all")
    parser.add_argument("--work", type=pathlib.Path, default=HERE.parent / ".zoetrope" / "train", help="folder of the training states")
    parser.add_argument("--weights", type=pathlib.Path, default=FOLDER, help="folder of the finished files")
    parser.add_argument("--steps", type=int, help="steps of the one stage named (default: those in training.py)")
    parser.add_argument("--batch", type=int, help="frames a step")
    parser.add_argument("--start", type=pathlib.Path, help="checkpoint of the family from which stage unet begins (default: new weights)")
    parser.add_argument("--partner", choices=("first", "second"), help="train a stage in two processes at once, which this one is")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args(argv)
    if arguments.partner and arguments.stage not in IN_PAIRS:
        parser.error(f"--partner needs --stage {', '.join(IN_PAIRS)}: the other stages are trained by one process")
    if arguments.start and arguments.stage not in ("unet", "all"):
        parser.error("--start needs --stage unet: the other stages go on from what stage unet made")
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    for stage in STEPS:
        if arguments.stage in (stage, "all"):
            run_stage(stage, arguments.steps or STEPS[stage], arguments)
    if arguments.stage in ("export", "all"):
        export(arguments.work, arguments.weights)
    if arguments.stage in ("show", "all"):
        show(arguments.work, HERE)


if __name__ == "__main__":
    main()
