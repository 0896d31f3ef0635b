"""Captioners of tiny random networks, in the files and folders that people get."""

import json
from pathlib import Path

import torch

BLIP2_KEYS = {"vision_model.embeddings.class_embedding", "query_tokens", "language_projection.weight",
              "qformer.encoder.layer.0.crossattention.attention.query.weight",
              "language_model.model.decoder.embed_tokens.weight"}  # fmt: skip
"""Some of the published names."""
COCA = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 28, "layers": 2, "width": 48, "patch_size": 14, "head_width": 16,
                   "attentional_pool": True, "attn_pooler_heads": 4, "output_tokens": True},
    "text_cfg": {"context_length": 76, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
                 "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {"context_length": 76, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
                       "attn_pooler_heads": 2},
    "custom_text": True,
}  # fmt: skip


def write_json(path: Path, told: dict) -> None:
    path.write_text(json.dumps(told), encoding="utf8")


def byte_tokenizer(folder: Path, **more) -> int:
    """Writes the files of a tokenizer of single bytes as GPT-2's and OPT's; how many tokens it has."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in visible] + [chr(256 + n) for n in range(256 - len(visible))]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *letters]
    write_json(folder / "vocab.json", {token: number for number, token in enumerate(tokens)})
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf8")
    told = {"tokenizer_class": "GPT2Tokenizer", "bos_token": "</s>", "eos_token": "</s>",
            "pad_token": "<pad>", "unk_token": "<unk>", "add_bos_token": True,
            "model_max_length": 512}  # fmt: skip
    write_json(folder / "tokenizer_config.json", told | more)
    return len(tokens)


def blip2_folder(folder: Path):
    """A VideoBLIP on OPT as kpyu/video-blip-opt-2.7b-ego4d has it; the network."""
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    folder.mkdir(parents=True)
    number = byte_tokenizer(folder)
    config = Blip2Config(
        vision_config={"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2,
                       "num_attention_heads": 2, "image_size": 28, "patch_size": 14},
        qformer_config={"hidden_size": 20, "intermediate_size": 24, "num_hidden_layers": 2,
                        "num_attention_heads": 2, "vocab_size": 11},
        text_config={"model_type": "opt", "hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2,
                     "num_attention_heads": 2, "vocab_size": number, "word_embed_proj_dim": 16,
                     "max_position_embeddings": 512, "eos_token_id": 2, "bos_token_id": 2, "pad_token_id": 1},
        num_query_tokens=5,
    )  # fmt: skip
    torch.manual_seed(3)
    network = Blip2ForConditionalGeneration(config).eval()
    with torch.no_grad():  # else a random network is nearly indifferent
        for parameter in network.parameters():
            parameter.normal_(0, 0.5)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    told = config.to_dict() | {"architectures": ["VideoBlipForConditionalGeneration"]}
    told.pop("image_token_index", None)
    write_json(folder / "config.json", json.loads(json.dumps(told, default=str)))
    write_json(
        folder / "preprocessor_config.json",
        {"image_processor_type": "BlipImageProcessor", "processor_class": "Blip2Processor",
         "do_resize": True, "do_rescale": True, "do_normalize": True, "do_convert_rgb": True,
         "size": {"height": 28, "width": 28}, "rescale_factor": 1 / 255, "resample": 3,
         "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]},
    )  # fmt: skip
    return network


def coca_folder(folder: Path):
    """A CoCa as laion's folders have it; the network."""
    import open_clip

    folder.mkdir(parents=True)
    torch.manual_seed(5)
    network = open_clip.CoCa(**{name: value for name, value in COCA.items() if name != "custom_text"}).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.4)
    torch.save(network.state_dict(), folder / "open_clip_pytorch_model.bin")
    write_json(folder / "open_clip_config.json", {"model_cfg": COCA, "preprocess_cfg": {}})
    return network


CHAT = (
    "{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<s>{% endif %}"
)


def language_model_folder(folder: Path, **more):
    """A Llama with a chat template, as instruction models have it; the network."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True)
    number = byte_tokenizer(folder, **more)
    torch.manual_seed(7)
    config = LlamaConfig(vocab_size=number, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                         num_attention_heads=2, bos_token_id=0, eos_token_id=2, pad_token_id=1)  # fmt: skip
    network = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.6)
    network.save_pretrained(folder)
    return network
