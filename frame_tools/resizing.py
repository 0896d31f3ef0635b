"""The filter for images that people see at another size.

Source: R. Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing".
Letters: H height, W width, C channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


# The same filter as for frames out of files (BICUBIC in video_io/rgb_conversion.py). Others have reasons:
# - start images of video networks: linear, as DynamiCrafter resizes them, and so that a seed keeps its video
#   (host/video_models/start_images.py); what Show-1 is given: as its code enlarges it (show1.py)
# - masks: linear, as in ComfyUI's samplers
# - optical flow: linear, because cubic curves overshoot at the edges of what moves
# - large image files: averaged to twice the wanted size before (BOX in video_io/still_images.py)
def resized(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """An image (h, w, C), values 0..1, as (H, W, C): cubic, averaged where it gets smaller."""
    if image.shape[:2] == (height, width):
        return image
    planes = image.movedim(-1, 0)[None].float()
    planes = F.interpolate(planes, (height, width), mode="bicubic", antialias=True).clamp(0, 1)
    return planes[0].movedim(0, -1)
