"""Captioners in the published layout of keys and files, with tiny random weights: against transformers' own
generation, against teacher forcing, and as stages of a curation.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from zoetrope.curation.captioners.blip2 import Blip2
from zoetrope.curation.captioners.captioner import captioner_of
from zoetrope.curation.captioners.coca import CoCa
from zoetrope.curation.captioners.language_model import LanguageModel, question
from zoetrope.curation.job import Job
from zoetrope.curation.rows import ERROR, read_rows
from zoetrope.curation.runner import Curation
from zoetrope.curation.settings import Captioners, Clips, Export, Motion, Settings
from zoetrope.tests.places import ROOT
from zoetrope.tests.tiny_captioners import BLIP2_KEYS, CHAT, blip2_folder, coca_folder, language_model_folder

TRUTH = ROOT / "tests" / "data" / "curation"


def pictures(number, size=(30, 40)):
    return list(np.random.default_rng(number).integers(0, 255, (number, *size, 3), np.uint8))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Of a VideoBLIP, a CoCa and a language model."""
    place = tmp_path_factory.mktemp("captioners")
    blip2_folder(place / "video-blip")
    coca_folder(place / "coca")
    language_model_folder(place / "llm", chat_template=CHAT)
    return place


def set_up(captioner):
    captioner.setup()
    return captioner


def test_the_files_have_the_published_names(folders):
    weights = torch.load(folders / "video-blip" / "pytorch_model.bin", weights_only=True)
    assert weights.keys() >= BLIP2_KEYS
    assert {
        "visual.attn_pool.query",
        "text_decoder.cross_attn.0.ln_1_kv.weight",
        "text.cls_emb",
    } <= torch.load(folders / "coca" / "open_clip_pytorch_model.bin", weights_only=True).keys()


@pytest.mark.parametrize("prompt", ["", "Question: what moves? Answer:"])
def test_of_one_picture_video_blip_says_what_blip2_of_transformers_says(folders, prompt):
    ours = set_up(Blip2(folders / "video-blip", prompt, length=9))
    network, (picture,) = ours.network, pictures(1)
    pixels = ours.images(
        images=[picture], return_tensors="pt", input_data_format="channels_last"
    ).pixel_values
    network.config.image_token_index = 3
    ids = torch.tensor([[3] * network.config.num_query_tokens + ours.tokenizer(prompt).input_ids])
    theirs = network.generate(pixels, ids, max_new_tokens=9, num_beams=5, do_sample=False)[0]
    told = ours.tokenizer.decode(theirs[ids.shape[1] :], skip_special_tokens=True)
    assert ours([picture]) == told.strip().split("\n")[0].strip() != ""


