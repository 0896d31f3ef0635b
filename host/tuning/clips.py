"""The clips that a training run sees: latents of frames in order, and their text.

Letters: F frames, C channels, h, w latent size.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from ...foreign_text import printable


@dataclass(frozen=True)
class TrainingClip:
    """latents: (F, C, h, w) as the VAE puts them out, float32, on the CPU. positive: CONDITIONING. weight:
    factor of its loss.
    """

    latents: torch.Tensor
    positive: list
    name: str
    weight: float = 1.0


@dataclass(frozen=True)
class TrainingClips:
    """What travels on a TRAINING_CLIPS link."""

    clips: tuple[TrainingClip, ...] = ()

    def __len__(self) -> int:
        return len(self.clips)

    def fingerprint(self) -> str:
        """Of the latents and texts, so that a run goes on with the clips that it was begun with."""
        digest = hashlib.sha256()
        for clip in self.clips:
            digest.update(clip.latents.contiguous().numpy().tobytes())
            digest.update(b"" if clip.weight == 1 else str(clip.weight).encode())
            for tensor in _tensors(clip.positive):
                digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
        return f"{len(self.clips)} clips, {digest.hexdigest()[:12]}"


OF_PLACES = ("concat_latent_image", "concat_mask", "control", "mask", "area", "gligen", "reference_latents")
"""What ties a conditioning to places of the picture, by core's names."""


def refuse_flips(clips: TrainingClips, flip: float) -> None:
    """Raises ValueError where a clip is mirrored and what its conditioning says of places is not."""
    for clip in clips.clips:
        for _, told in clip.positive:
            if found := [name for name in OF_PLACES if told.get(name) is not None]:
                raise ValueError(
                    f"flip={flip:g} mirrors clips, but not the {', '.join(found)} of the conditioning of"
                    f" {printable(clip.name)}; set flip to 0, or train on mirrored copies of the clips."
                )


def _tensors(value) -> Iterable[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def add_clip(
    before: TrainingClips | None, latents: Mapping, positive: list, name: str = "", weight: float = 1.0
) -> TrainingClips:
    """The clips before and one more. latents: LATENT whose frames are the batch. name: for messages.

    Raises ValueError for latents of other kinds, with numbers that are not finite, and of a single frame, and
    for a weight that is not above 0.
    """
    before = before or TrainingClips()
    samples, name = latents["samples"], printable(name) or f"clip {len(before) + 1}"
    if samples.ndim != 4:
        raise ValueError(
            f"{name} has latents of shape {tuple(samples.shape)}; the frames of a clip are the batch of a"
            " LATENT (F, C, h, w), as VAE Encode and Video to Latents give them."
        )
    if len(samples) < 2:
        raise ValueError(f"{name} has {len(samples)} frame, a clip needs at least 2; 16 are usual.")
    if not torch.isfinite(samples).all():
        raise ValueError(f"the latents of {name} hold numbers that are not finite; encode the clip again.")
    if not positive:
        raise ValueError(f"the text of {name} is empty; wire CLIP Text Encode with a caption, '' for none.")
    if not 0 < weight < math.inf:
        raise ValueError(f"weight={weight} of {name} must be a number above 0; 1 counts as all others do.")
    copied = samples.detach().float().cpu().clone()
    return TrainingClips((*before.clips, TrainingClip(copied, positive, name, weight)))


def check_clips(clips: TrainingClips, channels: int) -> None:
    """Raises ValueError for a set that is empty, of mixed sizes, or for another kind of model."""
    if not clips.clips:
        raise ValueError("there is no clip to train on; wire Training Clip.")
    first = clips.clips[0]
    for clip in clips.clips:
        if clip.latents.shape != first.latents.shape:
            raise ValueError(
                f"all clips of a run need the same size: {printable(first.name)} has latents of shape "
                f"{tuple(first.latents.shape)}, {printable(clip.name)} of {tuple(clip.latents.shape)}; bring"
                " them to one length and size with Video to Latents."
            )
    if first.latents.shape[1] != channels:
        raise ValueError(
            f"the clips have latents of {first.latents.shape[1]} channels, the MODEL takes {channels}; encode"
            " them with the VAE of this model."
        )
