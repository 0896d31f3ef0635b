"""Which features a step may reuse: ages are counted in steps, and equal names by their place."""

import pytest
import torch
from zoetrope.samplers.deep_features import KeptFeatures, ReuseSettings

A, B = torch.tensor([2.0]), torch.tensor([3.0])


def kept(interval=3, step=5, state="plain"):
    features = KeptFeatures(interval)
    features.keep([("a", 0), ("b", 0)], step, state, [A, B])
    return features


def test_features_are_reused_until_they_are_as_old_as_the_interval():
    found = [kept().reusable([("b", 0), ("a", 0)], step, "plain") for step in range(4, 9)]
    assert [features is not None for features in found] == [False, False, True, True, False]
    assert found[2] == [B, A]


@pytest.mark.parametrize(
    ("keys", "state"),
    [([("a", 0), ("c", 0)], "plain"), ([("a", 0), ("a", 1)], "plain"), ([("a", 0)], "other weights")],
)
def test_a_call_is_short_only_where_all_that_it_needs_is_there(keys, state):
    assert kept().reusable([("a", 0)], 6, "plain") == [A]
    assert kept().reusable(keys, 6, state) is None


def test_equal_names_are_counted_in_each_evaluation():
    features = KeptFeatures(2)
    for _ in range(2):
        features.begin_evaluation()
        assert features.keys(["a", "b", "a"]) == [("a", 0), ("b", 0), ("a", 1)]
        assert features.keys(["b"]) == [("b", 1)]


def test_what_no_step_can_use_is_dropped():
    features = kept(interval=3, step=5)
    features.keep([("a", 0)], 7, "plain", [A + 1])
    assert features.reusable([("a", 0), ("b", 0)], 8, "plain") is None, "b is of step 5"
    features.keep([("c", 0)], 8, "plain", [B])
    assert set(features._kept) == {("a", 0), ("c", 0)}
    features.keep([("c", 0)], 0, "plain", [B])  # the schedule begins again
    assert set(features._kept) == {("c", 0)}
    features.clear()
    assert features.reusable([("c", 0)], 1, "plain") is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"interval": 0}, "interval=0 must be at least 1; raise it"),
        ({"depth": 0}, "depth=0 must be at least 1; raise it"),
        (
            {"start_percent": 0.5, "end_percent": 0.5},
            "start_percent=0.5 must be smaller than end_percent=0.5",
        ),
        ({"end_percent": 1.5}, "both within 0 and 1"),
        ({"start_percent": float("nan")}, "start_percent=nan must be smaller"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ReuseSettings(**settings)
