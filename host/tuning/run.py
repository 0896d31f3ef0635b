"""A training run inside ComfyUI: a SAMPLER whose steps are updates.

It goes through a guider as any sampler does, so that memory, prompts, ControlNets, hooks and what other nodes
have put on the MODEL are core's business and the same as where the result is used.

Letters: F frames of a clip, C channels, h, w latent size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import comfy.model_management
import comfy.model_sampling
import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP

from ...foreign_text import printable
from ...motion_modules.call import SINGLE_FRAMES, streams_in
from ...tuning.objectives import AS_TRAINED, clip_loss
from ...tuning.recipe import Recipe
from ...tuning.run_state import RunFolder
from ...tuning.trainer import Trainer, draw_sigma, generator_of
from ..injection.run_inputs import TRAINED_CLIP, TrainedClip
from ..sampling.differentiable import differentiable, recordable, with_controls_beside
from ..sampling.freeinit import KEY as FREEINIT
from ..sampling.reuse_deep_features import KEY as DEEP_FEATURES
from ..windows.controls import HintStore
from .checkpointing import layers_computed_again
from .clips import TrainingClips, check_clips, refuse_flips
from .fingerprints import model_fingerprint
from .pictures import denoised_pictures, without_windows
from .progress import Samples, Shown


@dataclass(frozen=True)
class TrainingRun:
    """What one run is made of. empty: the CONDITIONING of a clip whose text is dropped. folder: of its state,
    None = none is kept. checkpointing: see checkpointing.py.
    """

    clips: TrainingClips
    empty: list
    recipe: Recipe
    folder: Path | None = None
    checkpointing: bool = True


class TrainingSampler(comfy.samplers.Sampler):
    """Its `sample` is the run. weights: what is trained (trained_weights.py). what: by name, what a run
    that goes on must find the same.
    """

    def __init__(self, run: TrainingRun, weights, what: Mapping[str, str]):
        self.run, self.weights, self.what = run, weights, dict(what)
        self.losses: list[float] = []
        self.seconds = 0.0

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None,
        disable_pbar=False,
    ):  # fmt: skip
        """Trains, and gives its latents back as they came; called by ComfyUI."""
        model, options = model_wrap.inner_model, extra_args["model_options"]
        call = with_controls_beside(options.get("model_function_wrapper"))
        options = {**options, "model_function_wrapper": call}
        frozen = [model, *(p.model for p in model_wrap.loaded_models if p.model not in self.weights.networks)]
        with differentiable(frozen), self.weights.opened(noise.device) as parameters:
            trainer = Trainer(parameters, self.run.recipe, self._folder(parameters))
            network, begun = model.diffusion_model, time.monotonic()
            try:
                with layers_computed_again(network, self.run.checkpointing):
                    loss_of = self._loss_of(model, model_wrap.conds, options, noise.device)
                    shown = Shown(trainer, self._samples(model, model_wrap, options, noise.device))
                    trainer.run(loss_of, shown, self._scaler(model, noise.device))
            except comfy.model_management.OOM_EXCEPTION as error:
                raise RuntimeError(
                    f"memory ran out in step {trainer.step + 1}; take fewer frames or smaller clips, a lower"
                    " rank or fewer layers, or switch gradient_checkpointing on."
                ) from error
            finally:
                self.losses, self.seconds = trainer.losses, time.monotonic() - begun
            trainer.finish()
        return noise

    def _folder(self, parameters: dict) -> RunFolder | None:
        if self.run.folder is None:
            return None
        shapes = sum(p.numel() for p in parameters.values())
        what = {"clips": self.run.clips.fingerprint(), **self.what}
        what["trained"] += f", {shapes} numbers"
        return RunFolder(self.run.folder, self.run.recipe, what)

    def _samples(self, model, model_wrap, options: dict, device: torch.device) -> Samples | None:
        """What is sampled on the way, of the first clip's text; None where nothing is."""
        if not self.run.recipe.sample_every:
            return None
        conds = [model_wrap.conds["empty"], model_wrap.conds["clip 0"]]
        shape = self.run.clips.clips[0].latents.shape
        return Samples(model, conds, options, shape, device, self.run.recipe.seed)

    def _scaler(self, model, device: torch.device) -> torch.amp.GradScaler | None:
        half = model.get_dtype() == torch.float16 or model.manual_cast_dtype == torch.float16
        return torch.amp.GradScaler(device.type) if half else None

    def _loss_of(self, model, conds: dict, options: dict, device) -> Callable[[int], torch.Tensor]:
        """number of a clip that is seen -> its loss."""
        recipe, sampling = self.run.recipe, model.model_sampling
        latents = [model.process_latent_in(clip.latents) for clip in self.run.clips.clips]
        loss = loss_of_model(sampling) if recipe.loss == AS_TRAINED else recipe.loss
        data, hints = getattr(sampling, "sigma_data", 1.0), HintStore()
        streams = streams_in(options.get("transformer_options", {}))  # frames of motion are no pictures

        def scored(
            which: int, clean: torch.Tensor, seen: SeenClip, rows: list[int] | None = None
        ) -> torch.Tensor:
            """rows: which frames of the clip these are; None = all of them, in order."""
            clean = (clean.flip(-1) if seen.is_flipped else clean).to(device)
            sigma, noise = seen.sigma.to(device), seen.noise.to(device)
            noisy = sampling.noise_scaling(sigma, noise, clean, False)
            cond = conds["empty" if seen.is_without_text else f"clip {which}"]
            each = sigma * clean.new_ones(len(clean))
            told = _of_single_frames(options) if seen.is_single else _of_clip(options, clean, seen)
            if rows is not None:
                of_clip = len(latents[which])
                denoised = denoised_pictures(model, cond, noisy, each, rows, of_clip, told, hints)
            else:
                denoised = comfy.samplers.calc_cond_batch(model, [cond], noisy, each, told)[0]
            debias = 0.0 if seen.is_single else recipe.debias  # of what frames of one clip share
            found = clip_loss(denoised.float(), clean, sigma, loss, debias, seen.anchor, data)
            return found * self.run.clips.clips[which].weight

        def loss_of(number: int) -> torch.Tensor:
            comfy.model_management.throw_exception_if_processing_interrupted()
            which = clip_of(number, len(latents), recipe.seed)
            clean = latents[which]
            seen = seen_clip(number, clean.shape, sampling, recipe)
            found = scored(which, clean, seen)
            if not recipe.image_frames or seen.is_single:
                return found
            other, rows = beside(number, [len(clip) // streams for clip in latents], recipe)
            images = latents[other][rows]
            pictures = replace(seen_clip(BESIDE - number, images.shape, sampling, recipe), is_single=True)
            shares = len(clean), len(images)
            both = found * shares[0] + scored(other, images, pictures, rows) * shares[1]
            return both / sum(shares)

        return loss_of


def _of_clip(options: dict, clean: torch.Tensor, seen: SeenClip) -> dict:
    """model_options with which modules that are shown frames of a video are shown those of the clip."""
    clip = TrainedClip(clean, not seen.is_without_frames)
    return {**options, "transformer_options": {**options.get("transformer_options", {}), TRAINED_CLIP: clip}}


def _of_single_frames(options: dict) -> dict:
    """model_options with which every frame of a batch is a picture of its own, of which nothing is known."""
    told = {SINGLE_FRAMES: True, TRAINED_CLIP: TrainedClip(None, False)}
    return {
        **without_windows(options),
        "transformer_options": {**options.get("transformer_options", {}), **told},
    }


@dataclass(frozen=True)
class SeenClip:
    """What chance decides of a clip that is seen: its noise level, its noise (F, C, h, w) and so on."""

    sigma: torch.Tensor
    noise: torch.Tensor
    is_flipped: bool
    is_without_text: bool
    anchor: int
    is_single: bool = False
    is_without_frames: bool = False


def seen_clip(number: int, shape: torch.Size, sampling, recipe: Recipe) -> SeenClip:
    """What the clip of a number is seen with, on the CPU. sampling: ComfyUI's model_sampling."""
    steps = not isinstance(sampling, comfy.model_sampling.ModelSamplingContinuousEDM)
    levels = sampling.sigmas.detach().float().cpu() if steps else None
    generator = generator_of(recipe.seed, number)
    sigma = draw_sigma(levels, float(sampling.sigma_min), float(sampling.sigma_max), generator)
    noise = torch.randn(shape, generator=generator)
    flip, drop = torch.rand(2, generator=generator).tolist()
    anchor = int(torch.randint(shape[0], (), generator=generator))
    single, unseen = torch.rand(2, generator=generator).tolist()
    return SeenClip(
        sigma, noise, flip < recipe.flip, drop < recipe.text_dropout, anchor, single < recipe.single_frames,
        unseen < recipe.text_dropout,
    )  # fmt: skip


BESIDE = -(2**41)
"""What the numbers of pictures beside clips count down from, so that theirs is another chance."""


def beside(number: int, lengths: Sequence[int], recipe: Recipe) -> tuple[int, list[int]]:
    """(another clip, some of its frames): the pictures that are seen beside the clip of a number. They are of
    the same clip where there is no other one.
    """
    generator, which = generator_of(recipe.seed, BESIDE - number), clip_of(number, len(lengths), recipe.seed)
    further = 1 + int(torch.randint(max(1, len(lengths) - 1), (), generator=generator))
    other = (which + further) % len(lengths)
    return other, torch.randint(lengths[other], (recipe.image_frames,), generator=generator).tolist()


def clip_of(number: int, count: int, seed: int) -> int:
    """Which of `count` clips is seen: all of them before one is seen again, each time in another order."""
    order = torch.randperm(count, generator=generator_of(seed, -1 - number // count))
    return int(order[number % count])


def loss_of_model(sampling) -> str:
    """The loss that a MODEL of this kind is trained with, of objectives.WEIGHTS."""
    if isinstance(sampling, comfy.model_sampling.ModelSamplingContinuousEDM):
        return "EDM"
    if isinstance(sampling, comfy.model_sampling.X0):
        return "clean latents"
    return "velocity" if isinstance(sampling, comfy.model_sampling.V_PREDICTION) else "noise"


def train(model, weights, run: TrainingRun, what: str) -> TrainingSampler:
    """Runs a training on a MODEL that has on it what is trained. Raises ValueError for clips that do not fit,
    for quantised weights, and where a run of this name was another.
    """
    check_clips(run.clips, model.get_model_object("latent_format").latent_channels)
    refuse_quantised(model)
    if run.recipe.flip:
        refuse_flips(run.clips, run.recipe.flip)
    _refuse_other_ways_to_sample(model)
    told = {"trained": what} if run.folder is None else {"trained": what, **_frozen(model, weights.networks)}
    sampler, sampling = TrainingSampler(run, weights, told), model.get_model_object("model_sampling")
    # In ComfyUI's own mode, in which its weights are changed in place.
    comfy.model_management.load_models_gpu([model, *model.get_nested_additional_models()])
    with torch.inference_mode(False):
        guider = comfy.samplers.CFGGuider(model)
        conds = {f"clip {i}": clip.positive for i, clip in enumerate(run.clips.clips)}
        guider.inner_set_conds(recordable({**conds, "empty": run.empty}))
        latents = run.clips.clips[0].latents.clone()
        ends = torch.tensor([float(sampling.sigma_max), 0.0])
        guider.sample(torch.zeros_like(latents), latents, sampler, ends, seed=run.recipe.seed)
    return sampler


def _frozen(model, trained: Sequence) -> dict[str, str]:
    """Fingerprints of what a run does not change: the MODEL, and modules on it that are not `trained`."""
    others = [patcher for patcher in model.get_nested_additional_models() if patcher.model not in trained]
    found = {"checkpoint": model_fingerprint(model)}
    return found | ({"modules": ", ".join(map(model_fingerprint, others))} if others else {})


def refuse_quantised(model) -> None:
    """Raises ValueError for a MODEL whose weights are stored in 8 bits or fewer."""
    for name, weight in model.model.diffusion_model.named_parameters():
        if weight.element_size() == 1 or type(weight.data) is not torch.Tensor:
            raise ValueError(
                f"the weights of this MODEL are quantised ({printable(name)}, {weight.dtype}), and give no"
                " exact gradients; load the checkpoint in float16, bfloat16 or float32 for training."
            )


def _refuse_other_ways_to_sample(model) -> None:
    """Raises ValueError for a MODEL on which a node changes how it is sampled: a run would be made several
    times, or by parts of the network.
    """
    for name, key in (("FreeInit", FREEINIT), ("Reuse Deep Features", DEEP_FEATURES)):
        if model.get_wrappers(WrappersMP.OUTER_SAMPLE, key):
            raise ValueError(
                f"this MODEL has {name} on it, which is for sampling and changes what is trained; wire the"
                " MODEL in front of that node to the training."
            )
