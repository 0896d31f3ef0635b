"""Ratings, their intervals and the choice, against recorded numbers of choix and against drawn votes.

golden_metrics.json: 600 votes of four candidates, of which the truth is known.
"""

import json
import math

import numpy as np
import pytest
from zoetrope.metrics.ratings import bradley_terry, elo
from zoetrope.tests.places import GOLDENS
from zoetrope.votes.book import LEFT, RIGHT, SKIP, TIE, Book, Vote
from zoetrope.votes.choice import HIGHEST, MOST_DATA, choose, percents_of
from zoetrope.votes.plan import Pair
from zoetrope.votes.rating import UNIT, as_text, elo_estimates, rate, strength_estimates

GOLDEN = json.loads((GOLDENS / "metrics" / "golden_metrics.json").read_text(encoding="utf8"))["elo"]
VOTES = [(*vote, 1.0) for vote in GOLDEN["votes"]]
TRUE = GOLDEN["true_logit"]


def book(votes=VOTES, names=tuple(GOLDEN["names"]), damaged=0):
    """A book of (one, other, share); every other vote with the sides turned, which must not matter."""
    made = []
    for number, (one, other, share) in enumerate(votes):
        winner = {1.0: LEFT, 0.0: RIGHT, 0.5: TIE, None: SKIP}[share]
        turned = number % 2 and winner in (LEFT, RIGHT)
        pair = Pair("1.mp4", names[other], names[one]) if turned else Pair("1.mp4", names[one], names[other])
        made.append(Vote(pair, {LEFT: RIGHT, RIGHT: LEFT}[winner] if turned else winner))
    return Book(names, 0, tuple(made), damaged)


def test_ratings_are_the_recorded_ones():
    ratings = rate(book(), elo_k=1.0)
    assert [row.strength.value for row in ratings.ratings] == pytest.approx(GOLDEN["bt_elo_scale"], abs=1e-4)
    elos = [row.elo.value for row in ratings.ratings]
    mean = GOLDEN["elo_shuffled_mean_200"]
    assert elos == pytest.approx(mean["K1"], abs=4 * max(mean["std"]) / math.sqrt(200))
    assert sum(row.votes for row in ratings.ratings) == 2 * ratings.counted == 1200
    for row in ratings.ratings:
        assert row.strength.low < row.strength.value < row.strength.high
        assert row.elo.low < row.elo.value < row.elo.high


def test_elos_of_many_orders_are_those_of_one():
    """The interval of one vote drawn anew has no width: it is the rating itself."""
    one = elo_estimates([(0, 1, 0.5), (0, 1, 0.5)], 3, 32.0)
    assert [(e.value, e.low, e.high) for e in one] == [(1000.0,) * 3] * 3
    won = elo_estimates([(1, 2, 1.0)], 3, 32.0)
    assert [e.value for e in won] == elo([(1, 2)], 3, 32.0) == [1000.0, 1016.0, 984.0]


