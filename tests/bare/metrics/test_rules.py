"""Rules over every metric, and what each does with clips that are short, equal, still, moved or damaged."""

import math

import pytest
import torch
from zoetrope.frame_tools.optical_flow import flow_between
from zoetrope.metrics.metric import CLIP, NEEDS, PAIR, SET, TWO_SETS, Clip, Named, SetFeatures
from zoetrope.metrics.metrics import METRICS, chosen_metrics
from zoetrope.metrics.moments import Moments
from zoetrope.metrics.warping_error import seen_in_both

HEIGHT, WIDTH = 23, 37
OF_CLIPS = [metric for metric in METRICS.values() if metric.of in (CLIP, PAIR)]
every_clip_metric = pytest.mark.parametrize("metric", OF_CLIPS, ids=lambda metric: metric.name)


def encoder(frames):
    """Features that tell frames apart: means of a grid."""
    return torch.nn.functional.adaptive_avg_pool2d(frames[..., :3].movedim(-1, 1), 4).flatten(1)


def texture(frames=5, shift=0):
    """Soft noise that moves to the right by `shift` pixels a frame, (F, H, W, 3)."""
    noise = torch.rand(1, 3, HEIGHT, WIDTH + 64, generator=torch.Generator().manual_seed(5))
    soft = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[0].movedim(0, -1)
    return torch.stack([soft[:, 40 - n * shift : 40 - n * shift + WIDTH] for n in range(frames)])


def clip_of(frames, **more):
    given = {
        "reference": frames,
        "fps": 8.0,
        "image_encoder": Named("grid", encoder, "4x4"),
        "subject_encoder": Named("grid", encoder, "4x4"),
        "text": torch.ones(48),
        "flow": Named("Lucas-Kanade", flow_between),
        "aesthetic_head": Named("mean", lambda features: features.mean(1)),
    }
    return Clip(frames, **{**given, **more})


@every_clip_metric
def test_every_metric_says_what_it_measured(metric):
    score = metric.measure(clip_of(texture(5, 1)))
    assert score.metric == metric.name and METRICS[metric.name] is metric
    assert set(metric.needs) <= set(NEEDS) and metric.better in ("higher", "lower", "")
    assert isinstance(score.value, float) and not math.isnan(score.value)
    assert "5 frames" in str(score.protocol)
    assert not score.per_frame or score.first + len(score.per_frame) == 5
    if {"image_encoder", "subject_encoder"} & set(metric.needs):
        assert "grid" in str(score.protocol) and "4x4" in str(score.protocol)


@every_clip_metric
def test_a_clip_of_one_frame_is_measured_or_refused_in_words(metric):
    clip = clip_of(texture(1))
    try:
        assert isinstance(metric.measure(clip).value, float)
    except ValueError as error:
        assert "at least 2 frames" in str(error) and "got 1" in str(error)


@every_clip_metric
def test_frames_with_opacity_and_half_precision_are_measured(metric):
    frames = torch.cat((texture(3), torch.rand(3, HEIGHT, WIDTH, 1)), -1)
    value, plain = (metric.measure(clip_of(f, reference=texture(3))).value for f in (frames, frames[..., :3]))
    assert value == pytest.approx(plain)
    assert not math.isnan(metric.measure(clip_of(texture(3, 1).half())).value)


def test_the_best_clip_gets_the_best_number():
    still = clip_of(texture(4))
    best = {
        name: METRICS[name].measure(still).value for name in ("psnr", "ssim", "flicker", "clip_consistency")
    }
    assert best == pytest.approx({"psnr": math.inf, "ssim": 1.0, "flicker": 1.0, "clip_consistency": 1.0})
    assert METRICS["warping_error"].measure(still).value == pytest.approx(0, abs=1e-9)
    assert METRICS["dynamic_degree"].measure(still).value == 0.0


@pytest.mark.parametrize("where", ["frames", "reference"])
def test_frames_that_are_not_finite_are_named(where):
    frames = texture(4)
    frames[2, 3, 5, 1] = torch.nan
    given = {"reference": frames} if where == "reference" else {}
    what = "the reference" if where == "reference" else "the clip"
    with pytest.raises(ValueError, match=f"frame 2 of {what} holds numbers that are not finite"):
        clip_of(texture(4) if given else frames, **given)


def test_features_that_are_not_finite_are_refused():
    bad = Named("broken.safetensors", lambda frames: torch.full((len(frames), 4), torch.nan))
    with pytest.raises(ValueError, match="the features of broken.safetensors are not finite"):
        METRICS["clip_adjacent"].measure(clip_of(texture(3), image_encoder=bad))


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
def test_pairs_must_be_alike(metric):
    with pytest.raises(ValueError, match="3 frames of 37x23, its reference 4 frames of 37x23"):
        METRICS[metric].measure(clip_of(texture(3), reference=texture(4)))


