"""Captions by BLIP-2 (Li et al. 2023, arXiv 2301.12597), and of videos by VideoBLIP (Yu 2023), the V-BLIP of
Stable Video Diffusion.

VideoBLIP has the weights of BLIP-2 under the same names: its Q-Former attends to the tokens of all frames,
one frame after the other. Of one picture both are the same. Source: yukw777/VideoBLIP.
Letters: T frames, H height, W width.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..model_folders import check_files, model_of_folder, part_of_folder

WHAT = "BLIP-2"
PUBLISHED = (
    "kpyu/video-blip-opt-2.7b-ego4d, kpyu/video-blip-flan-t5-xl-ego4d or Salesforce/blip2-opt-2.7b"
    " (config.json, preprocessor_config.json, the tokenizer's files and all files of weights)"
)
MODEL_TYPE = "blip-2"
BEAMS = 5  # as BLIP-2's authors


def is_blip2(folder: Path) -> bool:
    """Whether a folder says that it holds such a model."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("model_type") == MODEL_TYPE


class Blip2:
    """folder: as published. prompt: what the text goes on from, as "Question: What happens? Answer:".
    length: tokens of a text at most. Raises ValueError in `setup`."""

    takes_videos = True

    def __init__(self, folder: Path, prompt: str = "", length: int = 40) -> None:
        self.folder, self.prompt, self.length, self.network = Path(folder), prompt, length, None

    def setup(self, dtype: torch.dtype = torch.float32) -> None:
        """Loads it on the CPU."""
        check_files(self.folder, WHAT, PUBLISHED, "config.json", "preprocessor_config.json")
        from transformers import AutoTokenizer, Blip2ForConditionalGeneration, BlipImageProcessor

        self.images = part_of_folder(BlipImageProcessor, self.folder, "the preprocessor of BLIP-2", PUBLISHED)
        self.tokenizer = part_of_folder(AutoTokenizer, self.folder, "the tokenizer of BLIP-2", PUBLISHED)
        self.network = model_of_folder(
            Blip2ForConditionalGeneration, self.folder, WHAT, PUBLISHED, dtype=dtype
        )

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[np.ndarray]) -> str:
        """The text of T pictures (H, W, 3), uint8, of one video in their order."""
        language = self.network.language_model
        seen = self._seen(pictures)
        ids = self.tokenizer(self.prompt, return_tensors="pt").input_ids.to(seen.device)
        asked = language.get_input_embeddings()(ids).to(seen.dtype)
        inputs = torch.cat((seen, asked), 1)
        config = self.network.config.text_config
        ends = self.network.generation_config.eos_token_id
        made = language.generate(
            inputs_embeds=inputs, attention_mask=torch.ones(inputs.shape[:2], device=inputs.device).long(),
            max_new_tokens=self.length, num_beams=BEAMS, do_sample=False,
            eos_token_id=config.eos_token_id if ends is None else ends, pad_token_id=config.pad_token_id,
        )  # fmt: skip
        return self.tokenizer.decode(made[0], skip_special_tokens=True).strip().split("\n")[0].strip()

    def _seen(self, pictures: Sequence[np.ndarray]) -> torch.Tensor:
        """What the language model reads of T pictures: (1, queries, width of the language model)."""
        network = self.network
        weight = network.language_projection.weight
        pixels = self.images(
            images=list(pictures), return_tensors="pt", input_data_format="channels_last"
        )["pixel_values"].to(weight.device, network.vision_model.dtype)  # fmt: skip
        tokens = network.vision_model(pixel_values=pixels).last_hidden_state.flatten(0, 1)[None]
        found = network.qformer(
            query_embeds=network.query_tokens,
            encoder_hidden_states=tokens,
            encoder_attention_mask=torch.ones(tokens.shape[:2], device=tokens.device).long(),
        ).last_hidden_state
        return network.language_projection(found.to(weight.dtype))
