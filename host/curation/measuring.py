"""The measures of *Score Clips*: those of the library, with ComfyUI's own networks in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...curation.aesthetic import AestheticHead
from ...curation.measures.codec_motion import CodecMotion
from ...curation.measures.look import Measure
from ...curation.measures.motion import FlowMotion
from ...curation.measures.pictures import ClipScores, Pictures, TextArea
from ...curation.settings import Motion
from ..files.model_files import METRIC_NETWORKS, find_model_file, missing_file_message
from ..media.frame_tools import raft
from ..tuning.fingerprints import weights_fingerprint

NONE = "none"


@dataclass(frozen=True)
class Scoring:
    """What is measured. motion: how; optical_flow: RAFT in its place; aesthetic: the name of a file."""

    motion: Motion
    text_area: bool = False
    optical_flow: object = None
    clip_vision: object = None
    aesthetic: str = NONE

    def measures(self, previews: Path) -> tuple[list[Measure], str]:
        """The measures, and a text that tells the networks in them. Raises ValueError for what is missing."""
        if self.aesthetic != NONE and self.clip_vision is None:
            raise ValueError("aesthetic needs a clip_vision; wire Load CLIP Vision with the CLIP ViT-L/14.")
        found, told = [], ""
        if self.optical_flow is not None:
            found.append(FlowMotion(self.motion, _flow(self.optical_flow)))
            told += "-" + _fingerprint(self.optical_flow.model)
        elif self.motion.tier == "codec":
            found.append(CodecMotion())
        elif self.motion.tier != NONE:
            found.append(FlowMotion(self.motion))
        scores = [TextArea()] if self.text_area else []
        if self.clip_vision is not None:
            head = None
            if self.aesthetic != NONE:
                head = AestheticHead(find_model_file(METRIC_NETWORKS, self.aesthetic))
                told += "-" + hashlib.sha256(self.aesthetic.encode("utf8", "surrogatepass")).hexdigest()[:8]
            scores.append(ClipScores(VisionFeatures(self.clip_vision), head))
            told += "-" + _fingerprint(self.clip_vision.model)
        return [*found, Pictures(scores, previews)], told


def missing_head_message(name: str | None) -> str:
    """What to tell a person whose aesthetic head is not there; empty where it is, or none is wanted."""
    return "" if name in (None, NONE) else missing_file_message(METRIC_NETWORKS, name)


class VisionFeatures:
    """Image features by ComfyUI's CLIP_VISION."""

    def __init__(self, clip_vision) -> None:
        self.clip_vision = clip_vision

    def setup(self) -> None:
        """It is loaded."""

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures (H, W, 3), uint8, as features (n, D) of length 1."""
        found = []
        for picture in pictures:  # they may differ in size
            image = torch.from_numpy(picture)[None].float() / 255
            found.append(self.clip_vision.encode_image(image)["image_embeds"])
        return torch.nn.functional.normalize(torch.cat(found).float(), dim=-1).cpu().numpy()


def _flow(patcher):
    between = raft(patcher)

    def flow(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return between(*(torch.from_numpy(picture).float() / 255 for picture in (one, other))).numpy()

    return flow


def _fingerprint(model: torch.nn.Module) -> str:
    return weights_fingerprint(model.state_dict().items())
