"""A CLIP from a folder in the layout of transformers, as curation needs it.

Letters: H height, W width, D size of a feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..foreign_text import printable

PUBLISHED = "openai/clip-vit-large-patch14: config.json, model.safetensors and the tokenizer's files"


class ClipFolder:
    """folder: with config.json, model.safetensors and the tokenizer's files. Raises ValueError in `setup`."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def setup(self) -> None:
        """Loads both towers; nothing is downloaded, and no code of the folder is run."""
        for name in ("config.json", "model.safetensors"):
            if not (self.folder / name).is_file():
                raise ValueError(
                    f"the CLIP in '{printable(str(self.folder))}' lacks {name}; a folder is needed as"
                    f" people get it: {PUBLISHED}."
                )
        from transformers import CLIPModel, CLIPProcessor

        try:
            self.model, told = CLIPModel.from_pretrained(
                self.folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            self.processor = CLIPProcessor.from_pretrained(self.folder, local_files_only=True)
        except Exception as error:
            raise ValueError(
                f"'{printable(self.folder.name)}' cannot be loaded as a CLIP ({printable(error)}); get"
                f" {PUBLISHED}."
            ) from error
        if told["missing_keys"] or told.get("mismatched_keys"):
            raise ValueError(
                f"'{printable(self.folder.name)}' lacks {len(told['missing_keys'])} weights of its CLIP; get"
                f" {PUBLISHED}."
            )
        self.model.eval()

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
