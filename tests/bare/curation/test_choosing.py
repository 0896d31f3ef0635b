"""Thresholds, samples, near duplicates, captions, rows, settings: what decides of clips without a video."""

import itertools
import json

import numpy as np
import pytest
import torch
from zoetrope.curation.aesthetic import AestheticHead
from zoetrope.curation.captions import CaptionTexts, cleaned, with_similarity
from zoetrope.curation.measures.pictures import look_of, pack, unpack
from zoetrope.curation.rows import clip_id, read_rows, source_id, to_line, write_rows
from zoetrope.curation.settings import Captions, Keep, Settings, read_settings
from zoetrope.curation.stage import Stage
from zoetrope.curation.thresholds import DUPLICATE, Chooser, Scale, in_sample, threshold_of
from zoetrope.metrics.networks.aesthetic_heads import WIDTHS


@pytest.mark.parametrize(
    ("percent", "value", "kept"),
    [(12.5, 3.603171, 125), (25, 2.709266, 250), (50, 1.69472, 500), (100, 0.01929, 1000)],
)
def test_thresholds_are_those_of_the_reference(percent, value, kept):
    scores = np.random.default_rng(21).gamma(2, 1, 1000).round(6)
    assert threshold_of(scores, percent) == value
    assert (scores >= value).sum() == kept


def test_equal_scores_are_kept_and_low_ones_may_be_better():
    assert threshold_of([1, 2, 2, 2], 25) == 2
    assert threshold_of([0.1, 0.5, 0.9], 34, low_is_better=True) == 0.5
    with pytest.raises(ValueError, match="at least one value"):
        threshold_of([], 50)


def clips(**scores):
    number = len(next(iter(scores.values())))
    return [
        {"id": f"{i:016x}", **{name: values[i] for name, values in scores.items()}} for i in range(number)
    ]


def choose(rows, keep):
    scale = Scale()
    for row in rows:
        scale.see(row)
    chooser = Chooser(keep, scale.thresholds(keep), scale.values)
    return [chooser.choose(row).get("dropped") for row in rows]


def test_what_all_scores_keep_stays():
    rows = clips(motion=[1, 2, 3, 4], text_area=[0.4, 0.1, 0.3, 0.2])
    keep = Keep(best={"motion": 75, "text_area": 75}, least={}, most={})
    assert choose(rows, keep) == ["motion not among the best 75 %", None, None, None]
    assert choose(rows, Keep(least={"motion": 2}, most={"text_area": 0.25})) == [
        "motion below 2", None, "text_area above 0.25", None,
    ]  # fmt: skip


def test_a_bound_of_what_was_not_measured_is_usual_and_a_wish_for_it_is_an_error():
    rows = clips(seconds=[1.0, 2.0])
    assert choose(rows, Keep()) == [None, None]
    with pytest.raises(ValueError, match="no clip has the score 'aesthetic'"):
        choose(rows, Keep(best={"aesthetic": 50}))
    with pytest.raises(ValueError, match="'beauty' is no score"):
        choose(rows, Keep(best={"beauty": 50}))


def test_rows_that_failed_pass_and_a_clip_without_the_score_is_named():
    rows = [*clips(aesthetic=[5.0]), {"id": "b" * 16}, {"source": "x", "error": "probe: no"}]
    assert choose(rows, Keep(best={"aesthetic": 50}, least={})) == [None, "no aesthetic", None]


def test_a_larger_sample_holds_the_smaller_one():
    names = [f"{number:016x}" for number in range(4000)]
    small, large = ({name for name in names if in_sample(name, percent)} for percent in (10, 30))
    assert small < large and abs(len(small) - 400) < 80 and abs(len(large) - 1200) < 150
    assert all(in_sample(name, 100) for name in names) and not any(in_sample(name, 0) for name in names)


