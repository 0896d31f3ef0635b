"""A GUIDER that edits an inverted video: it begins on the way that the inversion went, and may look at it.

Source: Miyake et al. 2023 (Negative-prompt Inversion), arXiv 2305.16807: the prompt of the video itself is
the negative one. Ju et al. 2023 (Direct Inversion), arXiv 2310.01506: a source branch is held on the stored
way while a target branch is sampled, and gives it the maps of its self-attention, as in Hertz et al. 2022
(Prompt-to-Prompt), arXiv 2208.01626. Ours: the source branch is the stored way itself, so it needs no
correction; where a mask is given, what lies outside goes straight back to the video.

Letters: N images of a call, F frames, L places, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import comfy.samplers
import torch

from .invert_video import Inversion


@dataclass(frozen=True)
class EditSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    cfg: float = 4.0
    shared_attention: float = 0.0
    """The part of the steps, from the first on, that use the video's maps of self-attention; 0 = none."""

    def __post_init__(self) -> None:
        if not 0 <= self.shared_attention <= 1:
            raise ValueError(
                f"shared_attention={self.shared_attention} must be 0 to 1, a part of the steps; 0 = none."
            )


class EditGuider(comfy.samplers.CFGGuider):
    """Guides by a prompt away from a negative one, from the begin of a run on the way of an inversion."""

    def __init__(
        self,
        model,
        inversion: Inversion,
        positive: list,
        settings: EditSettings,
        negative: list | None = None,
    ):
        super().__init__(model)
        self.inversion, self.settings = inversion, settings
        self.inner_set_conds({
            "positive": positive, "negative": negative or inversion.positive, "source": inversion.positive
        })  # fmt: skip
        self.set_cfg(settings.cfg)

    def sample(self, noise, latent_image, sampler, sigmas, *args, **kwargs):
        """latent_image: only its shape matters; the run begins where the inversion was at sigmas[0].

        Raises ValueError for noise, latents of another shape, and sigmas that are none of the inversion.
        """
        expected = self.inversion.trajectory.shape[1:]
        if latent_image.shape != expected:
            raise ValueError(
                f"the latents have the shape {tuple(latent_image.shape)} and the inversion is of"
                f" {tuple(expected)}; wire the LATENT of Invert Video, or of the video."
            )
        if noise.any():
            raise ValueError("an inverted video has its own noise, and more was given; wire DisableNoise.")
        for sigma in sigmas:
            self._step_of(sigma)
        return super().sample(noise, latent_image, sampler, sigmas, *args, **kwargs)

    def _step_of(self, sigma: torch.Tensor) -> int:
        """The place of a noise level in the inversion's sigmas."""
        levels = self.inversion.sigmas
        near = (levels - sigma.to(levels)).abs()
        step = int(near.argmin())
        if float(near[step]) > 1e-3 * float(levels[step]):
            raise ValueError(
                f"sigma={float(sigma):g} is none of the {len(levels)} noise levels of the inversion"
                f" ({float(levels[0]):g} to {float(levels[-1]):g}); wire the SIGMAS of Invert Video."
            )
        return step

    def _on_the_way(self, sigma: torch.Tensor, device) -> torch.Tensor:
        return self.inversion.trajectory[-1 - self._step_of(sigma)].to(device)

    def inner_sample(self, noise, latent_image, device, sampler, sigmas, *args, **kwargs):
        """The video as latents, and the noise with which the run begins on the way."""
        sampling = self.inner_model.model_sampling
        lowest = self.inversion.sigmas[-1].to(device)
        video = sampling.inverse_noise_scaling(lowest, self.inversion.trajectory[0].to(device))
        one, none = torch.ones_like(video), torch.zeros_like(video)
        largest, sigma = sampler.max_denoise(self, sigmas), sigmas[0]
        begin = sampling.noise_scaling(sigma, none.clone(), video, largest)
        noise = (self._on_the_way(sigma, device) - begin) / sampling.noise_scaling(sigma, one, none, largest)
        latents = self.inner_model.process_latent_out(video)
        return super().inner_sample(noise, latents, device, sampler, sigmas, *args, **kwargs)

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        options = model_options or {}
        step = self._nearest_step(timestep[0])
        if step < self.settings.shared_attention * (len(self.inversion.sigmas) - 1):
            options = self._with_attention_of_video(step, timestep, x, options)
        return super().predict_noise(x, timestep, options, seed)

    def _nearest_step(self, sigma: torch.Tensor) -> int:
        """Samplers of higher order ask between the levels too."""
        levels = self.inversion.sigmas
        return int((levels.log() - sigma.to(levels).log()).abs().argmin())

    def _with_attention_of_video(self, step: int, timestep, x, options: Mapping) -> dict:
        shared = SharedAttention()
        source = self.inversion.trajectory[-1 - step].to(x)
        level = self.inversion.sigmas[step].to(timestep).expand_as(timestep)
        comfy.samplers.calc_cond_batch(
            self.inner_model, [self.conds["source"]], source, level, _with_patch(options, shared.keep)
        )
        return _with_patch(options, shared.give)


class SharedAttention:
    """Queries and keys of each self-attention in one call, for another: its maps are those of the first."""

    def __init__(self) -> None:
        self.kept: dict[tuple, torch.Tensor] = {}

    def keep(self, n, context, value, extra: Mapping) -> tuple[torch.Tensor, ...]:
        """n (N, L, C) before the projections to q and k; called by ComfyUI's attention blocks."""
        for key, part in zip(_keys(extra), n.chunk(len(_keys(extra))), strict=True):
            self.kept[key] = part
        return n, context, value

    def give(self, n, context, value, extra: Mapping) -> tuple[torch.Tensor, ...]:
        """Raises ValueError for parts of the picture, where other places attend."""
        kept = [self.kept[key] for key in _keys(extra)]
        shared = torch.cat(kept) if sum(map(len, kept)) == len(n) else n[:0]
        if shared.shape != n.shape:
            raise ValueError(
                "shared_attention needs prompts for the whole picture, one of these has an area; set it to 0,"
                " or take the area away."
            )
        return shared, shared, value


def _keys(extra: Mapping) -> list[tuple]:
    """Which attention of which frames each chunk of a call is."""
    place, chunks = (extra["block"], extra["block_index"]), len(extra["cond_or_uncond"])
    window = extra.get("context_window")
    windows = getattr(window, "windows", [window] * chunks)
    return [(place, tuple(one.index_list) if one is not None else ()) for one in windows]


def _with_patch(options: Mapping, patch) -> dict:
    to_network = options.get("transformer_options", {})
    patches = to_network.get("patches", {})
    patches = {**patches, "attn1_patch": [*patches.get("attn1_patch", []), patch]}
    return {**options, "transformer_options": {**to_network, "patches": patches}}
