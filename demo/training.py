"""What every training stage of the tiny family shares:
the loop that can be interrupted, two processes at once, the frozen base.

This is not tuning/trainer.py, which trains what people train: float32 weights on a loaded MODEL, from clips
that are there. Here a whole family begins from nothing: networks in bfloat16 with float32 masters, Muon,
batches that are drawn endlessly, stages by minutes, two processes that mix their weights. Low-rank changes
are tuning/low_rank.py's; the loss is that of velocity in tuning/objectives.py, which a test compares. What
needs none of that is trained by tuning/ here too: trained_motion.py, one_shot.py, tuned_parts.py.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable

import torch
from torch import nn

from ..motion_modules.animatediff.layers import MotionConfig, MotionModel, animatediff_sites
from . import networks, sheets
from .batches import Batch, in_order
from .fast_norm import speed_up
from .optimiser import MasterOptimiser

STEPS = {
    "unet": 3400,
    "decoder": 900,
    "motion": 6000,
    "motion_v2": 250,
    "pan": 250,
    "zoom": 250,
    "rise": 250,
    "dusk": 250,
    "control": 600,
    "camera": 800,
}
RATES = {
    "motion": 4e-3,
    "motion_v2": 1e-3,
    "camera": 1e-3,
    "pan": 4e-3,
    "zoom": 4e-3,
    "rise": 4e-3,
    "dusk": 4e-3,
}
USUAL_RATE = 2e-3
FRAMES = {
    "unet": 32,
    "decoder": 8,
    "dusk": 16,
    "control": 16,
    "camera": 96,
}  # in a step; 64 in every other stage
SAVE_SECONDS = 240
MOST_STEPS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where and for how long to train:
    `steps` or `minutes` of a stage, `frames` a step, `workers` processes that draw.

    `rate` replaces the stage's learning rate; half of the clips of the stages of motion and camera show one
    of the `favoured` motions.
    """

    work: pathlib.Path
    device: str = "cpu"
    steps: int | None = None
    minutes: float | None = None
    frames: int | None = None
    workers: int = 0
    rate: float | None = None
    favoured: tuple[str, ...] = ()

    def frames_of(self, stage: str) -> int:
        """Frames of one step."""
        return self.frames or FRAMES.get(stage, 64)

    def rate_of(self, stage: str) -> float:
        """Learning rate before its decline."""
        return self.rate or RATES.get(stage, USUAL_RATE)


def learning_rate(full: float, step: int, done: float) -> float:
    """Warm-up to `full` over 40 steps, constant,
    then linear to 3 % over the last 35 % of the stage, of which `done` is over.
    """
    left = (1 - done) / 0.35
    return full * min(1.0, (step + 1) / 40, 0.03 + 0.97 * left)


def save(state: dict, path: pathlib.Path) -> None:
    """torch.save that never leaves half a file under the final name."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


class Partner:
    """A second process that trains the same stage on other batches;
    every few steps each takes in the other's weights.

    Neither waits for the other, so unequal speeds do no harm:
    weights are mixed by the steps made since the last time.
    """

    EVERY = 12

    def __init__(self, work: pathlib.Path, stage: str, second: bool):
        self.mine, self.theirs = (
            work / f"{stage}.{name}.partner"
            for name in (("second", "first") if second else ("first", "second"))
        )
        self.second = second
        self.seen: int | None = None
        self.ours = 0
        self.schedule_step: int | None = None

    def exchange(self, optimiser: MasterOptimiser) -> None:
        """Publish our weights and mix in the other's, when it has published since."""
        save({"master": optimiser.master, "steps": optimiser.steps}, self.mine)
        if not self.theirs.exists():
            return
        other = torch.load(self.theirs, weights_only=True)
        made, ours = other["steps"] - (self.seen or 0), optimiser.steps - self.ours
        new_to_us, self.seen, self.ours = self.seen is None, other["steps"], optimiser.steps
        if self.second:
            self.schedule_step = other["steps"]
        if made <= 0 or (new_to_us and not self.second):
            return
        share = 1.0 if new_to_us else made / (made + ours)  # who joins begins where the other is
        for key, value in other["master"].items():
            optimiser.master[key].lerp_(value, share)


class Clock:
    """How far a stage is, 0..1: by its steps or, where it was given minutes, by its time."""

    def __init__(self, steps: int, minutes: float | None, spent: float):
        self.steps, self.seconds, self.spent = steps, minutes and 60 * minutes, spent
        self.begun = time.monotonic()

    def elapsed(self) -> float:
        """Seconds this stage has been trained for, interrupted runs included."""
        return self.spent + time.monotonic() - self.begun

    def progress(self, step: int) -> float:
        """Share of the stage that is behind us; 1 or more when it is over."""
        by_time = self.elapsed() / self.seconds if self.seconds else 0.0
        return max(by_time, 0.0 if self.seconds else step / self.steps)


