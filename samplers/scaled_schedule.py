"""Noise schedules whose signal shrinks with the timestep,
and exact DDIM on them, in the coordinates of k-diffusion.

Source: the dynamic rescale of VideoCrafter and DynamiCrafter (Chen et al. 2023, arXiv 2310.19512; Xing et al.
2023, arXiv 2310.12190; github.com/Doubiiu/DynamiCrafter, lvdm/models/ddpm3d.py and samplers/ddim.py), zero
terminal SNR and guidance rescale of Lin et al. 2023, arXiv 2305.08891, DDIM of Song et al. 2020, arXiv
2010.02502, equations 12 and 16.

The networks were trained on x_t = a s x0 + b n with a = sqrt(alphas_cumprod), b = sqrt(1 - alphas_cumprod)
and a scale s that falls from
1. Samplers work on x = x_t / (a s) = x0 + S n instead, S = b / (a s) being the sigma they know. With s = 1
   this is k-diffusion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from ..foreign_text import printable

TURNING_POINT = 400
"""The timestep from which on the scale is constant."""
SMALLEST_ALPHA = 4.8973451890853435e-08
"""Stands for zero signal at the last timestep, where sigma would be infinite;
the value that ComfyUI uses too.
"""


def scale_curve(base_scale: float, num_timesteps: int = 1000) -> torch.Tensor:
    """The scale s of every timestep (num_timesteps,):
    from 1 down to base_scale at TURNING_POINT, then constant.

    Raises ValueError for a base_scale outside of (0, 1].
    """
    if not 0.0 < base_scale <= 1.0:
        raise ValueError(
            f"base_scale={base_scale} must be above 0 and at most 1; 1 is no scaling, VideoCrafter's files"
            " have 0.3 or 0.7."
        )
    falling = torch.linspace(1.0, base_scale, TURNING_POINT, dtype=torch.float64)[:num_timesteps]
    return torch.cat([falling, torch.full((num_timesteps - len(falling),), base_scale, dtype=torch.float64)])


def zero_terminal_snr(alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """alphas_cumprod (T,) shifted and stretched so
    that the last timestep has (almost) no signal: SMALLEST_ALPHA.
    """
    root = alphas_cumprod.sqrt()
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return (root**2).clamp(min=SMALLEST_ALPHA)


@dataclass(frozen=True)
class ScaledSchedule:
    """a = sqrt(alphas_cumprod) and s of every timestep, both (T,) in float64 on the CPU, and by interpolation
    of every sigma in between.
    """

    a: torch.Tensor
    s: torch.Tensor

    @classmethod
    def of(
        cls, alphas_cumprod: torch.Tensor, base_scale: float = 1.0, zero_snr: bool = False
    ) -> ScaledSchedule:
        """From the alphas_cumprod (T,) of the training and the scale that its scale_arr ends with."""
        alphas = alphas_cumprod.cpu().double()
        alphas = zero_terminal_snr(alphas) if zero_snr else alphas
        return cls(alphas.sqrt(), scale_curve(base_scale, len(alphas)))

    @cached_property
    def sigmas(self) -> torch.Tensor:
        """S of every timestep (T,), ascending."""
        return (1.0 - self.a**2).sqrt() / (self.a * self.s)

    @cached_property
    def _log_sigmas(self) -> torch.Tensor:
        return self.sigmas.log()

    def scale_at(self, sigma: torch.Tensor) -> torch.Tensor:
        """s at any sigmas: linear between timesteps in the logarithm of sigma,
        constant outside; on the CPU in float64.
        """
        known = self._log_sigmas
        wanted = sigma.detach().cpu().double().clamp(min=1e-12).log()  # Apple's GPUs have no float64
        above = torch.searchsorted(known, wanted.contiguous()).clamp(1, len(known) - 1)
        low, high = known[above - 1], known[above]
        return torch.lerp(self.s[above - 1], self.s[above], ((wanted - low) / (high - low)).clamp(0.0, 1.0))

    def coefficients_at(self, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(a, b, s) at any sigmas, on the CPU in float64: a^2 + b^2 = 1 and sigma = b / (a s)."""
        s = self.scale_at(sigma)
        ratio = sigma.detach().cpu().double() * s
        a = (1.0 + ratio**2).rsqrt()
        return a, ratio * a, s


def ddim_noise_levels(
    schedule: ScaledSchedule, sigma: torch.Tensor, sigma_next: torch.Tensor, eta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(down, up) of one DDIM step:
    x_next = x0 + down * (x - x0) / sigma + up * n, with n new noise of standard deviation 1.

    eta 0 is DDIM without new noise, 1 has the noise of DDPM. The reference
    takes its size from alphas_cumprod alone, so on a schedule with scale it
    is not the noise of an ancestral sampler. down^2 + up^2 = sigma_next^2.
    """
    a, b, _ = schedule.coefficients_at(sigma)
    a_next, b_next, s_next = schedule.coefficients_at(sigma_next)
    new_noise = eta * (b_next / b) * (1.0 - (a / a_next) ** 2).clamp(min=0.0).sqrt()
    up = new_noise / (a_next * s_next)
    return (sigma_next.detach().cpu().double() ** 2 - up**2).clamp(min=0.0).sqrt(), up


DDIM_SPACINGS = ("uniform", "uniform_trailing")


def ddim_timesteps(spacing: str, steps: int, num_timesteps: int = 1000) -> list[int]:
    """The timesteps that the reference's DDIM visits, descending.

    uniform: 1, 1 + k, 1 + 2k, ... with k = num_timesteps // steps (VideoCrafter); uniform_trailing: from the
    last timestep down, the only one that begins where a zero-terminal-SNR network has no signal
    (DynamiCrafter). Raises ValueError for steps outside of 1..num_timesteps and unknown spacings.
    """
    if not 1 <= steps <= num_timesteps:
        raise ValueError(
            f"steps={steps} must be between 1 and {num_timesteps}, the number of timesteps of the model."
        )
    if spacing == "uniform":
        return [t + 1 for t in range(0, num_timesteps - 1, num_timesteps // steps)][::-1]
    if spacing == "uniform_trailing":
        stride = num_timesteps / steps
        return [round(num_timesteps - i * stride) - 1 for i in range(steps)]
    raise ValueError(
        f"spacing='{printable(spacing)}' is not known; choose one of {', '.join(DDIM_SPACINGS)}."
    )


def rescale_guidance(guided: torch.Tensor, cond: torch.Tensor, amount: float) -> torch.Tensor:
    """Gives the guided prediction the standard deviation that the conditional one has,
    taken over the whole video.

    guided, cond: predictions of the network (v or eps), (F, C, H, W); amount 0 = off, 1 = all of it.
    """
    ratio = cond.std() / guided.std()
    return amount * guided * ratio + (1.0 - amount) * guided
