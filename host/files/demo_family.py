"""Makes ComfyUI recognise the checkpoint of the pack's
tiny trained family (demo/), through its ordinary loaders.

One class is appended to core's list of model families; it matches nothing but a UNet with 64 channels and a
text width of 64, so every published checkpoint is detected as before.
"""

from __future__ import annotations

import comfy.latent_formats
import comfy.sd1_clip
import comfy.supported_models
import comfy.supported_models_base
import torch
from comfy.taesd.taesd import TAESD

TEXT_CONFIG = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "hidden_act": "quick_gelu",
    "max_position_embeddings": 77,
    "eos_token_id": 49407,
    "vocab_size": 49408,
}
EMBEDDING = "clip_l.transformer.text_model.embeddings.token_embedding.weight"


class TinyClipModel(comfy.sd1_clip.SDClipModel):
    """CLIP's text model, 64 wide."""

    def __init__(self, device="cpu", dtype=None, model_options=None, **kwargs):
        super().__init__(
            device=device,
            dtype=dtype,
            textmodel_json_config=dict(TEXT_CONFIG),
            return_projected_pooled=False,
            model_options=model_options or {},
            **kwargs,
        )


class TinyClip(comfy.sd1_clip.SD1ClipModel):
    """The text encoder as core's CLIP object holds it."""

    def __init__(self, device="cpu", dtype=None, model_options=None, **kwargs):
        super().__init__(
            device=device, dtype=dtype, model_options=model_options or {}, clip_model=TinyClipModel, **kwargs
        )


class TinyLatents(comfy.latent_formats.SD15):
    """The demo's latents: channels 0 to 2 are (colour - 0.5) * 2.5, which previews turn back into colours."""

    def __init__(self):
        super().__init__()
        self.latent_rgb_factors = [[0.8, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 0.8], [0.0, 0.0, 0.0]]
        self.taesd_decoder_name = None  # the published one was trained on other latents


class ZoetropeTinySD(comfy.supported_models.SD15):
    """Stable Diffusion 1 in small: same layout and key names, 64 channels, 2 heads, text width 64."""

    unet_config = {**comfy.supported_models.SD15.unet_config, "context_dim": 64, "model_channels": 64}
    unet_extra_config = {"num_heads": 2, "num_head_channels": -1}
    latent_format = TinyLatents

    def process_clip_state_dict(self, state_dict):
        """Expand the compact vocabulary: every token without a row of its own gets the last one."""
        state_dict = super().process_clip_state_dict(state_dict)
        token_ids = state_dict.pop("clip_l.token_ids", None)
        if token_ids is not None:
            state_dict[EMBEDDING] = expand_vocabulary(state_dict[EMBEDDING], token_ids)
        # Stable Diffusion 1 uses neither, and its files lack both; core would report them as missing.
        state_dict.setdefault(
            "clip_l.transformer.text_projection.weight", torch.eye(TEXT_CONFIG["hidden_size"])
        )
        state_dict.setdefault("clip_l.logit_scale", torch.tensor(4.6055))
        return state_dict

    def process_vae_state_dict(self, state_dict):
        """Pad the narrow autoencoder to TAESD's size: zero
        channels stay zero, zero blocks are the identity.
        """
        return pad_to_taesd(state_dict)

    def clip_target(self, state_dict=None):
        return comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, TinyClip)


def expand_vocabulary(rows: torch.Tensor, token_ids: torch.Tensor) -> torch.Tensor:
    """Rows (V + 1, C) for the V tokens `token_ids` and,
    last, for every other one -> the whole table (49408, C).
    """
    table = rows[-1:].repeat(TEXT_CONFIG["vocab_size"], 1)
    table[token_ids.long()] = rows[:-1]
    return table


def pad_to_taesd(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of a TAESD with fewer channels and blocks, zero-padded to the published sizes.

    Raises ValueError for a tensor that is larger than TAESD's."""
    with torch.device("meta"):
        full = TAESD(latent_channels=4).state_dict()
    padded = {}
    for key, target in full.items():
        given = state_dict.get(key)
        value = torch.zeros(target.shape, dtype=torch.float16 if given is None else given.dtype)
        if given is not None:
            if any(a > b for a, b in zip(given.shape, target.shape, strict=True)):
                raise ValueError(
                    f"{key} has shape {tuple(given.shape)}, at most {tuple(target.shape)} fits; rebuild the"
                    " file."
                )
            value[tuple(slice(0, n) for n in given.shape)] = given
        padded[key] = value
    return padded


def register() -> None:
    """Append the family to core's list, once."""
    models = comfy.supported_models.models
    if not any(model.__name__ == ZoetropeTinySD.__name__ for model in models):
        models.append(ZoetropeTinySD)
