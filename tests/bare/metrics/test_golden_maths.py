"""The maths of the metrics gives the numbers of other implementations.

golden_metrics.json: recorded from scikit-image, piq, torch-fidelity, NumPy and choix, with a rule that makes
the inputs.
"""

import json
import math

import numpy as np
import pytest
import torch
from zoetrope.metrics import consistency
from zoetrope.metrics.frechet import frechet_distance
from zoetrope.metrics.inception_score import inception_scores
from zoetrope.metrics.metric import Clip, Named
from zoetrope.metrics.metrics import METRICS
from zoetrope.metrics.moments import Moments
from zoetrope.metrics.psnr import psnr_of_error, squared_error
from zoetrope.metrics.ratings import bradley_terry, elo
from zoetrope.metrics.ssim import structural_similarity
from zoetrope.tests.places import GOLDENS

GOLDEN = json.loads((GOLDENS / "metrics" / "golden_metrics.json").read_text(encoding="utf8"))


def images():
    """A picture in 8 bits, and what was done to it, as (H, W, 3) in 0..1."""
    y, x = np.mgrid[0:64, 0:96]
    a = np.stack([0.5 + 0.4 * np.sin(x / (7 + c) + 1) * np.cos(y / (5 + c)) for c in range(3)], -1)
    noise = np.clip(a + np.random.default_rng(42).normal(0, 0.05, a.shape), 0, 1)
    others = {"noise": noise, "shift": np.roll(a, 1, axis=1), "const": np.clip(a + 0.1, 0, 1), "same": a}
    return np.round(a * 255) / 255, {name: np.round(image * 255) / 255 for name, image in others.items()}


@pytest.mark.parametrize("name", ["noise", "shift", "const", "same"])
def test_psnr_and_ssim_are_those_of_scikit_image(name):
    first, others = images()
    one, other = torch.from_numpy(first), torch.from_numpy(others[name])
    wanted = GOLDEN["image"]["values"][name]
    found = psnr_of_error(squared_error(one, other))
    assert math.isinf(found) if name == "same" else found == pytest.approx(wanted["psnr_skimage"], abs=1e-5)
    assert structural_similarity(one, other) == pytest.approx(wanted["ssim_piq"], abs=1e-5)


def feature_sets(told):
    rng = np.random.default_rng(told["seed"])
    x = rng.normal(size=(told["n"], told["d"]))
    if told["shift"] == 0 and told["scale"] == 1:
        return x, x
    return x, rng.normal(size=(told["m"], told["d"])) * told["scale"] + told["shift"]


@pytest.mark.parametrize("name", GOLDEN["frechet"]["sets"])
def test_frechet_is_exact_also_for_fewer_rows_than_features(name):
    told = GOLDEN["frechet"]["sets"][name]
    a, b = (Moments.of(torch.from_numpy(rows)) for rows in feature_sets(told))
    wanted = told["values"]["numpy_svd_nuclear"]
    found = frechet_distance(a, b)
    relative = 1e-5 if told["n"] < told["d"] else 1e-6
    assert found == pytest.approx(wanted, rel=relative, abs=1e-10)
    assert frechet_distance(b, a) == pytest.approx(found, rel=1e-9, abs=1e-10)


def test_frechet_of_the_sums_of_parts_is_that_of_the_whole():
    x, y = (torch.from_numpy(rows) for rows in feature_sets(GOLDEN["frechet"]["sets"]["mid"]))
    whole, other = Moments.of(x), Moments.of(y)
    parts = Moments.of(x[:7]) + Moments.of(x[7:8]) + Moments.of(x[8:])
    assert parts.n == whole.n
    assert frechet_distance(parts, other) == pytest.approx(frechet_distance(whole, other), rel=1e-12)


def test_frechet_of_one_feature_is_the_formula():
    wanted = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [5.0]])  # means 1 and 3, deviations s and 2 s
    a, b = map(Moments.of, wanted)
    assert frechet_distance(a, b) == pytest.approx(4 + (2**0.5 - 8**0.5) ** 2)
    same = Moments.of(torch.ones(3, 2))
    assert frechet_distance(same, same) == 0.0, "without any spread too"


@pytest.mark.parametrize("name", GOLDEN["inception_score"]["sets"])
def test_inception_score_is_that_of_torch_fidelity(name):
    told = GOLDEN["inception_score"]["sets"][name]
    rng = np.random.default_rng(told["seed"])
    logits = torch.from_numpy(rng.normal(size=(told["n"], told["classes"])) * told["scale"])
    scores = inception_scores(logits, told["splits"])
    mean, spread = told["values"]["torch_fidelity"]
    assert np.mean(scores) == pytest.approx(mean, rel=1e-9)
    assert np.std(scores) == pytest.approx(spread, rel=1e-9, abs=1e-12)


def test_inception_score_survives_classes_that_are_impossible():
    logits = torch.full((20, 5), -1e4)
    logits[torch.arange(20), torch.arange(20) % 5] = 0.0
    assert inception_scores(logits, 2) == pytest.approx([5.0, 5.0])


def embeddings():
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(8, 512))
    rows[1:] = 0.7 * rows[:-1] + 0.5 * rows[1:]
    text = rng.normal(size=512) * 0.3 + rows.mean(0)
    return torch.from_numpy(rows), torch.from_numpy(text)


def test_clip_maths():
    rows, text = embeddings()
    wanted = GOLDEN["clip"]["values"]
    assert consistency.all_pairs(rows) == pytest.approx(wanted["frame_consistency_all_pairs"], abs=1e-9)
    encoder = Named("golden", lambda frames: rows)
    clip = Clip(torch.zeros(8, 16, 16, 3), image_encoder=encoder, subject_encoder=encoder, text=text)
    found = {name: METRICS[name].measure(clip).value for name in METRICS if "clip_" in name or "_con" in name}
    vbench = wanted["vbench_style(max(0),mean of prev&first)"]
    assert found == pytest.approx({
        "clip_consistency": wanted["frame_consistency_all_pairs"],
        "clip_adjacent": wanted["frame_consistency_adjacent"],
        "subject_consistency": vbench,
        "background_consistency": vbench,
        "clip_similarity": wanted["clip_similarity_text_mean"],
        "clip_score": wanted["clipscore_100max0"],
    }, abs=1e-6)  # fmt: skip


def test_ratings_are_those_of_choix():
    told = GOLDEN["elo"]
    votes = [tuple(vote) for vote in told["votes"]]
    assert bradley_terry(votes, 4) == pytest.approx(told["bt_logit"]["choix_ilsr"], abs=1e-6)
    for k in (1, 32):
        assert elo(votes, 4, k) == pytest.approx(told["elo_sequential"][f"K{k}"], abs=1e-9)
    with pytest.raises(ValueError, match="contestant 0 won 1 of 1 votes.*collect more"):
        bradley_terry([(0, 1)], 2)
