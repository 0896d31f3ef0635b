"""Previews of all frames while sampling, through ComfyUI's ordinary preview channel:
an animated WebP, or a sheet of small frames.

ComfyUI shows the first frame only. The node hangs an OUTER_SAMPLE wrapper on a clone of
the MODEL; it gives every sampler's callback a second one behind it, so that the sampler,
ComfyUI's own preview and other packs are left as they are. A preview goes out as
ComfyUI's do, as a picture handed to the progress bar; the server only calls its `save`.
"""

from __future__ import annotations

import io
import logging
import time
from dataclasses import dataclass

import comfy.utils
import folder_paths
import latent_preview
import numpy as np
import torch
from comfy.cli_args import LatentPreviewMethod, args
from comfy.patcher_extension import WrappersMP
from comfy.taesd.taesd import TAESD
from PIL import Image, ImageOps

from ...foreign_text import printable
from ...frame_tools.grids import SheetSettings, contact_sheet
from ...frame_tools.labels import to_image
from ...frame_tools.selection import evenly_spread

KEY = "zoetrope_clip_preview"
MODES = ("animation", "contact sheet")
METHODS = ("auto", "latent2rgb", "taesd")
INTERVAL = 0.5  # seconds between previews at least
COST_SHARE = 0.2  # of the sampling time that previews may take
MOST_FRAMES = 64  # of a preview; of longer clips so many are shown, evenly spread
SHEET_CELL = 128  # pixels, the largest width of a frame on the sheet


@dataclass(frozen=True)
class PreviewSettings:
    """What a person chooses. Raises ValueError with rule, value and remedy on settings that make no sense."""

    mode: str = "animation"
    method: str = "auto"
    fps: float = 8.0
    size: int = 256

    def __post_init__(self):
        for name, choices in (("mode", MODES), ("method", METHODS)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name}='{printable(getattr(self, name))}' must be one of {', '.join(choices)}; choose "
                    "one of these."
                )
        if self.fps <= 0:
            raise ValueError(f"fps={self.fps:g} must be above 0; 8 suits AnimateDiff.")
        if self.size < 16:
            raise ValueError(f"size={self.size} must be at least 16 pixels; 256 is quick to send.")


class EncodedImage:
    """A picture that is encoded already,
    for code that asks pictures to save themselves, as ComfyUI's server does.
    """

    def __init__(self, content: bytes, size: tuple[int, int]):
        self.content, self.size = content, size

    def save(self, fp, format=None, **options) -> None:
        """Writes the bytes; the format and its options were chosen when it was encoded."""
        fp.write(self.content)


class ClipPreview:
    """Sends the previews of one sampling run."""

    def __init__(self, settings: PreviewSettings, previewer, latent_shapes: list):
        self.settings, self.previewer, self.latent_shapes = settings, previewer, latent_shapes
        self.due, self.latest, self.bar = 0.0, None, None

    def after(self, callback):
        """A sampler's callback that calls the one given and then sends the clip."""

        def call(step, x0, x, total_steps):
            if callback is not None:
                callback(step, x0, x, total_steps)
            self.show(step, x0, total_steps)

        return call

    def show(self, step: int, x0: torch.Tensor, total_steps: int) -> None:
        """Sends a new picture of the denoised latents x0 where one is due, else the latest again where
        ComfyUI has just sent its own.
        """
        begun = time.monotonic()
        last = step + 1 >= total_steps
        if begun >= self.due or last:
            self.latest = self.image(x0)
            self.due = begun + max(INTERVAL, (time.monotonic() - begun) / COST_SHARE)
        elif args.preview_method == LatentPreviewMethod.NoPreviews:
            return
        self.bar = self.bar or comfy.utils.ProgressBar(total_steps)
        self.bar.update_absolute(step + 1, total_steps, self.latest)

    def image(self, x0: torch.Tensor) -> tuple[str, object, None]:
        """What ComfyUI's progress bar takes as a preview: format, picture, largest size."""
        if len(self.latent_shapes) > 1:  # video and sound arrive flattened into one row, the video first
            x0 = comfy.utils.unpack_latents(x0, self.latent_shapes)[0]
        frames = self._frames(x0)
        if self.settings.mode == "animation":
            milliseconds = 1000 / self.settings.fps * self._count(x0) / len(frames)
            return "WEBP", animated_webp(frames, milliseconds), None
        stacked = torch.from_numpy(np.stack([np.asarray(frame, dtype=np.float32) / 255 for frame in frames]))
        settings = SheetSettings(cell_width=SHEET_CELL, numbers=False, gap=2)
        return "JPEG", to_image(contact_sheet(stacked, settings)[0]), None

    def _count(self, x0: torch.Tensor) -> int:
        return x0.shape[2] if x0.ndim == 5 else len(x0)

    def _frames(self, x0: torch.Tensor) -> list[Image.Image]:
        """The frames of latents (F, C, H, W) or, of the first video,
        (B, C, F, H, W), by ComfyUI's own previewer one by one.
        """
        size = (self.settings.size, self.settings.size)
        frames = []
        for number in evenly_spread(self._count(x0), min(MOST_FRAMES, self._count(x0))):
            one = x0[:1, :, number : number + 1] if x0.ndim == 5 else x0[number : number + 1]
            frames.append(ImageOps.contain(self.previewer.decode_latent_to_preview(one).convert("RGB"), size))
        return frames