def test_a_tie_is_half_a_vote_for_each():
    ties = [*VOTES, *[(0, 3, 0.5)] * 40]
    halves = [*VOTES, *[(0, 3, 1.0), (0, 3, 0.0)] * 20]
    assert bradley_terry(ties, 4) == pytest.approx(bradley_terry(halves, 4), abs=1e-9)
    assert elo([(0, 1, 0.5)], 2) == [1000.0, 1000.0] and elo([(0, 1, 0.0)], 2) == [984.0, 1016.0]


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 100 drawn polls with four candidates each, 95 % of the intervals, within what chance allows."""
    random, held = np.random.default_rng(5), 0
    pairs = [(a, b) for a in range(4) for b in range(4) if a < b]
    for _ in range(100):
        votes = [
            (a, b, float(random.random() < 1 / (1 + math.exp(TRUE[b] - TRUE[a]))))
            for a, b in pairs
            for _ in range(30)
        ]
        estimates, covariance = strength_estimates(votes, 4)
        held += sum(e.low <= 1000 + UNIT * true <= e.high for e, true in zip(estimates, TRUE, strict=True))
        assert np.abs(np.sum(covariance, axis=0)).max() < 1e-6  # the mean is fixed
    assert 0.92 <= held / 400 <= 0.98


def test_the_interval_of_two_candidates_is_that_of_a_coin():
    estimates, _ = strength_estimates([(0, 1, 1.0)] * 30 + [(0, 1, 0.0)] * 20, 2)
    spread = 1.959964 * math.sqrt(1 / (50 * 0.6 * 0.4)) * UNIT  # of the logit of 0.6 from 50 throws
    assert estimates[0].high - estimates[1].low == pytest.approx(math.log(1.5) * UNIT + spread, abs=1e-6)


@pytest.mark.parametrize(
    "votes",
    [
        [(0, 1, 1.0), (0, 1, 1.0)],
        [(0, 1, 1.0), (0, 1, 0.0), (2, 3, 1.0), (2, 3, 0.0), (0, 2, 1.0)],  # {0, 1} lost none to {2, 3}
        [(0, 1, 1.0), (0, 1, 0.0)],  # nobody has seen 2 and 3
    ],
)
def test_strengths_without_an_end_are_said(votes):
    ratings = rate(book(votes))
    assert [row.strength for row in ratings.ratings] == [None] * 4 and ratings.covariance is None
    assert "Bradley-Terry has no end" in as_text(ratings) and "Elo 1" in as_text(ratings)
    percent, why = choose(ratings, [12.5, 25, 50, 100], MOST_DATA if len(votes) == 2 else HIGHEST)
    assert percent in (12.5, 25) and "by Elo" in why


def test_what_does_not_count_is_said():
    text = as_text(rate(book([*VOTES[:20], (0, 1, None)], damaged=2)))
    assert "pairs do not count: 1." in text and "are left out: 2." in text and "20 votes are few" in text
    with pytest.raises(ValueError, match="no vote that counts"):
        rate(book([(0, 1, None)]))


def test_the_preferred_share_is_chosen_as_in_the_paper():
    percents = percents_of(GOLDEN["names"])
    assert percents == [12.5, 25.0, 50.0, 100.0]
    percent, why = choose(rate(book()), percents, HIGHEST)
    assert percent == 25.0 and why.startswith("25 % (keep25)\nThe highest rating has 25 %: 1114 points")
    assert "100 % is 288 points below [" in why and "! The votes cannot tell" not in why.split("100 %")[0]


def test_between_equals_the_most_data_may_be_taken():
    votes = [(0, 1, 1.0)] * 11 + [(0, 1, 0.0)] * 9 + [(0, 2, 1.0)] * 19 + [(0, 2, 0.0)]
    ratings = rate(book([*votes, *[(1, 2, 1.0)] * 19, (1, 2, 0.0)], ("keep25", "keep50", "keep100")))
    assert choose(ratings, [25, 50, 100], HIGHEST)[0] == 25
    percent, why = choose(ratings, [25, 50, 100], MOST_DATA)
    assert percent == 50 and "! The votes cannot tell it from 50 % (95 %): the one with the most data" in why


@pytest.mark.parametrize(
    ("names", "written", "wanted"),
    [
        (["a/keep12.5 [output]", "b/keep100"], "", [12.5, 100]),
        (["25 %", "run2 50%"], "", [25, 50]),
        (["0.25", "1"], "", [25, 100]),
        (["保留25", "全部100"], "", [25, 100]),
        (["v2/small", "v2/all"], "12.5%, 100", [12.5, 100]),
        (["a", "b"], "0.5 1", [50, 100]),
    ],
)
def test_shares_are_read(names, written, wanted):
    assert percents_of(names, written) == wanted


@pytest.mark.parametrize(
    ("names", "written", "told"),
    [
        (["keep25", "all"], "", "'all' does not say what share"),
        (["1 of 4", "2 of 4"], "", "'1 of 4' does not say"),
        (["keep25", "keep250"], "", "'keep250' is 250 %"),
        (["keep0", "keep50"], "", "'keep0' is 0 %"),
        (["a", "b"], "25", "shares has 1 numbers for 2 candidates"),
        (["a", "b"], "25, nan", "'nan' is no number"),
        (["a", "b"], "25, -5", "'-5' is no number"),
    ],
)
def test_shares_that_are_not_clear_are_refused(names, written, told):
    with pytest.raises(ValueError, match=told):
        percents_of(names, written)
