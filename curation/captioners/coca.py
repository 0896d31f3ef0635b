"""Captions of pictures by CoCa (Yu et al. 2022, arXiv 2205.01917), LAION's weights in open_clip's layout.

The network, its pictures and its tokens are open_clip's; the text is decoded here, the likeliest token each
time, because open_clip's own decoding does not run with transformers from version 5 on.
Letters: H height, W width, D width.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ...foreign_text import printable
from ..extras import missing
from ..weights import read_weights

CONFIG = "open_clip_config.json"
FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
PUBLISHED = (
    "laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k or laion/CoCa-ViT-B-32-laion2B-s13B-b90k"
    " (open_clip_pytorch_model.bin)"
)
LEAST_WORDS, PIECES = 2, ("<start_of_text>", "<end_of_text>")


def is_coca(folder: Path) -> bool:
    """Whether a folder has open_clip's files."""
    return any((folder / name).is_file() for name in (CONFIG, *FILES))


class CoCa:
    """path: of the weights, or of a folder as published. length: tokens of a text at most.

    Raises ValueError in `setup` where open_clip is missing, and for a file of another network."""

    takes_videos = False

    def __init__(self, path: Path, length: int = 40) -> None:
        self.path, self.length, self.network = Path(path), length, None

    def setup(self, dtype: torch.dtype = torch.float32) -> None:
        """Loads it on the CPU."""
        try:
            import open_clip
            from open_clip.tokenizer import SimpleTokenizer
            from open_clip.transform import PreprocessCfg, image_transform_v2
        except ImportError as error:
            raise missing("captions by CoCa", "open_clip_torch", extra="captions") from error
        weights = read_weights(self._file(), "captions by CoCa", PUBLISHED)
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
        if not any(name.startswith("text_decoder.") for name in weights):
            raise ValueError(
                f"'{printable(self.path.name)}' has no text decoder: it is another network, as a CLIP; get"
                f" {PUBLISHED}."
            )
        told = self._told() or _published(open_clip, weights, self.path.name)
        config = {**told["model_cfg"]}
        config.pop("custom_text", None)
        try:
            network = open_clip.CoCa(**config)
            told_lost = network.load_state_dict(weights, strict=False)
            size = network.visual.image_size
            size = (size, size) if isinstance(size, int) else tuple(size)
            self.prepare = image_transform_v2(
                PreprocessCfg(**{"size": size, **told.get("preprocess_cfg", {})}), is_train=False
            )
        except (RuntimeError, TypeError, ValueError, KeyError) as error:
            raise ValueError(
                f"'{printable(self.path.name)}' cannot be loaded as a CoCa ({printable(error)}); get"
                f" {PUBLISHED}."
            ) from error
        if told_lost.missing_keys:
            raise ValueError(
                f"'{printable(self.path.name)}' lacks {len(told_lost.missing_keys)} weights of its CoCa (as"
                f" {printable(told_lost.missing_keys[0])}); get {PUBLISHED}."
            )
        self.network = network.to(dtype).eval().requires_grad_(False)
        self.tokenizer = SimpleTokenizer()

    def _file(self) -> Path:
        if not self.path.is_dir():
            return self.path
        return next((self.path / name for name in FILES if (self.path / name).is_file()),
                    self.path / FILES[-1])  # fmt: skip

    def _told(self) -> dict | None:
        """What the folder says of the network."""
        file = self.path / CONFIG
        if not (self.path.is_dir() and file.is_file()):
            return None
        try:
            told = json.loads(file.read_text(encoding="utf8"))
            told["model_cfg"]["multimodal_cfg"], told.setdefault("preprocess_cfg", {})  # noqa: B018
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"'{CONFIG}' in '{printable(self.path.name)}' describes no CoCa; get {PUBLISHED}."
            ) from error
        return told

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[np.ndarray]) -> str:
        """The text of one picture (H, W, 3), uint8, in a list. Raises ValueError for several."""
        if len(pictures) != 1:
            raise ValueError("CoCa describes one picture; choose a BLIP-2 for the captions of videos.")
        weight = self.network.text_decoder.text_projection
        image = self.prepare(Image.fromarray(pictures[0]))[None].to(weight.device, weight.dtype)
        latent, tokens = self.network._encode_image(image)
        text = [self.tokenizer.sot_token_id]
        while len(text) < min(self.length + 1, self.network.context_length):
            ids = torch.tensor([text], device=weight.device)
            logits = self.network(
                image, ids, image_latent=latent, image_embs=tokens, output_labels=False
            )["logits"][0, -1]  # fmt: skip
            if len(text) <= LEAST_WORDS:
                logits[self.tokenizer.eot_token_id] = -torch.inf
            text.append(int(logits.argmax()))
            if text[-1] == self.tokenizer.eot_token_id:
                break
        told = self.tokenizer.decode(text)
        for piece in PIECES:
            told = told.replace(piece, " ")
        return " ".join(told.split())


def _published(open_clip, weights: dict[str, torch.Tensor], name: str) -> dict:
    """What is known of the published network whose first layer is of the same shape."""
    first = weights.get("visual.conv1.weight")
    for model in ("coca_ViT-L-14", "coca_ViT-B-32"):
        config = open_clip.get_model_config(model)
        vision = config["vision_cfg"]
        patch = vision["patch_size"]
        if first is not None and first.shape == (vision["width"], 3, patch, patch):
            return {"model_cfg": config}
    raise ValueError(
        f"'{printable(name)}' is no published CoCa of ViT-L/14 or ViT-B/32; give a folder with {CONFIG}"
        f" beside the weights, or get {PUBLISHED}."
    )
