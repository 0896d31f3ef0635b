"""A CLIP from a folder in the published layout, tiny and random: against transformers' own features."""

import json

import numpy as np
import pytest
import torch
from zoetrope.curation.features import ClipFolder

WORDS = ["<|startoftext|>", "<|endoftext|>", "a</w>", "t</w>", "g</w>", "c", "a", "d", "o"]


@pytest.fixture
def folder(tmp_path):
    from transformers import CLIPConfig, CLIPModel

    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        vision_config={**sizes, "image_size": 28, "patch_size": 14},
        text_config={**sizes, "vocab_size": len(WORDS), "bos_token_id": 0, "eos_token_id": 1},
        projection_dim=12,
    )  # fmt: skip
    torch.manual_seed(4)
    CLIPModel(config).save_pretrained(tmp_path)
    files = {
        "vocab.json": {word: number for number, word in enumerate(WORDS)},
        "tokenizer_config.json": {
            "tokenizer_class": "CLIPTokenizer", "bos_token": WORDS[0], "eos_token": WORDS[1],
            "unk_token": WORDS[1], "pad_token": WORDS[1], "model_max_length": 77,
        },
        "preprocessor_config.json": {
            "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 28},
            "crop_size": {"height": 28, "width": 28}, "do_resize": True, "do_center_crop": True,
            "do_rescale": True, "do_normalize": True, "resample": 3,
        },
    }  # fmt: skip
    for name, told in files.items():
        (tmp_path / name).write_text(json.dumps(told), encoding="utf8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n", encoding="utf8")
    return tmp_path


def test_features_are_those_of_transformers_and_of_length_one(folder):
    clip = ClipFolder(folder)
    clip.setup()
    pictures = list(np.random.default_rng(0).integers(0, 255, (3, 31, 47, 3), np.uint8))
    found = clip.images(pictures)
    pixels = clip.processor(images=pictures, return_tensors="pt", input_data_format="channels_last")
    ids = torch.tensor([[0, 3, 1], [0, 4, 1]])
    with torch.inference_mode():
        both = clip.model(input_ids=ids, pixel_values=pixels["pixel_values"])
    np.testing.assert_allclose(found, both.image_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert clip.texts(["a cat", "a dog"]).shape == (2, 12)


def test_what_is_missing_or_another_model_is_told(folder):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot be loaded as a CLIP"):
        ClipFolder(folder).setup()
    weights.unlink()
    with pytest.raises(ValueError, match="lacks model.safetensors.*openai/clip-vit-large-patch14"):
        ClipFolder(folder).setup()
