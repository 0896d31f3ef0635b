"""Text as Show-1's pixel networks were trained with it:
T5-XXL's states of exactly 77 tokens, padding included.

Source: github.com/showlab/Show-1, showone/pipelines/pipeline_t2v_base_pixel.py (encode_prompt). The padding
is masked inside T5 and then stays: the networks look at all 77 states.
"""

from __future__ import annotations

NUM_TOKENS = 77
END, PAD = (1, 1.0), (0, 1.0)
_REMEDY = "load t5xxl_fp16.safetensors (or another T5-XXL) with Load CLIP, type mochi"


def fit_tokens(tokens: list[tuple]) -> list[tuple]:
    """(token, weight) pairs cut to 77, the last of them then the end of the text, or padded to 77."""
    tokens = list(tokens)
    # A token may also be the vector of an embedding file, which cannot be compared with a number.
    ends = (i for i, token in enumerate(tokens) if isinstance(token[0], int) and token[0] == END[0])
    text = tokens[: next(ends, len(tokens))]
    text = [*text[: NUM_TOKENS - 1], END]
    return text + [PAD] * (NUM_TOKENS - len(text))


def encode_text(clip, text: str) -> list:
    """The conditioning of a prompt; lower case, as in the reference.
    Raises ValueError when the CLIP is no T5 that masks its padding.
    """
    tokens = clip.tokenize(text.lower().strip())
    if set(tokens) != {"t5xxl"}:
        raise ValueError(
            "Show-1 reads its text with T5-XXL alone, this CLIP is another text encoder"
            f" ({', '.join(tokens)}); {_REMEDY}."
        )
    if not getattr(clip.cond_stage_model.t5xxl, "enable_attention_masks", False):
        raise ValueError(
            "this CLIP was loaded as a type whose T5 attends to padding, which Show-1 was not trained with;"
            f" {_REMEDY}."
        )
    row = [token for part in tokens["t5xxl"] for token in part]
    return clip.encode_from_tokens_scheduled({"t5xxl": [fit_tokens(row)]})