def test_psnr_of_a_clip_with_an_equal_frame_is_finite():
    frames = texture(3)
    frames[1:] = (frames[1:] + 0.1).clamp(0, 1)
    score = METRICS["psnr"].measure(clip_of(frames, reference=texture(3)))
    assert math.isinf(score.per_frame[0]) and math.isfinite(score.value)
    assert score.value == pytest.approx(score.per_frame[1] + 10 * math.log10(1.5), abs=0.1)


def test_ssim_of_frames_smaller_than_its_window_is_refused():
    with pytest.raises(ValueError, match="at least 11x11 pixels, got 7x10"):
        METRICS["ssim"].measure(clip_of(torch.zeros(2, 10, 7, 3)))


def test_warping_error_is_small_for_movement_and_not_for_flicker():
    moved = METRICS["warping_error"].measure(clip_of(texture(4, 2))).value
    frames = texture(4)
    frames[1::2] = (frames[1::2] * 0.8).clamp(0, 1)
    assert moved < 0.2 * METRICS["warping_error"].measure(clip_of(frames)).value


def test_places_that_leave_the_frame_are_hidden():
    right = torch.zeros(2, HEIGHT, WIDTH)
    right[0] = 5.0
    seen = seen_in_both(right, -right)
    assert seen[:, : WIDTH - 5].all() and not seen[:, WIDTH - 5 :].any()
    assert not seen_in_both(right, right).any(), "there and back do not agree"


def test_a_cut_is_told():
    apart = Named("apart", lambda a, b: torch.full((2, HEIGHT, WIDTH), 500.0))
    score = METRICS["warping_error"].measure(clip_of(texture(3), flow=apart))
    assert score.warnings == ("in 2 steps no place was seen in both frames (a cut?).",)


def flow_of(pixels):
    return Named(
        "given", lambda a, b: torch.stack([torch.full((HEIGHT, WIDTH), pixels), torch.zeros(HEIGHT, WIDTH)])
    )


def test_dynamic_degree_takes_eight_frames_a_second_and_counts_steps():
    least = 6 * HEIGHT / 256
    frames = texture(16)
    moving = METRICS["dynamic_degree"].measure(clip_of(frames, flow=flow_of(least * 1.01), fps=16.0))
    assert moving.value == 1.0 and "8 frames" in str(moving.protocol) and moving.protocol.fps == 8.0
    still = METRICS["dynamic_degree"].measure(clip_of(frames, flow=flow_of(least * 0.99), fps=0.0))
    assert still.value == 0.0 and "frame rate is not told" in still.warnings[0]
    assert "fps not told" in str(still.protocol)


def features(n, size=3, seed=0, frames="16 frames", fps=8.0):
    rows = torch.randn(n, size, generator=torch.Generator().manual_seed(seed))
    moments = Moments.of(rows)
    return SetFeatures(n, moments, moments, rows, frames, fps)


@pytest.mark.parametrize("name", ["fid", "fvd"])
def test_distances_of_sets_warn_where_they_mean_little(name):
    score = METRICS[name].measure(features(4), features(5, seed=1))
    assert score.value > 0 and "n 4 and 5; ddof 1" in str(score.protocol) and score.of == "a, b"
    few, unequal = score.warnings
    assert few.startswith("4 ") and "are few for" in few and "different sizes (4 and 5" in unequal
    assert METRICS[name].measure(features(4), features(4)).value == pytest.approx(0, abs=1e-9)
    assert METRICS[name].of == TWO_SETS


def test_sets_that_cannot_be_compared_are_refused():
    measure = METRICS["fvd"].measure
    with pytest.raises(ValueError, match="at least 2 videos in each set, set b has 1; add more"):
        measure(features(3), features(1))
    with pytest.raises(ValueError, match="set a has 16 frames, set b 9 frames: set num_frames of both alike"):
        measure(features(3), features(3, frames="9 frames"))
    with pytest.raises(ValueError, match="needs at least 2 of a set, got 1"):
        METRICS["fid"].measure(features(3), features(1))
    with pytest.raises(ValueError, match="features of different networks cannot be compared: 3 and 4"):
        METRICS["fid"].measure(features(3), features(3, 4))
    with pytest.raises(ValueError, match="sums of 3 and of 4 features cannot be added up"):
        features(3).images + features(3, 4).images
    assert (
        "different frame rates (8 fps and fps not told)"
        in measure(features(3), features(3, fps=0.0)).warnings[1]
    )
    with pytest.raises(ValueError, match="not finite"):
        Moments.of(torch.tensor([[1.0, torch.inf]]))


def test_inception_score_of_few_frames_is_one_part():
    score = METRICS["inception_score"].measure(features(7))
    assert (
        score.spread is None and "1 splits" in str(score.protocol) and "7 frames are few" in score.warnings[0]
    )
    assert METRICS["inception_score"].measure(features(10)).spread > 0
    assert METRICS["inception_score"].of == SET


def test_metrics_are_chosen_by_name():
    assert [metric.name for metric in chosen_metrics(" FVD, psnr\nfvd,, ")] == ["fvd", "psnr"]
    assert chosen_metrics("") == []
    with pytest.raises(ValueError, match=r"'ssmi' is not known; it may be one of psnr, ssim, "):
        chosen_metrics("ssmi")