def test_of_near_duplicates_the_first_one_stays():
    pictures = np.random.default_rng(0).integers(0, 255, (2, 3, 90, 160, 3), np.uint8)
    brighter = (pictures[0] * 0.9 + 20).astype(np.uint8)
    looks = [pack(look_of(list(three))) for three in (pictures[0], pictures[1], brighter)]
    rows = clips(look=looks)
    assert choose(rows, Keep(similar=0.95)) == [None, None, f"{DUPLICATE} ({rows[0]['id']})"]
    assert choose(rows, Keep()) == [None, None, None]
    assert np.abs(unpack(looks[0]) - look_of(list(pictures[0]))).max() < 1e-3


def test_ids_do_not_depend_on_the_place_of_the_folder(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.mp4").write_bytes(b"one video" * 9999)
    found = [source_id("x.mp4", tmp_path / name / "x.mp4") for name in "ab"]
    assert found[0] == found[1] != source_id("y.mp4", tmp_path / "a" / "x.mp4")
    assert clip_id(found[0], 0.5, 1.25) == clip_id(found[1], 0.5, 1.25) != clip_id(found[0], 0.5, 1.5)


def test_names_that_are_no_unicode_survive(tmp_path):
    rows = [{"source": "caf\udce9.mp4"}, {"source": "\u732b.mp4"}]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert list(read_rows(tmp_path / "rows.jsonl")) == rows
    assert "\u732b" in to_line(rows[1])
    with pytest.raises(ValueError):
        to_line({"motion": float("nan")})


def test_a_failing_row_keeps_its_error_and_the_others_go_on():
    class Halves(Stage):
        name = "halves"

        def rows_of(self, row):
            yield {**row, "half": 12 / row["n"]}

    found = Halves()([{"n": 2}, {"n": 0}, {"n": 3, "error": "before"}, {"n": 4}])
    assert [row.get("half") for row in found] == [6, None, None, 3]
    assert found[1]["error"].startswith("halves: ") and found[2]["error"] == "before"


def test_a_full_disk_ends_the_run():
    class Full(Stage):
        def rows_of(self, row):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        Full()([{}])


@pytest.mark.parametrize(
    ("told", "clean"),
    [
        ("The video shows a cat\n on a mat. ", "A cat on a mat."),
        ('"A dog."', "A dog."),
        ("In this clip, we see rain", "Rain"),
        ("This videotape is old", "This videotape is old"),
        ("<think>Frame: a\ncat</think>\n\nA cat runs.", "A cat runs."),
        ("Sure! Here is one sentence that combines both:\n\n**A cat** runs.", "A cat runs."),
        ('Here\'s the combined caption: "A cat runs."', "A cat runs."),
        ("Final answer: a cat: it runs", "a cat: it runs"),
        ("Sure-footed goats climb. Rocks fall.", "Sure-footed goats climb. Rocks fall."),
        ("Here is a dog: it barks", "Here is a dog: it barks"),
        ("", ""),
    ],
)
def test_captions_are_cleaned(told, clean):
    assert cleaned(told) == clean


def test_captions_come_from_the_table_then_from_beside_then_from_the_settings(tmp_path):
    (tmp_path / "b.txt").write_text("\ufeffbeside", encoding="utf8")
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe\xff")
    table = tmp_path / "captions.jsonl"
    table.write_text('{"id": "1", "caption": "from the table"}\n\n', encoding="utf8")
    texts = CaptionTexts(tmp_path, Captions(file=str(table), default="usual"))
    rows = [{"id": str(i), "source": f"{name}.mp4"} for i, name in enumerate("abbc")]
    found = [texts.told(row) for row in rows]
    assert [row.get("caption") for row in found] == ["usual", "from the table", "beside", None]
    assert "UTF-8" in found[3]["error"]
    table.write_text('{"id": 1}', encoding="utf8")
    with pytest.raises(ValueError, match="line 1 of 'captions.jsonl'"):
        CaptionTexts(tmp_path, Captions(file=str(table)))


def test_similarity_is_the_mean_cosine_of_caption_and_pictures():
    class Clip:
        def texts(self, texts):
            return np.array([[1.0, 0.0] if text == "a" else [0.0, 1.0] for text in texts], np.float32)

    rows = [{"id": "1", "caption": "a", "features": [pack([1, 0]), pack([0, 1]), pack([0.6, 0.8])]},
            {"id": "2", "features": []}, {"error": "x", "caption": "a", "features": []}]  # fmt: skip
    found = [row.get("clip_similarity") for row in with_similarity(iter(rows), Clip())]
    assert found[0] == pytest.approx((1 + 0 + 0.6) / 3, abs=1e-3) and found[1:] == [None, None]


def stack(sizes, seed=0):
    made = torch.Generator().manual_seed(seed)
    found = {}
    for number, (before, after) in zip((0, 2, 4, 6, 7), sizes, strict=True):
        found[f"layers.{number}.weight"] = torch.randn(after, before, generator=made)
        found[f"layers.{number}.bias"] = torch.randn(after, generator=made)
    return found


def test_both_aesthetic_heads_are_read(tmp_path):
    features = np.random.default_rng(0).normal(size=(3, 768)).astype(np.float32)
    weights = stack(list(itertools.pairwise(WIDTHS)))
    torch.save(weights, tmp_path / "two.pth")
    torch.save({"weight": torch.ones(1, 768), "bias": torch.tensor([0.5])}, tmp_path / "one.pth")
    expected = torch.from_numpy(features)
    for number in (0, 2, 4, 6, 7):
        expected = torch.nn.functional.linear(
            expected, weights[f"layers.{number}.weight"], weights[f"layers.{number}.bias"]
        )
    for name, values in (("two", expected[:, 0].numpy()), ("one", features.sum(-1) + 0.5)):
        head = AestheticHead(tmp_path / f"{name}.pth")
        head.setup()
        np.testing.assert_allclose(head(features), values, rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match="takes features of 768 numbers, and this CLIP gives 4"):
        head(features[:, :4])


def test_wrong_weights_are_named(tmp_path):
    file = tmp_path / "head.pth"
    with pytest.raises(ValueError, match="'head.pth' in the folder .* published as sa_0_4"):
        AestheticHead(file).setup()
    layers = list(itertools.pairwise(WIDTHS))
    for weights in ({"fc.weight": torch.ones(2, 2)}, stack([*layers[:-1], (16, 2)]),
                    stack([layers[0], (1000, 128), *layers[2:]])):  # fmt: skip
        torch.save(weights, file)
        with pytest.raises(ValueError, match=r"'head.pth'"):
            AestheticHead(file).setup()
    file.write_bytes(b"not weights")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        AestheticHead(file).setup()


def test_settings_are_read_and_wrong_ones_are_named(tmp_path):
    file = tmp_path / "c.json"

    def told(**sections):
        file.write_text(json.dumps(sections), encoding="utf8")
        return read_settings(file)

    assert read_settings(None) == told() == Settings()
    assert told(keep={"best": {"motion": 25}}).keep.best == {"motion": 25}
    assert told(scores={"clip": "clip"}).scores.clip == str(tmp_path / "clip")
    for sections, message in (
        ({"cut": {}}, "has 'cut', which is not known"),
        ({"cuts": {"detektor": "x"}}, r"\[cuts\] has 'detektor'"),
        ({"cuts": {"detector": "eye"}}, "detector='eye' must be one of"),
        ({"clips": {"longest": 1.0}}, "at least twice shortest"),
        ({"motion": {"side": True}}, "side=True must be of type int"),
        ({"export": {"crf": 90}}, "crf=90 must be 1"),
        ({"scores": {"aesthetic": "a.pth"}}, "set clip to the folder"),
        ({"keep": {"best": {"motion": 200}}}, "best: motion=200 must be 0 to 100"),
    ):
        with pytest.raises(ValueError, match=message):
            told(**sections)
    file.write_text("{", encoding="utf8")
    with pytest.raises(ValueError, match="is no JSON"):
        read_settings(file)
    with pytest.raises(ValueError, match="is not there"):
        read_settings(tmp_path / "none.toml")


def test_only_what_changed_is_done_again():
    one, other = Settings(), Settings(keep=Keep(sample=50))
    assert one.fingerprint("cuts", "clips") == other.fingerprint("cuts", "clips")
    assert one.fingerprint("keep") != other.fingerprint("keep")
