"""What reused features must come to: core computes every block of every step, and at the steps between whole
ones a patch puts the feature of the last whole step in place of the new one.
"""

from __future__ import annotations

import torch


class ReplacedFeatures:
    """A patch of core's output blocks. One whole step of `interval`; a step is a noise level.

    each_call: the calls of an evaluation are told apart by their order; else an evaluation is one call.
    """

    def __init__(self, interval: int, block: int, each_call: bool = False) -> None:
        self.interval, self.block, self.each_call = interval, ("output", block), each_call
        self.level, self.step, self.call = None, -1, 0
        self.kept: dict[int, torch.Tensor] = {}

    def __call__(self, h, skip, options):
        if options["block"] != self.block:
            return h, skip
        level = float(options["sigmas"][0])
        if level != self.level:
            self.level, self.step, self.call = level, self.step + 1, 0
        place = self.call if self.each_call else 0
        self.call += 1
        if self.step % self.interval == 0:
            self.kept[place] = h.clone()
        return self.kept[place].clone(), skip


def replacing(model, interval: int, depth: int, **how):
    """A clone of a MODEL with that patch in front of the outermost `depth` output blocks."""
    model = model.clone()
    block = len(model.model.diffusion_model.output_blocks) - depth
    patches = model.model_options["transformer_options"].get("patches", {})
    before = patches.get("output_block_patch", [])
    model.set_model_output_block_patch(ReplacedFeatures(interval, block, **how))
    patches = model.model_options["transformer_options"]["patches"]
    patches["output_block_patch"] = [patches["output_block_patch"][-1], *before]
    return model


def blocks_run(model, counted: list[int]):
    """A clone of a MODEL; how many of its layers ran in each call of the network is added to `counted`."""
    model = model.clone()
    network = model.model.diffusion_model

    def count(executor, *args, **kwargs):
        ran = []
        handles = [
            layer.register_forward_pre_hook(lambda *_: ran.append(1))
            for block in [*network.input_blocks, network.middle_block, *network.output_blocks]
            for layer in block
        ]
        try:
            return executor(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()
            counted.append(len(ran))

    model.add_wrapper_with_key("diffusion_model", "count", count)
    return model
