"""VIDEO objects whose colours are right in a browser: encoded once by video_io, then only remuxed by ComfyUI's Save Video."""

from __future__ import annotations

import io

import comfy.utils
import torch
from comfy_api.latest import InputImpl

from ..video_io.encode import encode_h264


def create_video(images: torch.Tensor, fps: float, crf: float, audio: dict | None = None):
    """IMAGE (F, H, W, 3), values 0..1, to a VIDEO that holds an MP4 tagged with BT.709. Raises ValueError for no frames."""
    progress = comfy.utils.ProgressBar(len(images))
    buffer = io.BytesIO()
    encode_h264(images, buffer, fps, crf, audio, progress=lambda: progress.update(1))
    buffer.seek(0)
    return InputImpl.VideoFromFile(buffer)