def fit(
    stage: str,
    optimiser: MasterOptimiser,
    draw: Callable[[int], Batch],
    loss_of: Callable[..., torch.Tensor],
    setup: Setup,
    sheet: Callable[[], None] | None = None,
    partner: Partner | None = None,
) -> None:
    """Run a stage to its end; `draw(seed)` makes a step's batches,
    a tuple that `loss_of` takes on the setup's device.

    With a partner that is the second process nothing but its weights is saved, and it ends with the first.
    """
    path, losses = setup.work / f"{stage}.pt", []
    seconds = 0.0
    second = partner is not None and partner.second
    label = f"{stage} second" if second else stage
    if path.exists() and not second:
        state = torch.load(path, weights_only=True, map_location="cpu")
        optimiser.load_state_dict(state["optimiser"])
        losses, seconds = state["losses"], state["seconds"]
    clock = Clock(setup.steps or STEPS[stage], setup.minutes, seconds)
    first_seed = optimiser.steps + (1_000_000 if second else 0)
    batches = in_order(draw, range(first_seed, first_seed + MOST_STEPS), setup.workers)
    saved = shown = time.monotonic()
    while True:
        step = optimiser.steps
        done = clock.progress(((partner.schedule_step or 0) + step - partner.ours) if second else step)
        if done >= 1:
            break
        loss = loss_of(*(batch.to(setup.device) for batch in next(batches)))
        loss.backward()
        optimiser.step(learning_rate(setup.rate_of(stage), step, done))
        if partner is not None and optimiser.steps % partner.EVERY == 0:
            partner.exchange(optimiser)
        losses.append(loss.detach())
        now = time.monotonic()
        if step % 20 == 19:
            losses[-20:] = map(float, losses[-20:])
            pace = (now - shown) / 20
            print(
                f"{label} {step + 1} ({done:.0%})  loss {sum(losses[-20:]) / 20:.4f}  {pace:.3f} s/step",
                flush=True,
            )
            shown = now
        if not second and now - saved > SAVE_SECONDS:
            store(stage, optimiser, losses, clock.elapsed(), setup.work, sheet)
            saved = time.monotonic()
            shown += saved - now  # the printed pace is that of training alone
    if not second:
        store(stage, optimiser, losses, clock.elapsed(), setup.work, sheet)


def store(
    stage: str, optimiser: MasterOptimiser, losses: list, seconds: float, work: pathlib.Path, sheet
) -> None:
    """Save where a stage is, with its loss curve and sheet of samples."""
    losses = [float(loss) for loss in losses]
    save({"optimiser": optimiser.state_dict(), "losses": losses, "seconds": seconds}, work / f"{stage}.pt")
    if len(losses) > 1:
        sheets.loss_curve(losses, work / f"loss_{stage}.png", f"{stage}, {seconds / 60:.1f} min")
    if sheet is not None:
        sheet()


def averages(work: pathlib.Path, stage: str) -> dict[str, torch.Tensor]:
    """The moving average of a stage's weights.

    Raises FileNotFoundError when the stage has not been run."""
    path = work / f"{stage}.pt"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; run --stage {stage} first.")
    return torch.load(path, weights_only=True, map_location="cpu")["optimiser"]["average"]


def frozen_base(work: pathlib.Path, device: str = "cpu") -> tuple[networks.TextEncoder, nn.Module]:
    """Text encoder and UNet of the finished first stage; nothing of them is trained on."""
    tokens = networks.word_tokens()
    text, unet = networks.TextEncoder(networks.vocabulary(tokens)), networks.make_unet()
    trained = {k: v for k, v in averages(work, "unet").items() if k.startswith(("text.", "unet."))}
    nn.ModuleDict({"text": text, "unet": unet}).load_state_dict(trained)
    unet = in_bfloat16(unet, device)
    return text.to(device).requires_grad_(False), unet.requires_grad_(False)


def in_bfloat16(network: nn.Module, device: str = "cpu") -> nn.Module:
    """A network as it is trained: bfloat16; on a CPU channels last, with the fast norm."""
    network = network.to(device, torch.bfloat16)
    return speed_up(network.to(memory_format=torch.channels_last)) if device == "cpu" else network


def make_motion(version: str = "v3") -> MotionModel:
    """An untrained AnimateDiff module for the tiny UNet,
    32 positions, in the layout v3 (no middle block) or v2.
    """
    channels = tuple(networks.UNET_WIDTH * m for m in networks.UNET_MULT)
    return MotionModel(
        MotionConfig(version=version, site_channels=animatediff_sites(channels, with_mid=version == "v2"))
    )


@torch.no_grad()
def begin_local(motion: MotionModel) -> MotionModel:
    """Let the last attention of every block begin by looking at its own frame,
    so that what follows it knows which frame that is.

    The position table only enters an attention's input; an average
    over all frames, which is what coherence teaches first, hides it.
    """
    for name, attention in motion.named_modules():
        if name.endswith("attention_blocks.1"):
            identity = torch.eye(attention.to_out[0].out_features)
            attention.to_qkv.weight.copy_(torch.cat([2 * identity, 2 * identity, identity]))
            attention.to_out[0].weight.copy_(0.7 * identity)
            attention.to_out[0].bias.zero_()
    return motion
