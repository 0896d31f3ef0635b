"""Null-text inversion in ComfyUI: a negative CONDITIONING with an entry for each step of an inversion.

The maths is in samplers/null_text.py. What is ours: entries begin and end between the noise levels of two
steps, so that every sampler takes the one of its step; the loss is that of latents as the network sees them.
"""

from __future__ import annotations

import math

import comfy.model_management
import comfy.samplers
import latent_preview
import torch
from comfy.conds import CONDCrossAttn
from comfy.utils import model_trange

from ...samplers.null_text import NullTextSettings, fit_step
from .differentiable import differentiable, recordable
from .invert_video import Inversion


class NullTextSampler(comfy.samplers.Sampler):
    """Walks down an inversion and keeps the negative embedding and the losses of each step."""

    def __init__(self, inversion: Inversion, settings: NullTextSettings):
        self.inversion, self.settings = inversion, settings
        self.embeddings: list[torch.Tensor] = []
        self.losses: list[list[float]] = []

    def sample(
        self,
        model_wrap,
        sigmas,
        extra_args,
        callback,
        noise,
        latent_image=None,
        denoise_mask=None,
        disable_pbar=False,
    ):
        """The latents at the end of the way, shaped like noise; called by ComfyUI."""
        model, options = model_wrap.inner_model, extra_args["model_options"]
        negative, embedding = _embedding_of(model_wrap.conds["negative"])
        targets = self.inversion.trajectory.flip(0).to(noise)
        x, steps, x0 = targets[0], len(sigmas) - 1, None

        def direction(cond, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            comfy.model_management.throw_exception_if_processing_interrupted()
            nonlocal x0
            x0 = comfy.samplers.calc_cond_batch(model, [cond], x, sigma * x.new_ones(len(x)), options)[0]
            return (x - x0) / sigma

        modules = [model, *(patcher.model for patcher in model_wrap.loaded_models)]
        with differentiable(modules):
            for i in model_trange(steps, disable=disable_pbar):
                sigma, after = sigmas[i], sigmas[i + 1]
                unit = model.model_sampling.calculate_input(after, torch.ones_like(after))
                with torch.no_grad():
                    prompt = direction(model_wrap.conds["positive"], x, sigma)
                embedding, x, losses = fit_step(
                    lambda x, text, sigma=sigma: direction(negative(text), x, sigma),
                    x, targets[i + 1], prompt, embedding, after - sigma, unit, i, self.settings,
                )  # fmt: skip
                self.embeddings.append(embedding)
                self.losses.append(losses)
                if callback is not None:
                    callback(i, x0.detach(), x, steps)
        return model.model_sampling.inverse_noise_scaling(sigmas[-1], x)


def _embedding_of(conds: list[dict]):
    """(embedding -> conds with it, the embedding that they have)."""
    context = conds[0]["model_conds"].get("c_crossattn") if len(conds) == 1 else None
    given = conds[0].get("cross_attn")
    if context is None or given is None or not torch.equal(context.cond.to(given), given):
        raise ValueError(
            f"the negative prompt ({len(conds)} entries) must be a single text that the network gets"
            " unchanged; wire CLIP Text Encode, or guide this model by a negative-prompt inversion."
        )

    def with_embedding(embedding: torch.Tensor) -> list[dict]:
        model_conds = {**conds[0]["model_conds"], "c_crossattn": CONDCrossAttn(embedding)}
        return [{**conds[0], "cross_attn": embedding, "model_conds": model_conds}]

    return with_embedding, context.cond


def optimise_null_text(
    model, inversion: Inversion, negative: list, settings: NullTextSettings
) -> tuple[list, str]:
    """The negative CONDITIONING for sampling an inversion back with guidance, and a report.

    Raises ValueError for a negative prompt of several entries, or that the network does not get as it is.
    """
    sampler = NullTextSampler(inversion, settings)
    # In ComfyUI's own mode, in which its weights are changed in place.
    comfy.model_management.load_models_gpu([model, *model.get_nested_additional_models()])
    with torch.inference_mode(False):
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(recordable(inversion.positive), recordable(negative))
        latents = inversion.trajectory[-1].clone()
        callback = latent_preview.prepare_callback(model, len(inversion.sigmas) - 1)
        guider.sample(
            torch.zeros_like(latents), latents, sampler, inversion.sigmas.clone(), callback=callback, seed=0
        )
    entries = _schedule(model, inversion.sigmas, sampler.embeddings, negative[0][1])
    updates = sum(map(len, sampler.losses))
    worst = max(losses[-1] for losses in sampler.losses)
    return entries, f"{updates} updates in {len(entries)} steps; largest last loss {worst:.1e}"


def _schedule(model, sigmas: torch.Tensor, embeddings: list[torch.Tensor], extras: dict) -> list:
    """A CONDITIONING whose entries are each the prompt of one step."""
    sampling = model.get_model_object("model_sampling")
    borders = [0.0]
    borders += [
        percent_of(sampling, math.sqrt(a * b)) for a, b in zip(sigmas[1:-1], sigmas[:-2], strict=True)
    ]
    borders += [1.0]
    return [
        [embedding.cpu(), {**extras, "start_percent": start, "end_percent": end}]
        for embedding, start, end in zip(embeddings, borders[:-1], borders[1:], strict=True)
    ]


def percent_of(sampling, sigma: float) -> float:
    """The part of a MODEL's schedule that lies before a noise level, as core's percents count it."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if sampling.percent_to_sigma(middle) > sigma:
            low = middle
        else:
            high = middle
    return high