def animated_webp(frames: list[Image.Image], milliseconds: float) -> EncodedImage:
    """Frames as a WebP that plays for ever, each shown for so long."""
    out = io.BytesIO()
    options = {
        "duration": max(1, round(milliseconds)),
        "loop": 0,
        "quality": 75,
        "method": 0,
        "minimize_size": False,
    }
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], **options)
    return EncodedImage(out.getvalue(), frames[0].size)


def find_previewer(method: str, latent_format, device):
    """ComfyUI's own TAESD or latent2rgb previewer; None where these latents have neither.

    auto: TAESD where ComfyUI's settings ask for it and its file is
    there. Raises ValueError when taesd is chosen without its file.
    """
    wants_taesd = method == "taesd" or (method == "auto" and args.preview_method == LatentPreviewMethod.TAESD)
    name = latent_format.taesd_decoder_name
    file = next(
        (found for found in folder_paths.get_filename_list("vae_approx") if name and found.startswith(name)),
        None,
    )
    if wants_taesd and file:
        path = folder_paths.get_full_path_or_raise("vae_approx", file)
        if name in latent_preview.VIDEO_TAES:
            return latent_preview.TAEHVPreviewerImpl(latent_preview.VAE(comfy.utils.load_torch_file(path)))
        taesd = TAESD(None, path, latent_channels=latent_format.latent_channels).to(device)
        return latent_preview.TAESDPreviewerImpl(taesd)
    if method == "taesd":
        raise ValueError(
            f"method=taesd needs {name}.safetensors or .pth in models/vae_approx; put it there or choose"
            " latent2rgb."
            if name
            else "there is no TAESD for the latents of this model; choose latent2rgb."
        )
    if latent_format.latent_rgb_factors is None:
        return None
    return latent_preview.Latent2RGBPreviewer(
        latent_format.latent_rgb_factors,
        latent_format.latent_rgb_factors_bias,
        latent_format.latent_rgb_factors_reshape,
    )


def preview_clip(model, settings: PreviewSettings):
    """A clone of the MODEL whose samplers show the whole clip while they run;
    a setting made before is replaced.
    """

    def outer_sample(
        executor,
        noise,
        latent_image,
        sampler,
        sigmas,
        denoise_mask=None,
        callback=None,
        *rest,
        latent_shapes=None,
        **named,
    ):
        patcher = executor.class_obj.model_patcher
        previewer = find_previewer(
            settings.method, patcher.get_model_object("latent_format"), patcher.load_device
        )
        if previewer is None:
            logging.warning(
                "Zoetrope: the latents of this model have no preview, so that Preview Whole Clip shows"
                " nothing."
            )
        else:
            callback = ClipPreview(settings, previewer, latent_shapes or []).after(callback)
        return executor(
            noise,
            latent_image,
            sampler,
            sigmas,
            denoise_mask,
            callback,
            *rest,
            latent_shapes=latent_shapes,
            **named,
        )

    model = model.clone()
    model.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, outer_sample)
    return model
