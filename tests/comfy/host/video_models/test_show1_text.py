"""Show-1's text: 77 tokens of T5, padding masked inside and kept outside."""

import comfy.sd
import comfy.sd1_clip
import comfy.supported_models_base
import comfy.text_encoders.genmo
import comfy.text_encoders.pixart_t5
import pytest
import torch
from zoetrope.host.files.demo_family import TinyClip
from zoetrope.host.video_models.show1_text import encode_text, fit_tokens
from zoetrope.tests.gold_weights import gold_state_dict
from zoetrope.tests.rounding import assert_same

TINY_T5 = {"d_model": 48, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 3}


def clip_of(tokenizer, model):
    """Core's CLIP object with a small T5 and core's real tokenizer."""
    target = comfy.supported_models_base.ClipTarget(tokenizer, model)
    clip = comfy.sd.CLIP(
        target, embedding_directory=[], model_options={"t5xxl_model_config": TINY_T5, "dtype": torch.float32}
    )
    clip.cond_stage_model.load_state_dict(
        gold_state_dict({k: v.shape for k, v in clip.cond_stage_model.state_dict().items()})
    )
    return clip


@pytest.fixture(scope="module")
def mochi():
    return clip_of(comfy.text_encoders.genmo.MochiT5Tokenizer, comfy.text_encoders.genmo.mochi_te())


def test_a_prompt_becomes_77_states(mochi):
    ((states, _),) = encode_text(mochi, "A burning Lamborghini driving on rainbow. ")
    assert states.shape == (1, 77, 48)
    assert states.isfinite().all()
    (lower,) = encode_text(mochi, "a burning lamborghini driving on rainbow.")
    assert torch.equal(states, lower[0])


def test_padding_does_not_change_the_text_but_is_seen(mochi):
    """T5's own states of the text alone, and states of the padding that are not zero."""
    text = "a cat"
    ((states, _),) = encode_text(mochi, text)
    tokens = [token for token in mochi.tokenize(text)["t5xxl"][0] if token[0] != 0]
    alone = mochi.encode_from_tokens({"t5xxl": [tokens]})
    assert_same(states[:, : len(tokens)], alone)
    assert states[:, len(tokens) :].abs().min(dim=-1).values.max() > 0


def test_a_long_prompt_keeps_its_end_token():
    row = [(100 + i, 1.0) for i in range(90)] + [(1, 1.0)]
    assert fit_tokens(row) == [(100 + i, 1.0) for i in range(76)] + [(1, 1.0)]
    assert fit_tokens([(100, 1.2), (1, 1.0), (0, 1.0)]) == [(100, 1.2), (1, 1.0)] + [(0, 1.0)] * 75
    vector = torch.ones(48)  # of an embedding file
    assert fit_tokens([(vector, 1.0), (1, 1.0)])[:2] == [(vector, 1.0), (1, 1.0)]
    assert fit_tokens([]) == [(1, 1.0)] + [(0, 1.0)] * 76


def test_a_t5_that_attends_to_padding_is_refused():
    clip = clip_of(comfy.text_encoders.pixart_t5.PixArtTokenizer, comfy.text_encoders.pixart_t5.pixart_te())
    with pytest.raises(ValueError, match="attends to padding.*type mochi"):
        encode_text(clip, "a cat")


def test_another_text_encoder_is_refused():
    with pytest.raises(ValueError, match=r"another text encoder \(l\); load t5xxl_fp16.safetensors"):
        encode_text(clip_of(comfy.sd1_clip.SD1Tokenizer, TinyClip), "a cat")
