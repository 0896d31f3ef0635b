"""What a training run shows while it goes on: the loss curve, and what the model makes by now."""

from __future__ import annotations

import time

import comfy.samplers
import comfy.utils
import torch
from PIL import Image, ImageOps

from ...frame_tools.labels import to_image
from ...frame_tools.plots import plot_values
from ...tuning.trainer import Progress, Trainer, generator_of
from ..media.clip_previews import animated_webp, find_previewer

PREVIEW_SECONDS = 2.0
SHOWN = 400
"""Most points of a loss curve."""
CURVE = (512, 288)
SAMPLE_STEPS, SAMPLE_CFG = 12, 4.0
MILLISECONDS = 125


class Samples:
    """Clips that are sampled on the way, always from the same noise: by Euler in SAMPLE_STEPS steps of
    Karras' schedule, with cfg SAMPLE_CFG.

    conds: negative and positive, as core's guider has made them. shape: of a clip's latents (F, C, h, w).
    """

    def __init__(self, model, conds: list, options: dict, shape: torch.Size, device: torch.device, seed: int):
        self.model, self.conds, self.options = model, conds, options
        self.noise = torch.randn(shape, generator=generator_of(seed, -(2**40))).to(device)
        self.previewer = find_previewer("auto", model.latent_format, device)

    @torch.no_grad()
    def latents(self) -> torch.Tensor:
        """What the model makes by now (F, C, h, w), as it samples."""
        sampling, empty = self.model.model_sampling, torch.zeros_like(self.noise)
        sigmas = comfy.samplers.calculate_sigmas(sampling, "karras", SAMPLE_STEPS).to(self.noise.device)
        x = sampling.noise_scaling(sigmas[0], self.noise, empty, False)
        for sigma, following in zip(sigmas, sigmas[1:], strict=False):
            each = sigma * x.new_ones(len(x))
            negative, positive = comfy.samplers.calc_cond_batch(self.model, self.conds, x, each, self.options)
            denoised = negative + SAMPLE_CFG * (positive - negative)
            x = x + (x - denoised) / sigma * (following - sigma)
        return x

    def frames(self) -> list[Image.Image]:
        """The frames as ComfyUI's own previews show latents; none where these latents have no preview."""
        if self.previewer is None:
            return []
        decode = self.previewer.decode_latent_to_preview
        with torch.no_grad():
            return [ImageOps.contain(decode(one[None]).convert("RGB"), CURVE) for one in self.latents()]


class Shown:
    """ComfyUI's progress bar, with the loss curve as its preview, and below it the newest sample."""

    def __init__(self, trainer: Trainer, samples: Samples | None = None):
        self.trainer, self.samples, self.due = trainer, samples, 0.0
        self.bar = comfy.utils.ProgressBar(trainer.recipe.steps)
        self.frames: list[Image.Image] = []

    def __call__(self, progress: Progress) -> None:
        now, preview, last = time.monotonic(), None, progress.step == progress.steps
        if self.samples and (last or progress.step % self.trainer.recipe.sample_every == 0):
            self.frames, self.due = self.samples.frames(), 0.0
        if now >= self.due or last:
            preview, self.due = self._preview(), now + PREVIEW_SECONDS
        self.bar.update_absolute(progress.step, progress.steps, preview)

    def _preview(self) -> tuple:
        curve = to_image(loss_curve(self.trainer.losses, CURVE)[0])
        if not self.frames:
            return "JPEG", curve, None
        pictures = []
        for frame in self.frames:
            enlarged = ImageOps.contain(frame.resize((frame.width * 4, frame.height * 4)), CURVE)
            picture = Image.new("RGB", (CURVE[0], CURVE[1] + enlarged.height))
            picture.paste(curve)
            picture.paste(enlarged, ((CURVE[0] - enlarged.width) // 2, CURVE[1]))
            pictures.append(picture)
        return "WEBP", animated_webp(pictures, MILLISECONDS), None


def loss_curve(losses: list[float], size: tuple[int, int] = (768, 384)) -> torch.Tensor:
    """The losses of a run and their running mean as a picture (1, height, width, 3)."""
    if not losses:
        return torch.zeros(1, size[1], size[0], 3)
    means, mean = [], losses[0]
    for number, loss in enumerate(losses):
        mean += (loss - mean) / min(number + 1, max(10, len(losses) // 20))
        means.append(mean)
    every = -(-len(losses) // SHOWN)
    series = [values[::every] for values in (losses, means)]
    across = "step" if every == 1 else f"step / {every}"
    return plot_values(series, ["loss", "running mean"], *size, title="Loss of training", across=across)


def told(sampler) -> str:
    """The run of a TrainingSampler in a sentence."""
    losses = sampler.losses
    few = max(1, len(losses) // 10)
    first, last = (sum(part) / few for part in (losses[:few], losses[-few:]))
    return f"{len(losses)} steps, {sampler.seconds:.0f} s; mean loss {first:.4f} at first, {last:.4f} at last"
