"""Each pair of candidates is met equally often at any moment, on both sides, in an order of the seed."""

from collections import Counter

import pytest
from zoetrope.votes.plan import plan_pairs, shared_files

FILES = {name: [f"{number}.mp4" for number in range(10)] for name in ("keep25", "keep50", "keep100")}


def test_pairs_and_sides_are_balanced_at_any_moment():
    pairs = plan_pairs(FILES, 7)
    assert len({pair.key for pair in pairs}) == len(pairs) == 3 * 10
    for end in range(0, len(pairs) + 1, 3):
        met = Counter(pair.key[1] for pair in pairs[:end])
        assert set(met.values()) <= {end // 3}
        if end % 6 == 0:
            lefts = Counter((pair.left, pair.right) for pair in pairs[:end])
            assert set(lefts.values()) <= {end // 6}
    assert Counter(pair.left for pair in pairs) == dict.fromkeys(FILES, 10)


def test_the_seed_decides():
    assert plan_pairs(FILES, 7) == plan_pairs(FILES, 7)
    first = [plan_pairs(FILES, seed)[0] for seed in range(8)]
    assert len({pair.key for pair in first}) > 4 and len({pair.left for pair in first}) == 3


def test_only_what_all_have_is_shown():
    files = {"a": ["1.mp4", "雪 ☃.mp4", "3.mp4"], "b": ["雪 ☃.mp4", "1.mp4"]}
    assert shared_files(files) == ["1.mp4", "雪 ☃.mp4"]
    assert {pair.file for pair in plan_pairs(files, 0)} == {"1.mp4", "雪 ☃.mp4"}
    with pytest.raises(ValueError, match="no file name is in all folders"):
        plan_pairs({"a": ["1.mp4"], "b": ["2.mp4"]}, 0)
    with pytest.raises(ValueError, match="1 candidates give no pair"):
        plan_pairs({"a": ["1.mp4"]}, 0)
