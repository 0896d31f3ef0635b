"""One text of two captions, by a language model: what is asked, and a model from a folder of transformers."""

from __future__ import annotations

from pathlib import Path

import torch

from ..model_folders import check_files, model_of_folder, part_of_folder

WHAT = "the language model"
PUBLISHED = "an instruction model, as Qwen/Qwen3-1.7B or google/flan-t5-large"
QUESTION = (
    "Two captions describe one video clip. The first one was written of its middle frame, the second one of"
    " the whole clip.\nFrame: {image}\nClip: {video}\nWrite one sentence that says what both say about what"
    " is seen and what moves. Leave out what they contradict each other in. Add nothing. Answer with the"
    " sentence only."
)


def question(image: str, video: str) -> str:
    """What a language model is asked of the captions of a picture and of a video."""
    return QUESTION.format(image=image.strip() or video.strip(), video=video.strip() or image.strip())


class LanguageModel:
    """folder: in the layout of transformers, with or without an encoder. length: tokens of an answer at most.

    Raises ValueError in `setup`."""

    def __init__(self, folder: Path, length: int = 200) -> None:
        self.folder, self.length, self.network = Path(folder), length, None

    def setup(self, dtype: torch.dtype = torch.float32) -> None:
        """Loads it on the CPU."""
        check_files(self.folder, WHAT, PUBLISHED, "config.json", "tokenizer.json|tokenizer_config.json")
        from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

        config = part_of_folder(AutoConfig, self.folder, WHAT, PUBLISHED)
        self.tokenizer = part_of_folder(AutoTokenizer, self.folder, "the tokenizer of a language model",
                                        PUBLISHED)  # fmt: skip
        self.has_encoder = config.is_encoder_decoder
        kind = AutoModelForSeq2SeqLM if self.has_encoder else AutoModelForCausalLM
        self.network = model_of_folder(kind, self.folder, WHAT, PUBLISHED, dtype=dtype)

    @torch.inference_mode()
    def __call__(self, asked: str) -> str:
        """The answer, always the same one."""
        if self.tokenizer.chat_template:
            messages = [{"role": "user", "content": asked}]
            asked = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        inputs = self.tokenizer(
            asked, return_tensors="pt", add_special_tokens=not self.tokenizer.chat_template,
            return_token_type_ids=False,
        ).to(self.network.device)  # fmt: skip
        made = self.network.generate(
            **inputs, max_new_tokens=self.length, do_sample=False, temperature=None, top_p=None, top_k=None
        )[0]  # fmt: skip
        answer = made if self.has_encoder else made[inputs["input_ids"].shape[1] :]
        return self.tokenizer.decode(answer, skip_special_tokens=True)