def test_frames_of_a_video_are_tokens_of_one_sequence(folders):
    """Attention over tokens does not change with their order, nor where all of them come twice."""
    ours = set_up(Blip2(folders / "video-blip"))
    a, b = pictures(2)
    one, twice, both, turned = (ours._seen(found) for found in ([a], [a, a], [a, b], [b, a]))
    torch.testing.assert_close(one, twice, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(both, turned, rtol=1e-4, atol=1e-4)
    assert (one - both).abs().max() > 0.02


def test_coca_says_the_likeliest_tokens(folders):
    pytest.importorskip("open_clip")
    ours = set_up(CoCa(folders / "coca", length=7))
    (picture,) = pictures(1)
    said = []
    ours.tokenizer.decode = lambda tokens: said.append(tokens) or " a  cat<end_of_text>"
    assert ours([picture]) == "a cat"
    from PIL import Image

    image = ours.prepare(Image.fromarray(picture))[None]
    logits = ours.network(image, torch.tensor(said), output_labels=True)["logits"][0]
    logits[:2, ours.tokenizer.eot_token_id] = -torch.inf
    assert logits.argmax(-1).tolist() == said[0][1:] and len(said[0]) > 3
    with pytest.raises(ValueError, match="describes one picture"):
        ours(pictures(2))


def test_a_language_model_answers_and_does_not_repeat_the_question(folders, tmp_path):
    asked = question("a dog", "a dog runs")
    assert "Frame: a dog\nClip: a dog runs" in asked
    ours = set_up(LanguageModel(folders / "llm", length=8))
    inputs = ours.tokenizer(f"<s>{asked}</s><s>", add_special_tokens=False, return_tensors="pt").input_ids
    for _ in range(8):
        token = ours.network(inputs).logits[0, -1].argmax()
        inputs = torch.cat((inputs, token[None, None]), 1)
    wanted = inputs[0, -8:].tolist()
    wanted = wanted[: wanted.index(2)] if 2 in wanted else wanted
    assert ours(asked) == ours.tokenizer.decode(wanted, skip_special_tokens=True)


def run(tmp_path, captioners, **more):
    raw = tmp_path / "raw"
    raw.mkdir(exist_ok=True)
    shutil.copy(TRUTH / "hard_cuts.mp4", raw)
    settings = Settings(motion=Motion("codec"), clips=Clips(1.2, 0.0), captioners=captioners,
                        export=Export(preset="ultrafast"), **more)  # fmt: skip
    finished = Curation(Job(raw, tmp_path / "set", settings)).run()
    return list(read_rows(finished.table))


def test_a_curation_has_both_captions_and_a_text_of_both(folders, tmp_path):
    place = {"image": str(folders / "coca"), "video": str(folders / "video-blip")}
    rows = run(tmp_path, Captioners(**place, summary=str(folders / "llm"), frames=3))
    assert rows and not any(ERROR in row for row in rows)
    assert all(row["image_caption"] and row["video_caption"] for row in rows)
    assert [row["caption"] for row in rows] == [row.get("summary", row["video_caption"]) for row in rows]
    assert len({row["image_caption"] for row in rows}) > 1
    texts = [(tmp_path / "set" / row["file"]).with_suffix(".txt").read_text("utf8") for row in rows]
    assert texts == [row["caption"] for row in rows]
    assert run(tmp_path, Captioners(video=place["video"], frames=3))[0]["caption"] == rows[0]["video_caption"]


def test_what_is_missing_is_told_with_its_folder_and_source(folders, tmp_path):
    with pytest.raises(ValueError, match=r"no captioner 'x' in the folder '.*people get kpyu/video-blip"):
        run(tmp_path, Captioners(video=str(tmp_path / "x")))
    with pytest.raises(ValueError, match="is a CoCa, which describes one picture"):
        run(tmp_path, Captioners(video=str(folders / "coca")))
    with pytest.raises(ValueError, match="set image and video as well"):
        Captioners(summary="llm")
    (tmp_path / "llm").mkdir()
    with pytest.raises(
        ValueError, match=r"lacks config.json, tokenizer.json or tokenizer_config.json, model"
    ):
        LanguageModel(tmp_path / "llm").setup()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ValueError, match="'other' is no captioner"):
        captioner_of(tmp_path / "other")


def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / folder.name)


def test_other_weights_in_the_right_file_are_refused(folders, tmp_path):
    blip = copied(folders / "video-blip", tmp_path)
    weights = torch.load(blip / "pytorch_model.bin", weights_only=True)
    lost = {name: value for name, value in weights.items() if not name.startswith("qformer.")}
    torch.save(lost, blip / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"lacks \d+ weights of BLIP-2 \(as qformer"):
        Blip2(blip).setup()
    (blip / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="lacks model.safetensors"):
        Blip2(blip).setup()
    pytest.importorskip("open_clip")
    coca = copied(folders / "coca", tmp_path)
    file = coca / "open_clip_pytorch_model.bin"
    weights = torch.load(file, weights_only=True)
    torch.save({name: value for name, value in weights.items() if "attn_pool" not in name}, file)
    with pytest.raises(ValueError, match=r"lacks \d+ weights of its CoCa"):
        CoCa(coca).setup()
    with pytest.raises(ValueError, match="is no published CoCa of ViT-L/14"):
        CoCa(file).setup()
    torch.save({"visual.proj": torch.zeros(3)}, file)
    with pytest.raises(ValueError, match="has no text decoder"):
        CoCa(coca).setup()
    (coca / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"embed_dim": 3}}))
    shutil.copy(folders / "coca" / file.name, file)
    with pytest.raises(ValueError, match="describes no CoCa"):
        CoCa(coca).setup()
