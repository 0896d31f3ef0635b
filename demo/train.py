"""Trains the tiny family: `python dev.py run demo.train --stage all`;
every stage can be interrupted and goes on.

Stages: `unet` (text encoder and UNet on single frames and clips), `decoder` (latents to pixels), `motion`
(the AnimateDiff module, everything else frozen), `motion_v2` (the same in v2 layout), `pan`, `zoom` and
`rise` (MotionLoRAs; `rise` only teaches), `dusk` (a LoRA of the UNet), `control` (a ControlNet), `camera`
(MotionCtrl's camera part, which learns what the three MotionLoRAs do). `rise` and `camera` are no part of
`all`: what they make does not ship yet. `restore` makes the states of all stages but decoder, rise, dusk and
camera from the finished files. States lie in --work, the finished weights in demo/weights.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import shutil
from functools import partial

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn

from ..motion_modules.animatediff.files import read_motion_module, to_original_names
from . import networks, sheets, stages, train_adapters, world
from .batches import Batch, Drawer
from .files import FILES, FOLDER
from .optimiser import MasterOptimiser
from .training import (
    STEPS,
    Partner,
    Setup,
    averages,
    begin_local,
    fit,
    frozen_base,
    in_bfloat16,
    make_motion,
    save,
)

HERE = pathlib.Path(__file__).parent
IN_PAIRS = ("unet", "motion", "control")  # stages that two processes may train together
RESTORED = (
    "unet",
    "motion",
    "motion_v2",
    *train_adapters.CAMERAS,
    "control",
)  # stages whose states the finished files give back
BEGUN = ("rise", "camera")  # stages that have made nothing worth shipping yet
FAVOURING = ("motion", "motion_v2", *train_adapters.TEACHERS)  # stages that may show some motions more often


def train_unet(setup: Setup, partner: Partner | None, start: pathlib.Path | None) -> None:
    """Text encoder and UNet, from new weights or from those of the checkpoint
    `start`: half the frames are single pictures, half are clips seen through a
    motion module that is trained with them and that the motion stage begins with.
    """
    torch.manual_seed(0)
    drawer = Drawer()
    text, unet, motion = (
        networks.TextEncoder(networks.vocabulary(drawer.tokens)),
        networks.make_unet(),
        begin_local(make_motion()),
    )
    if start is not None:
        networks.load_base(safetensors.torch.load_file(start), text, unet)
    probe = stages.MotionProbe(unet)
    text, probe = text.to(setup.device), probe.to(setup.device)
    unet, motion = in_bfloat16(unet.train(), setup.device), in_bfloat16(motion, setup.device)
    all_parts = nn.ModuleDict({"text": text, "unet": unet, "probe": probe, "motion": motion})
    trained = [(k, p) for k, p in all_parts.named_parameters() if p.requires_grad]
    optimiser = MasterOptimiser(trained, ("embedding", "input_blocks.0.0", "unet.out.2", "probe"), ema=0.995)
    half = setup.frames_of("unet") // 2

    def draw(seed: int) -> tuple[Batch, Batch]:
        return drawer.images(half, seed, "unet"), drawer.clips(half, seed, "clips")

    def sheet() -> None:
        kept = {k: p.detach().clone() for k, p in trained}
        all_parts.load_state_dict(all_parts.state_dict() | optimiser.average)
        sheets.frames_sheet(text, unet, drawer.tokens, setup.work / "sheet_unet.png")
        all_parts.load_state_dict(all_parts.state_dict() | kept)

    fit("unet", optimiser, draw, partial(stages.base_loss, text, unet, probe, motion), setup, sheet, partner)


def train_decoder(setup: Setup) -> None:
    """The decoder from latents, some of them noisy, to frames."""
    torch.manual_seed(1)
    drawer = Drawer()
    decoder = networks.Decoder().to(setup.device, memory_format=torch.channels_last)
    optimiser = MasterOptimiser(decoder.named_parameters(), ("13.weight", "1.weight"), ema=0.995)

    def draw(seed: int) -> tuple[Batch]:
        return (drawer.images(setup.frames_of("decoder"), seed, "decoder"),)

    fit("decoder", optimiser, draw, partial(stages.decoder_loss, decoder), setup)


def train_motion(setup: Setup, partner: Partner | None) -> None:
    """The motion module on the finished, frozen base, from what the base was trained with."""
    torch.manual_seed(2)
    drawer = Drawer(setup.favoured)
    text, unet = frozen_base(setup.work, setup.device)
    motion = make_motion()
    begun = {
        k.removeprefix("motion."): v
        for k, v in averages(setup.work, "unet").items()
        if k.startswith("motion.")
    }
    motion.load_state_dict(motion.state_dict() | begun)
    motion = in_bfloat16(motion, setup.device)
    named = [(k, p) for k, p in motion.named_parameters() if p.requires_grad]
    optimiser = MasterOptimiser(named, (), ema=0.99)

    def draw(seed: int) -> tuple[Batch]:
        return (drawer.clips(setup.frames_of("motion"), seed, "motion"),)

    fit("motion", optimiser, draw, partial(stages.motion_loss, text, unet, motion), setup, partner=partner)


def export(work: pathlib.Path, weights: pathlib.Path) -> None:
    """Write the files that ship, with the key names under which such files are published,
    in float16: all that are trained.
    """
    weights.mkdir(parents=True, exist_ok=True)

    def done(stage: str) -> bool:
        return (work / f"{stage}.pt").exists()

    if done("decoder"):
        both = averages(work, "unet")
        unet = {k.removeprefix("unet."): v for k, v in both.items() if k.startswith("unet.")}
        text = {k.removeprefix("text."): v for k, v in both.items() if k.startswith("text.")}
        decoder = networks.Decoder()
        decoder.load_state_dict(averages(work, "decoder"))
        token_ids = networks.vocabulary(networks.word_tokens())
        write(networks.export_checkpoint(unet, text, token_ids, decoder.taesd_state()), weights, "checkpoint")
    else:
        print(f"The checkpoint stays as it is: {work / 'decoder.pt'} is missing.", flush=True)
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
    if done("camera"):
        write(train_adapters.camera_state(work), weights, "camera")


def restore(work: pathlib.Path, weights: pathlib.Path) -> None:
    """States of the stages in RESTORED from the finished files,
    so that each of them can be trained on, without the others.

    Remove a stage's state to train it from its beginning.
    Raises FileExistsError rather than writing over a state.
    """
    there = [stage for stage in RESTORED if (work / f"{stage}.pt").exists()]
    if there:
        raise FileExistsError(
            f"{work} has states of {', '.join(there)} already; move them away, or name another folder with"
            " --work."
        )
    finished = {s: safetensors.torch.load_file(weights / FILES[s]) for s in ("checkpoint", *RESTORED[1:])}
    text, unet = networks.TextEncoder(networks.vocabulary(networks.word_tokens())), networks.make_unet()
    networks.load_base(finished["checkpoint"], text, unet)
    states = {"control": finished["control"]}
    for stage in ("motion", "motion_v2"):
        states[stage] = {
            k: v
            for k, v in read_motion_module(finished[stage], FILES[stage])[1].items()
            if not k.endswith("pos_encoder.pe")
        }
    for stage in train_adapters.CAMERAS:
        states[stage] = train_adapters.trained_motion_lora(finished[stage])
    begun = {f"motion.{k}": v for k, v in states["motion"].items()}
    states["unet"] = nn.ModuleDict({"text": text, "unet": unet}).state_dict() | begun
    for stage, state in states.items():
        state = {k: v.float() for k, v in state.items()}
        save(
            {"optimiser": {"master": state, "average": state}, "losses": [], "seconds": 0.0},
            work / f"{stage}.pt",
        )


def show(work: pathlib.Path, folder: pathlib.Path) -> None:
    """Sample sheets made by the finished files through ComfyUI's own functions,
    and the loss curves, as small PNGs.
    """
    from . import play

    family = play.load_family()
    images = F.avg_pool2d(play.images(family, list(sheets.PROMPTS) * 3, seed=5), 2)
    sheets.save_grid(images, len(sheets.PROMPTS), folder / "pictures.png", by_rows=True)
    clips = []
    for index, prompt in enumerate(sheets.CLIP_PROMPTS):
        for model in (play.moving(family), play.not_moving(family)):
            clips.append(play.clip_of(family, model, prompt, seed=index))
    sheets.save_grid(
        F.avg_pool2d(torch.cat(clips), 2), 16, folder / "clips_with_over_without.png", by_rows=True
    )
    for stage in STEPS:
        if (work / f"loss_{stage}.png").exists():
            shutil.copy(work / f"loss_{stage}.png", folder / f"loss_{stage}.png")


def write(state: dict[str, torch.Tensor], folder: pathlib.Path, which: str) -> None:
    """A safetensors file in float16 (integers stay), put in place only when it is whole;
    `which` is a key of FILES.
    """
    path = folder / FILES[which]
    part = path.with_suffix(".part")
    half = {
        k: (v.half() if v.is_floating_point() else v).detach().clone().contiguous() for k, v in state.items()
    }
    safetensors.torch.save_file(half, part)
    part.chmod(0o644)  # the file would be its owner's alone
    os.replace(part, path)
    print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB", flush=True)


def run_stage(stage: str, setup: Setup, arguments: argparse.Namespace) -> None:
    """Train one stage to its end."""
    partner = Partner(setup.work, stage, arguments.partner == "second") if arguments.partner else None
    if stage == "unet":
        train_unet(setup, partner, arguments.start)
    elif stage == "decoder":
        train_decoder(setup)
    elif stage == "motion":
        train_motion(setup, partner)
    elif stage == "motion_v2":
        train_adapters.train_motion_v2(setup)
    elif stage == "dusk":
        train_adapters.train_dusk(setup)
    elif stage == "control":
        train_adapters.train_control(setup, partner)
    elif stage == "camera":
        train_adapters.train_camera(setup)
    else:
        train_adapters.train_motion_lora(stage, setup)


def command_line() -> argparse.ArgumentParser:
    """The program's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=(*STEPS, "export", "show", "restore", "all"), default="all")
    parser.add_argument(
        "--work",
        type=pathlib.Path,
        default=HERE.parent / ".zoetrope" / "train",
        help="folder of the training states",
    )
    parser.add_argument("--weights", type=pathlib.Path, default=FOLDER, help="folder of the finished files")
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu, or cuda for a GPU"
    )
    parser.add_argument(
        "--steps", type=int, help="steps of the one stage named (default: those in training.py)"
    )
    parser.add_argument(
        "--minutes", type=float, help="train a stage for so long instead of for a number of steps"
    )
    parser.add_argument("--batch", type=int, help="frames a step")
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="processes that draw batches ahead (a GPU wants several; 0: none)",
    )
    parser.add_argument(
        "--rate", type=float, help="learning rate of the one stage named (default: that in training.py)"
    )
    favour = (
        f"motions that half of the clips of the stage show ({', '.join(FAVOURING)}):"
        f" {', '.join(world.MOTIONS)}"
    )
    parser.add_argument(
        "--favour", choices=world.MOTIONS, nargs="+", default=(), metavar="MOTION", help=favour
    )
    parser.add_argument(
        "--start",
        type=pathlib.Path,
        help="checkpoint of the family from which stage unet begins (default: new weights)",
    )
    parser.add_argument(
        "--partner",
        choices=("first", "second"),
        help="train a stage in two processes at once, which this one is",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    return parser


def refuse(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Ends the program with a sentence where the stage named cannot follow an option."""
    if arguments.partner and arguments.stage not in IN_PAIRS:
        parser.error(
            f"--partner needs --stage {', '.join(IN_PAIRS)}: the other stages are trained by one process"
        )
    if arguments.partner and arguments.minutes:
        parser.error("--partner needs --steps: two processes meet by their steps, not by --minutes")
    if arguments.start and arguments.stage not in ("unet", "all"):
        parser.error("--start needs --stage unet: the other stages go on from what stage unet made")
    if arguments.favour and arguments.stage not in FAVOURING:
        parser.error(
            f"--favour needs --stage {', '.join(FAVOURING)}: the other stages draw all motions alike"
        )
    if arguments.rate is not None and (arguments.stage not in STEPS or arguments.rate <= 0):
        parser.error(f"--rate={arguments.rate} must be above 0 and needs one --stage of {', '.join(STEPS)}")
    if arguments.stage in train_adapters.TEACHERS:
        for motion in arguments.favour:
            try:
                world.random_scene(random.Random(0), motion, train_adapters.TEACHERS[arguments.stage])
            except ValueError as error:
                parser.error(f"--favour {motion}: {error}")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = command_line()
    arguments = parser.parse_args(argv)
    refuse(parser, arguments)
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    setup = Setup(
        arguments.work,
        arguments.device,
        arguments.steps,
        arguments.minutes,
        arguments.batch,
        arguments.workers,
        arguments.rate,
        tuple(arguments.favour),
    )
    if arguments.stage == "restore":
        restore(arguments.work, arguments.weights)
    for stage in STEPS:
        if arguments.stage == stage or (arguments.stage == "all" and stage not in BEGUN):
            run_stage(stage, setup, arguments)
    if arguments.stage in ("export", "all"):
        export(arguments.work, arguments.weights)
    if arguments.stage in ("show", "all"):
        show(arguments.work, HERE)


if __name__ == "__main__":
    main()
