"""Context guidance: a video follows its known frames more than the network does by itself.

Source: Align Your Latents (Blattmann et al. 2023, arXiv 2304.08818, section 3.2): f_uncond + s (f_cond -
f_uncond), where f_uncond does not see the context. The paper has no prompt in it. Ours beside a prompt: the
order of InstructPix2Pix (Brooks et al. 2022, arXiv 2211.09800, section 3.2.1): the guidance by the context is
that of the negative prompt, and the guidance by the prompt comes on top, with the context in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from comfy.samplers import calc_cond_batch

RUNS = "zoetrope_motion_runs"
"""Key in transformer_options: {MotionCalls: what it found for this sampling run}."""


@dataclass(frozen=True)
class ContextGuidance:
    """A function after the guidance by the prompt. calls: of the module on the MODEL, the key of its run in
    RUNS. scale: s, 1 adds nothing.

    It costs one more evaluation of the network in each step in which the module acts.
    """

    calls: Any
    scale: float

    def __call__(self, arguments: Mapping) -> torch.Tensor:
        guided, options = arguments["denoised"], arguments["model_options"]
        own = options.get("transformer_options", {})
        run = own.get(RUNS, {}).get(self.calls)
        if run is None or not run.acts_at(float(arguments["sigma"].max())):
            return guided
        unseen = {**own[RUNS], self.calls: replace(run, inputs=run.inputs.unseen())}
        options = {**options, "transformer_options": {**own, RUNS: unseen}}
        cond, uncond = arguments["cond"], arguments["uncond"]
        # Patches look up the kind of a cond by its place: the negative prompt stays the second.
        conds, seen = ([cond], "cond") if uncond is None else ([None, uncond], "uncond")
        without = calc_cond_batch(arguments["model"], conds, arguments["input"], arguments["sigma"], options)
        return guided + (self.scale - 1) * (arguments[f"{seen}_denoised"] - without[-1])
