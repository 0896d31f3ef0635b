"""SparseCtrl as a CONTROL_NET: hints at a few frames, motion modules around the ControlNet's own layers.

Core's *Apply ControlNet* gives it the images, as it does for every ControlNet. Which frames they lie at is
found in each call from the frames of the call: those of the batch, or of its context windows.

Letters: n images, N images of a batch, F frames of a video, C channels, H height, W width.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import comfy.controlnet
import comfy.latent_formats
import comfy.model_management
import comfy.model_patcher
import comfy.utils
import torch

from ...foreign_text import printable
from ...frame_tools.selection import check_expression
from ...frame_tools.sparse_places import AT_FRAMES, PLACES, SPREAD, frames_of_images, images_in_part
from ...memory import check_memory
from ...motion_modules.animatediff.sparsectrl import sparse_hints
from ...motion_modules.call import Forward, frames_in_call, streams_in
from ..media.vae_cancelling import cancelled_between_layers
from ..sampling.video_frames import frames_in_batch
from ..video_models.start_images import fitted_images
from .sparsectrl_network import SparseControlNet, SparseMotion

NEAREST, NOTHING = "nearest image", "no image"
WINDOW_CHOICES = [NEAREST, NOTHING]
_COPIES = 4
"""Of the images, while they are cut, resized and encoded."""


@dataclass(frozen=True)
class SparseSettings:
    """Where images lie, and how much the ControlNet's own motion modules do.

    place, frames: as frames_of_images takes them. windows_without_images: what a context window without an
    image sees, one of WINDOW_CHOICES. motion_strength: 0 = off, 1 = as trained. frames_per_video: F where a
    batch holds several videos; 0 = the whole batch is one. attention_scale: factor of the keys of the motion
    modules. strength_at_images, strength_elsewhere: factors of what frames with an image and those without
    get. mask_value: what the mask beside an image says, 1 as trained. Raises ValueError for other values.

    The last four are ComfyUI-Advanced-ControlNet's motion_scale, hint, nonhint and mask multipliers.
    """

    place: str = SPREAD
    frames: str = "0"
    windows_without_images: str = NEAREST
    motion_strength: float = 1.0
    frames_per_video: int = 0
    attention_scale: float = 1.0
    strength_at_images: float = 1.0
    strength_elsewhere: float = 1.0
    mask_value: float = 1.0

    def __post_init__(self) -> None:
        for name, choices in (("place", PLACES), ("windows_without_images", WINDOW_CHOICES)):
            if (value := getattr(self, name)) not in choices:
                known = ", ".join(choices)
                raise ValueError(f"{name}='{printable(value)}' is not known; choose one of {known}.")
        if self.place == AT_FRAMES:
            check_expression(self.frames)

    def rows(self, forward: Forward, num_images: int) -> list[int | None]:
        """Which image each of the N images of a forward sees."""
        length = frames_in_batch(forward.frames_of_run, forward.options, self.frames_per_video)
        placed = frames_of_images(self.place, self.frames, num_images, length)
        size = self.part_length(forward)
        numbers = [number % length for number in forward.frame_numbers()]
        parts = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        nearest = forward.is_windowed and self.windows_without_images == NEAREST
        return [row for part in parts for row in images_in_part(placed, part, nearest)]

    def part_length(self, forward: Forward) -> int:
        """Frames of a video in a forward. Raises ValueError where the batch is no whole number of videos."""
        if forward.is_windowed or not self.frames_per_video:
            return forward.num_frames // streams_in(forward.options)
        if forward.num_frames % self.frames_per_video:
            raise ValueError(
                f"the batch of {forward.num_frames} images is not a whole number of videos of"
                f" frames_per_video={self.frames_per_video} (Place Sparse Images); make the batch a multiple"
                f" of {self.frames_per_video} or set frames_per_video to 0."
            )
        return self.frames_per_video


class SparseControl(comfy.controlnet.ControlNet):
    """A CONTROL_NET whose network is a `SparseControlNet`."""

    finds_its_frames = True
    """Context windows leave its hints whole (host/windows/controls.py)."""

    def __init__(self, network: SparseControlNet, load_device, manual_cast_dtype, name: str):
        latents = network.takes_latents
        super().__init__(
            network,
            compression_ratio=1 if latents else 8,
            latent_format=comfy.latent_formats.SD15() if latents else None,
            load_device=load_device,
            manual_cast_dtype=manual_cast_dtype,
        )
        self.settings = SparseSettings()
        self.name = name
        self.prepared: dict[tuple[int, int], torch.Tensor] = {}
        self.rows: list[int | None] = []
        """Which image each frame of the running call sees."""

    def copy(self) -> SparseControl:
        c = copy.copy(self)
        comfy.controlnet.ControlBase.__init__(c)
        self.copy_to(c)
        c.prepared = {}
        return c

    def cleanup(self) -> None:
        super().cleanup()
        self.prepared.clear()

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        if x_noisy.ndim != 4:
            raise ValueError(
                f"SparseCtrl needs the latents of images, 4 dimensions (frames, channels, height, width); "
                f"these have {x_noisy.ndim}; use it with an SD1.x checkpoint and an AnimateDiff module."
            )
        num_frames = frames_in_call(len(x_noisy), transformer_options)
        forward = Forward(self.control_model, len(x_noisy), num_frames, transformer_options)
        s, frames = self.settings, self._checked_frames(forward)
        self.extra_args["motion"] = SparseMotion(
            frames, s.motion_strength, forward.options, s.attention_scale
        )
        self.rows = s.rows(forward, len(self.cond_hint_original))
        self.cond_hint = self._hints(x_noisy)  # core takes hints of the right size as they are
        try:
            return super().get_control(x_noisy, t, cond, batched_number, transformer_options)
        finally:
            self.cond_hint = None
            del self.extra_args["motion"]

    def control_merge(self, control, control_prev, output_dtype):
        at, elsewhere = self.settings.strength_at_images, self.settings.strength_elsewhere
        if (at, elsewhere) != (1, 1):
            factors = torch.tensor([elsewhere if row is None else at for row in self.rows])
            control = {
                side: [x * factors.to(x)[:, None, None, None] for x in layers]
                for side, layers in control.items()
            }
        return super().control_merge(control, control_prev, output_dtype)

    def _checked_frames(self, forward: Forward) -> int:
        frames, most = self.settings.part_length(forward), self.control_model.motion.config.position_length
        if frames > most:
            raise ValueError(
                f"{frames} frames are more than the {most} that the SparseCtrl model "
                f"'{printable(self.name)}' knows; add the node 'Context Windows' with context_length of at "
                f"most {most} (16 is usual)."
            )
        return frames

    def _hints(self, x: torch.Tensor) -> torch.Tensor:
        """What the network sees beside latents x (N, C, H, W), whose images are `rows`."""
        size = tuple(x.shape[2:])
        if size not in self.prepared:
            self.prepared[size] = self._prepare(*size)
        images = self.prepared[size]
        dtype = self.manual_cast_dtype or self.control_model.dtype
        return sparse_hints(images.to(x.device, dtype), self.rows, self.settings.mask_value)

    def _prepare(self, height: int, width: int) -> torch.Tensor:
        """The images as the network takes them: pixels (n, 3, 8 H, 8 W), or latents (n, 4, H, W)."""
        images, ratio = self.cond_hint_original, self.vae.spacial_compression_encode() if self.vae else 8
        needed = _COPIES * len(images) * 3 * height * width * ratio**2 * 4
        what = f"{len(images)} sparse images of {width * ratio}x{height * ratio}"
        check_memory(needed, what, "take fewer images or smaller latents")
        if self.latent_format is None:
            size = width * self.compression_ratio, height * self.compression_ratio
            return comfy.utils.common_upscale(images[:, :3], *size, self.upscale_algorithm, "center")
        if self.vae is None:
            raise ValueError(
                f"'{printable(self.name)}' (rgb) takes its images through a VAE; wire the checkpoint's VAE "
                "into 'Apply ControlNet'."
            )
        loaded = comfy.model_management.loaded_models(only_currently_used=True)
        # A VAE that was loaded while a graph ran has no gradients.
        with torch.no_grad(), cancelled_between_layers(self.vae):
            latents = self.vae.encode(fitted_images(images.movedim(1, -1), width * ratio, height * ratio))
        comfy.model_management.load_models_gpu(loaded)
        wanted = (self.control_model.input_hint_block[0].in_channels - 1, height, width)
        if tuple(latents.shape[1:]) != wanted:
            raise ValueError(
                f"the VAE of 'Apply ControlNet' makes latents of shape {tuple(latents.shape[1:])}, the "
                f"SparseCtrl model needs {wanted}; wire the VAE of this SD1.x checkpoint."
            )
        return self.latent_format.process_in(latents)


def place_sparse_images(control_net, settings: SparseSettings) -> SparseControl:
    """A SparseCtrl CONTROL_NET with its settings. Raises ValueError for another CONTROL_NET."""
    if not isinstance(control_net, SparseControl):
        raise ValueError(
            "control_net is no SparseCtrl model; load one with the node 'Load SparseCtrl Model', or wire this"
            " ControlNet into 'Apply ControlNet', which gives it a hint for each frame."
        )
    c = control_net.copy()
    c.settings = settings
    return c
