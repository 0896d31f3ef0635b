"""Key frames as conditioning of the networks that fill
in the frames between them (LaVie's and Show-1's interpolation).

The prompts carry the key frames as they are encoded; the MODEL makes of them what its network was trained
with. Letters: K key frames, F frames, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from node_helpers import conditioning_set_values

from ...memory import check_memory

KEY_FRAMES = "zoetrope_key_frames"
FRAMES_BETWEEN = 3
"""Frames that both networks make between two key frames."""


def num_frames_of(num_key_frames: int) -> int:
    """F = 4 * (K - 1) + 1; ValueError for fewer than two key frames."""
    if num_key_frames < 2:
        raise ValueError(
            f"interpolation needs at least 2 key frames, got {num_key_frames}; wire a video of more frames."
        )
    return (FRAMES_BETWEEN + 1) * (num_key_frames - 1) + 1


def condition_on_key_frames(
    positive: list, negative: list, vae, images: torch.Tensor
) -> tuple[list, list, dict]:
    """Both prompts with the key frames (K, H, W, 3) in 0..1 added,
    and the empty latent (F, C, H', W') to sample.

    Raises ValueError for fewer than two key frames.
    """
    num_frames = num_frames_of(images.shape[0])
    latents = vae.encode(images[..., :3])
    needed = num_frames * latents[0].numel() * latents.element_size()
    check_memory(needed, f"the latents of {num_frames} frames", "take fewer or smaller key frames")
    both = (conditioning_set_values(prompt, {KEY_FRAMES: latents}) for prompt in (positive, negative))
    return (*both, {"samples": torch.zeros(num_frames, *latents.shape[1:])})


def checked_key_frames(latents: torch.Tensor | None, noise: torch.Tensor, title: str) -> torch.Tensor:
    """The key frames of a prompt where they fit the latents that are sampled;
    ValueError saying what to wire where not.
    """
    if latents is None:
        raise ValueError(
            f"{title} fills in between the frames of a video and got none; put Condition On Key Frames"
            " between the prompts and the sampler."
        )
    if latents.shape[1] != noise.shape[1]:
        raise ValueError(
            f"{title} works on {noise.shape[1]} channels, the key frames were encoded to {latents.shape[1]};"
            f" wire the VAE of {'Load VAE with pixel_space' if noise.shape[1] == 3 else 'SD1.x'} into"
            " Condition On Key Frames."
        )
    given = (num_frames_of(latents.shape[0]), *latents.shape[2:])
    wanted = (noise.shape[0], *noise.shape[2:])
    if given != wanted:
        raise ValueError(
            f"the key frames make a video of {given[0]} frames of {given[2]} x {given[1]} latents, the latent"
            f" to sample has {wanted[0]} of {wanted[2]} x {wanted[1]}; wire the LATENT output of Condition On"
            " Key Frames into the sampler."
        )
    return latents


def nearest_key_frames(latents: torch.Tensor) -> torch.Tensor:
    """(K, C, H, W) -> (F, C, H, W):
    every frame gets the key frame nearest to it, 0 0 0 1 1 1 1 2 2 ... (LaVie).
    """
    frames = torch.arange(num_frames_of(latents.shape[0]), device=latents.device)
    return latents[(frames + 1) // (FRAMES_BETWEEN + 1)]


def blended_key_frames(latents: torch.Tensor) -> torch.Tensor:
    """(K, C, H, W) -> (F, C + 1, H, W): every frame gets the blend of the two key frames around it, and 1
    where it is one (Show-1).
    """
    step = FRAMES_BETWEEN + 1
    frames = torch.arange(num_frames_of(latents.shape[0]), device=latents.device)
    before = frames // step
    after = (before + 1).clamp(max=latents.shape[0] - 1)
    weight = (frames % step / step).to(latents)[:, None, None, None]
    blend = torch.lerp(latents[before], latents[after], weight)
    return torch.cat((blend, (weight == 0).to(blend).expand(-1, 1, *blend.shape[2:])), dim=1)
