"""Rules that every context schedule keeps, and what the single schedules promise."""

import itertools

import pytest
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES, create_context_windows, spread_starts
from zoetrope.samplers.window_requests import ordered_halving, window_strides

STEPS = (0, 1, 2, 3, 5, 11, 20)


def settings():
    lengths = (1, 2, 3, 5, 8, 16)
    for num_frames, length in itertools.product(
        (1, 2, 3, 7, 13, 16, 17, 20, 23, 31, 32, 33, 64, 97), lengths
    ):
        for overlap in sorted({0, 1, length // 4, length // 2, length - 1}):
            if overlap < length:
                yield num_frames, length, overlap


@pytest.mark.parametrize("closed_loop", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("name", CONTEXT_SCHEDULES)
def test_rules_of_every_schedule(name, stride, closed_loop):
    for (num_frames, length, overlap), step in itertools.product(settings(), STEPS):
        try:
            windows = create_context_windows(name, num_frames, length, overlap, stride, closed_loop, step)
        except ValueError as error:  # as AnimateDiff-Evolved has them, they would break the rules
            assert stride > 1 and name in str(error) and name.endswith("uniform (AnimateDiff-Evolved)")
            continue
        case = (num_frames, length, overlap, step, windows)
        assert {frame for window in windows for frame in window} == set(range(num_frames)), case
        assert all(len(set(window)) == len(window) for window in windows), case
        assert all(0 < len(window) <= length for window in windows), case
        if (
            stride == 1 or name != "looped_uniform (AnimateDiff-Evolved)"
        ):  # there an equal window counts twice
            assert len({tuple(window) for window in windows}) == len(windows), case
        if num_frames <= length:
            assert windows == [list(range(num_frames))], case


@pytest.mark.parametrize(
    "name",
    ["standard_static", "standard_uniform", "standard_static_exact", "standard_static (AnimateDiff-Evolved)"],
)
def test_neighbours_share_at_least_the_overlap(name):
    for (num_frames, length, overlap), step in itertools.product(settings(), STEPS):
        windows = create_context_windows(name, num_frames, length, overlap, 1, False, step)
        for before, after in zip(windows[:-1], windows[1:], strict=True):
            assert len(set(before) & set(after)) >= overlap, (num_frames, length, overlap, step, windows)


def test_looped_windows_share_the_overlap_across_the_seam_in_a_closed_loop():
    for (num_frames, length, overlap), step in itertools.product(settings(), STEPS):
        windows = create_context_windows("looped_uniform", num_frames, length, overlap, 1, True, step)
        if num_frames > length:
            for before, after in zip(windows, windows[1:] + windows[:1], strict=True):
                assert len(set(before) & set(after)) >= overlap, (num_frames, length, overlap, step, windows)


def test_static_spreads_the_starts_evenly():
    windows = create_context_windows("standard_static", 32, 16, 4)
    assert [window[0] for window in windows] == [0, 8, 16]
    assert windows[1] == list(range(8, 24))


def test_static_uses_the_fewest_windows():
    for num_frames, length, overlap in settings():
        if num_frames > length:
            fewest = -(-(num_frames - overlap) // (length - overlap))
            assert len(create_context_windows("standard_static", num_frames, length, overlap)) == fewest


STATIC = ("standard_static", "batched", "standard_static_exact")


@pytest.mark.parametrize("name", STATIC)
def test_static_schedules_do_not_depend_on_the_step(name):
    assert create_context_windows(name, 33, 16, 4, step=0) == create_context_windows(name, 33, 16, 4, step=7)


@pytest.mark.parametrize("name", ["standard_uniform", "looped_uniform"])
def test_uniform_schedules_move_from_step_to_step(name):
    at_steps = [create_context_windows(name, 32, 16, 4, step=step) for step in range(4)]
    assert all(a != b for a, b in itertools.combinations(at_steps, 2))


def test_standard_windows_do_not_wrap_and_looped_ones_do():
    for step in STEPS:
        for window in create_context_windows("standard_uniform", 37, 8, 2, 3, False, step):
            assert window == sorted(window)
    wrapped = create_context_windows("looped_uniform", 32, 16, 4)[-1]
    assert wrapped == [24, 25, 26, 27, 28, 29, 30, 31, 0, 1, 2, 3, 4, 5, 6, 7]


def test_stride_adds_windows_of_every_second_frame():
    windows = create_context_windows("standard_uniform", 33, 16, 4, 2)
    assert list(range(0, 32, 2)) in windows
    assert create_context_windows("looped_uniform", 32, 16, 4, 2)[3:] == [list(range(0, 32, 2))]


def test_looped_stride_1_is_animatediffs_schedule():
    # AnimateDiff: j from round(F * halving) while j < F + round(F * halving) - overlap,
    # by length - overlap, modulo F
    for step, offset in ((0, 0), (1, 16), (2, 8), (3, 24)):
        windows = create_context_windows("looped_uniform", 32, 16, 4, step=step)
        assert [window[0] for window in windows] == [(offset + j) % 32 for j in (0, 12, 24)]


def test_exact_windows_compute_no_frame_oftener_than_the_overlap_asks_for():
    for num_frames, length, overlap in settings():
        if num_frames > length:
            windows = create_context_windows("standard_static_exact", num_frames, length, overlap)
            fewest = -(-(num_frames - overlap) // (length - overlap))
            assert len(windows) == fewest
            assert sum(map(len, windows)) == num_frames + overlap * (fewest - 1)
            lengths = [len(window) for window in windows]
            assert max(lengths) - min(lengths) <= 1
    work = [
        sum(map(len, create_context_windows("standard_static_exact", frames, 16, 4)))
        for frames in (24, 32, 64)
    ]
    assert work == [28, 40, 80]


def test_batched_leaves_no_short_rest():
    assert [len(window) for window in create_context_windows("batched", 17, 16, 4)] == [8, 9]
    assert [len(window) for window in create_context_windows("batched", 48, 16, 0)] == [16, 16, 16]


def test_ordered_halving_mirrors_the_binary_digits():
    assert [ordered_halving(step) for step in range(6)] == [0, 0.5, 0.25, 0.75, 0.125, 0.625]


def test_spread_starts_keeps_ends_and_gap():
    assert spread_starts(3, 17, 5) == [3, 7, 12, 17]
    assert spread_starts(4, 4, 5) == [4]


def test_strides_fit_into_the_video():
    assert window_strides(32, 16, 5) == [1, 2]
    assert window_strides(30, 16, 5) == [1]
    assert window_strides(97, 2, 3) == [1, 2, 4]
    assert window_strides(97, 1, 5) == [1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"context_overlap": 16}, "context_overlap=16 must be smaller than context_length=16"),
        ({"context_overlap": 20}, "context_overlap=20 must be smaller"),
        ({"context_overlap": -1}, "context_overlap=-1"),
        ({"context_length": 0}, "context_length=0 must be at least 1"),
        ({"num_frames": 0}, "num_frames=0 must be at least 1"),
        ({"context_stride": 0}, "context_stride=0"),
        ({"step": -1}, "step=-1"),
        ({"context_schedule": "pendulum"}, "'pendulum' must be one of standard_static"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, words):
    good = {
        "context_schedule": "standard_static",
        "num_frames": 32,
        "context_length": 16,
        "context_overlap": 4,
    }
    with pytest.raises(ValueError, match=words):
        create_context_windows(**{**good, **change})


@pytest.mark.parametrize("name", ["looped_uniform", "looped_uniform (AnimateDiff-Evolved)"])
def test_a_video_of_one_window_may_be_turned(name):
    """4 frames, overlap 1, step 1: the first window begins at round(4 / 2) = 2, the next 4 - 1 later."""
    assert create_context_windows(name, 4, 4, 1, step=1) == [[0, 1, 2, 3]]
    turned = create_context_windows(name, 4, 4, 1, step=1, use_on_equal_length=True)
    assert turned == [[2, 3, 0, 1]]
    looped = create_context_windows(name, 4, 4, 1, closed_loop=True, step=1, use_on_equal_length=True)
    assert looped == [[2, 3, 0, 1], [1, 2, 3, 0]]
    assert create_context_windows(name, 3, 4, 1, step=1, use_on_equal_length=True) == [[0, 1, 2]]
