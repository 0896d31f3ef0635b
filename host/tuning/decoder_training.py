"""Temporal layers of a VAE's decoder, trained on the frames of videos: the encoder and the layers of the
image decoder stay as they are.

Source: Blattmann et al. 2023, arXiv 2304.08818, section 3.1.1 (the decoder alone is trained on videos). Their
loss has a discriminator besides, which is not published; here frames are scored by their distance, and by the
distance of their changes from frame to frame, which is what flickers.

Letters: N images, F frames of a clip, H, W of the picture, C, h, w of the latent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import torch

from ...foreign_text import printable
from ...motion_modules.call import Call
from ...motion_modules.points import inject
from ...motion_modules.temporal_decoder import METHOD, FrameDecoder
from ...tuning.recipe import Recipe, RecipeOptions
from ...tuning.run_state import RunFolder
from ...tuning.trainer import Trainer, generator_of
from ..injection.motion_models import MotionModule
from ..sampling.differentiable import differentiable, recordable
from ..video_models.frame_vae import FrameVAE
from ..video_models.temporal_decoder import places_that_fit
from .checkpointing import layers_computed_again
from .fingerprints import model_fingerprint, weights_fingerprint
from .progress import Shown
from .run import clip_of
from .trained_weights import OwnWeights

OF_SAMPLING = ("loss", "debias", "single_frames", "sample_every", "image_frames")
"""Options of a recipe that are of networks that sample."""


@dataclass(frozen=True)
class DecoderRun:
    """What one run is made of. frames: IMAGE (N, H, W, 3), values 0..1, clips of num_frames one after
    another. change_weight: how much the changes from frame to frame count. folder: of its state,
    None = none is kept.

    Raises ValueError for a recipe that tells of sampling, and for fewer frames than a clip has.
    """

    frames: torch.Tensor
    recipe: Recipe
    num_frames: int = 8
    change_weight: float = 1.0
    folder: Path | None = None
    checkpointing: bool = True

    def __post_init__(self) -> None:
        usual = RecipeOptions()
        for name in OF_SAMPLING:
            if (value := getattr(self.recipe, name)) != getattr(usual, name):
                raise ValueError(
                    f"{name}={printable(value)} is of networks that sample, a decoder does not; set it to"
                    f" {getattr(usual, name)} in Training Options."
                )
        if self.num_frames < 2:
            raise ValueError(f"num_frames={self.num_frames} must be at least 2; 8 are usual.")
        if len(self.frames) < self.num_frames:
            raise ValueError(
                f"images holds {len(self.frames)} frames, a clip has num_frames={self.num_frames}; lower"
                " num_frames, or wire more frames."
            )
        if not 0 <= self.change_weight < math.inf:
            raise ValueError(
                f"change_weight={self.change_weight} must be a finite number, 0 or larger; 1 is usual."
            )
        if not torch.isfinite(self.frames).all():
            raise ValueError("images hold numbers that are not finite; look at what makes them.")

    def clips(self) -> list[torch.Tensor]:
        """Whole clips (F, H, W, 3); frames that are left over at the end are not seen."""
        whole = len(self.frames) // self.num_frames * self.num_frames
        return list(self.frames[:whole, ..., :3].split(self.num_frames))


@dataclass
class DecoderTraining:
    """What came of a run."""

    losses: list[float]
    seconds: float


def train_temporal_decoder(
    vae, module: MotionModule, run: DecoderRun
) -> tuple[MotionModule, DecoderTraining]:
    """A trained copy of the layers; the VAE and the layers given stay as they are.

    Raises ValueError for layers that do not fit the VAE, and where a run of this name was another.
    """
    if isinstance(vae, FrameVAE):
        raise ValueError(
            "this VAE has temporal layers on it already; wire the VAE in front of Apply Temporal Decoder."
        )
    places = places_that_fit(vae, module)
    seen = _encoded(vae, run)
    weights, begun = OwnWeights.of(module), time.monotonic()
    network, device, layers = vae.first_stage_model, vae.device, weights.module.patcher
    comfy.model_management.load_models_gpu([vae.patcher, layers], force_full_load=True)
    with differentiable([network]), weights.opened(device) as parameters:
        trainer = Trainer(parameters, run.recipe, _folder(run, vae, module, parameters))
        frames, acts = FrameDecoder(network), METHOD.acts(layers.model, places)
        try:
            with (
                inject(frames, acts, lambda forward: Call(forward, forward.num_frames, 1.0)),
                layers_computed_again(network.decoder, run.checkpointing),
            ):
                scaler = torch.amp.GradScaler(device.type) if vae.vae_dtype == torch.float16 else None
                trainer.run(_loss_of(vae, frames, seen, run), Shown(trainer), scaler)
        except comfy.model_management.OOM_EXCEPTION as error:
            raise RuntimeError(
                f"memory ran out in step {trainer.step + 1}; take fewer frames (num_frames) or smaller"
                " pictures, or switch gradient_checkpointing on."
            ) from error
        trainer.finish()
    return weights.finished(), DecoderTraining(trainer.losses, time.monotonic() - begun)


def _encoded(vae, run: DecoderRun) -> list[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Of each clip its latents (F, C, h, w) and pictures (F, 3, H, W) in the decoder's range; the same of its
    mirror image, which has latents of its own, where clips are mirrored.
    """
    found = []
    for clip in run.clips():
        both = [clip, clip.flip(2)] if run.recipe.flip else [clip]
        pictures = [vae.process_input(vae.vae_encode_crop_pixels(one)).movedim(-1, 1) for one in both]
        found.append([(vae.encode(one), shown) for one, shown in zip(both, pictures, strict=True)])
    return recordable(found)


def _folder(run: DecoderRun, vae, module: MotionModule, parameters: dict) -> RunFolder | None:
    if run.folder is None:
        return None
    numbers = sum(p.numel() for p in parameters.values())
    what = {
        "images": f"{len(run.frames)}, {weights_fingerprint(enumerate(run.frames))}",
        "num_frames": str(run.num_frames), "change_weight": str(run.change_weight),
        "trained": f"{module.method.name}, {numbers} numbers", "vae": model_fingerprint(vae.patcher),
    }  # fmt: skip
    return RunFolder(run.folder, run.recipe, what)


def _loss_of(vae, frames: FrameDecoder, seen: list, run: DecoderRun) -> Callable[[int], torch.Tensor]:
    """number of a clip that is seen -> its loss."""

    def loss_of(number: int) -> torch.Tensor:
        comfy.model_management.throw_exception_if_processing_interrupted()
        chance = float(torch.rand((), generator=generator_of(run.recipe.seed, number)))
        clip = seen[clip_of(number, len(seen), run.recipe.seed)]
        latents, pictures = clip[1 if chance < run.recipe.flip else 0]
        made = frames(latents.to(vae.device, vae.vae_dtype))
        wanted = pictures.to(vae.device).float()
        error = made.float() - wanted
        return error.abs().mean() + run.change_weight * error.diff(dim=0).abs().mean()

    return loss_of
