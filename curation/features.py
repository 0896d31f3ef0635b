"""A CLIP from a folder in the layout of transformers, as curation needs it.

Letters: H height, W width, D size of a feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from .model_folders import check_files, model_of_folder, part_of_folder

PUBLISHED = "openai/clip-vit-large-patch14: config.json, model.safetensors and the tokenizer's files"


class ClipFolder:
    """folder: with config.json, model.safetensors and the tokenizer's files. Raises ValueError in `setup`."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def setup(self) -> None:
        """Loads both towers; nothing is downloaded, and no code of the folder is run."""
        check_files(self.folder, "the CLIP", PUBLISHED, "config.json", "model.safetensors")
        from transformers import CLIPModel, CLIPProcessor

        self.model = model_of_folder(CLIPModel, self.folder, "a CLIP", PUBLISHED, use_safetensors=True)
        self.processor = part_of_folder(CLIPProcessor, self.folder, "a CLIP", PUBLISHED)

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures (H, W, 3), uint8, as features (n, D) of length 1."""
        inputs = self.processor(images=list(pictures), return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            pooled = self.model.vision_model(pixel_values=inputs["pixel_values"]).pooler_output
            return _unit(self.model.visual_projection(pooled))

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as features (n, D) of length 1; what is too long is cut off."""
        inputs = self.processor(text=list(texts), return_tensors="pt", padding=True, truncation=True)
        inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            return _unit(self.model.text_projection(self.model.text_model(**inputs).pooler_output))


def _unit(values: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(values.float(), dim=-1).cpu().numpy()
