"""What every training stage of the tiny family shares: the loop that can be interrupted, two processes at once, the frozen base."""

from __future__ import annotations

import os
import pathlib
import random
import time
from collections.abc import Callable

import torch
from torch import nn

from ..motion_modules.animatediff import MotionConfig, MotionModel, animatediff_sites
from . import networks, sheets
from .fast_norm import speed_up
from .optimiser import MasterOptimiser

__all__ = ["MasterOptimiser", "Partner", "averages", "begin_local", "fit", "frozen_base", "in_bfloat16", "make_motion"]

STEPS = {"unet": 3400, "decoder": 900, "motion": 6000, "motion_v2": 250, "pan": 250, "zoom": 250, "dusk": 250, "control": 600}
RATES = {"motion": 4e-3, "motion_v2": 1e-3, "pan": 4e-3, "zoom": 4e-3, "dusk": 4e-3}
USUAL_RATE = 2e-3
SAVE_SECONDS = 240


def learning_rate(stage: str, step: int, steps: int) -> float:
    """Warm-up over 40 steps, constant, then linear to 3 % over the last 35 %."""
    left = (steps - step) / (0.35 * steps)
    return RATES.get(stage, USUAL_RATE) * min(1.0, (step + 1) / 40, 0.03 + 0.97 * left)


def save(state: dict, path: pathlib.Path) -> None:
    """torch.save that never leaves half a file under the final name."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


class Partner:
    """A second process that trains the same stage on other batches; every few steps each takes in the other's weights.

    Neither waits for the other, so unequal speeds do no harm: weights are mixed by the steps made since the last time."""

    EVERY = 12

    def __init__(self, work: pathlib.Path, stage: str, second: bool):
        self.mine, self.theirs = (work / f"{stage}.{name}.partner" for name in (("second", "first") if second else ("first", "second")))
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


def fit(
    stage: str,
    optimiser: MasterOptimiser,
    loss_of: Callable[[random.Random, torch.Generator], torch.Tensor],
    steps: int,
    work: pathlib.Path,
    sheet: Callable[[], None] | None = None,
    partner: Partner | None = None,
) -> None:
    """Run a stage to its last step; `loss_of` draws a batch from the two generators, both seeded by the step.

    With a partner that is the second process nothing but its weights is saved, and it ends with the first."""
    path, losses = work / f"{stage}.pt", []
    seconds = 0.0
    second = partner is not None and partner.second
    label = f"{stage} second" if second else stage
    if path.exists() and not second:
        state = torch.load(path, weights_only=True)
        optimiser.load_state_dict(state["optimiser"])
        losses, seconds = state["losses"], state["seconds"]
    begun = saved = shown = time.monotonic()
    while optimiser.steps < steps:
        step = optimiser.steps
        seed = step + 1_000_000 if second else step
        loss = loss_of(random.Random(f"{stage} {seed}"), torch.Generator().manual_seed(seed))
        loss.backward()
        scheduled = step
        if second:
            scheduled = (partner.schedule_step or 0) + step - partner.ours
            if scheduled >= steps:
                return
        optimiser.step(learning_rate(stage, min(scheduled, steps - 1), steps))
        if partner is not None and optimiser.steps % partner.EVERY == 0:
            partner.exchange(optimiser)
        losses.append(float(loss.detach()))
        now = time.monotonic()
        if step % 20 == 19:
            mean, pace = sum(losses[-20:]) / 20, (now - shown) / 20
            left = pace * (steps - step) / 60
            print(f"{label} {scheduled + 1}/{steps}  loss {mean:.4f}  {pace:.2f} s/step  {left:.0f} min left", flush=True)
            shown = now
        if not second and (now - saved > SAVE_SECONDS or optimiser.steps == steps):
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


def frozen_base(work: pathlib.Path) -> tuple[dict, networks.TextEncoder, nn.Module]:
    """Tokens, text encoder and UNet of the finished first stage; nothing of them is trained on."""
    tokens = networks.word_tokens()
    text, unet = networks.TextEncoder(networks.vocabulary(tokens)), networks.make_unet()
    trained = {k: v for k, v in averages(work, "unet").items() if not k.startswith("probe.")}
    nn.ModuleDict({"text": text, "unet": unet}).load_state_dict(trained)
    unet = in_bfloat16(unet)
    return tokens, text.requires_grad_(False), unet.requires_grad_(False)


def in_bfloat16(network: nn.Module) -> nn.Module:
    """A network as it is trained here: bfloat16, channels last, with the fast norm."""
    return speed_up(network.bfloat16().to(memory_format=torch.channels_last))


def make_motion(version: str = "v3") -> MotionModel:
    """An untrained AnimateDiff module for the tiny UNet, 32 positions, in the layout v3 (no middle block) or v2."""
    channels = tuple(networks.UNET_WIDTH * m for m in networks.UNET_MULT)
    return MotionModel(MotionConfig(version=version, site_channels=animatediff_sites(channels, with_mid=version == "v2")))


@torch.no_grad()
def begin_local(motion: MotionModel) -> MotionModel:
    """Let the last attention of every block begin by looking at its own frame, so that what follows it knows which frame that is.

    The position table only enters an attention's input; an average over all frames, which is what coherence teaches first, hides it."""
    for name, attention in motion.named_modules():
        if name.endswith("attention_blocks.1"):
            identity = torch.eye(attention.to_out[0].out_features)
            attention.to_qkv.weight.copy_(torch.cat([2 * identity, 2 * identity, identity]))
            attention.to_out[0].weight.copy_(0.7 * identity)
            attention.to_out[0].bias.zero_()
    return motion
