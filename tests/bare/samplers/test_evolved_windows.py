"""Context windows as AnimateDiff-Evolved has them, held to its own tables (tests/data/goldens/ade)."""

import json

import pytest
from zoetrope.samplers.context_fusion import FUSE_METHODS, fuse_weights
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES, create_context_windows

from ...places import GOLDENS

TABLES = json.loads((GOLDENS / "ade" / "windows.json").read_text())
SCHEDULES = {
    "StandardStaticContextOptions": "standard_static",
    "StandardUniformContextOptions": "standard_uniform",
    "LoopedUniformContextOptions": "looped_uniform",
    "BatchedContextOptions": "batched",
}
EVOLVED = " (AnimateDiff-Evolved)"
WINDOWS = [
    (SCHEDULES[table["node"]] + EVOLVED, table["settings"], table["frames"], step, expected)
    for table in TABLES["windows"]
    for step, expected in enumerate(table["windows_per_step"], table["first_step_of_list"])
]


def fits(frames, windows):
    return {frame for window in windows for frame in window} == set(range(frames))


@pytest.mark.parametrize(
    ("schedule", "settings", "frames", "step", "expected"),
    [case for case in WINDOWS if fits(case[2], case[4])],
)
def test_windows_are_its_own(schedule, settings, frames, step, expected):
    windows = create_context_windows(schedule, frames, step=step, **settings)
    if frames > settings["context_length"]:
        assert windows == expected
    else:  # a video of one window is sampled without windows, in both packs
        assert windows == [list(range(frames))]


@pytest.mark.parametrize(
    ("schedule", "settings", "frames", "step", "expected"),
    [case for case in WINDOWS if not fits(case[2], case[4])],
)
def test_windows_past_the_end_are_refused(schedule, settings, frames, step, expected):
    with pytest.raises(ValueError, match="context_stride=3 makes windows that name frames past the end"):
        create_context_windows(schedule, frames, step=step, **settings)


def test_the_tables_have_both_kinds():
    kinds = [fits(case[2], case[4]) for case in WINDOWS]
    assert kinds.count(True) == 45 and kinds.count(False) == 4
    assert {case[0] for case in WINDOWS} == {name for name in CONTEXT_SCHEDULES if name.endswith(EVOLVED)}


# Measured with the pack itself: an IndexError, a frame in no window, a frame twice in a window.
@pytest.mark.parametrize(
    ("schedule", "frames", "overlap", "step", "trouble"),
    [
        ("standard_uniform", 9, 0, 0, "name frames past the end"),
        ("standard_uniform", 13, 2, 2, "leave frames out"),
        ("looped_uniform", 10, 0, 0, "name a frame twice"),
    ],
)
def test_what_goes_wrong_there_is_refused(schedule, frames, overlap, step, trouble):
    with pytest.raises(ValueError, match=rf"{trouble}.*set context_stride to 1 or take {schedule}\."):
        create_context_windows(schedule + EVOLVED, frames, 6, overlap, 2, step=step)


@pytest.mark.parametrize("table", TABLES["fuse_weights"])
def test_weights_are_its_own(table):
    method, window = table["fuse_method"], table["window"]
    name = method + EVOLVED if method + EVOLVED in FUSE_METHODS else method
    given = name, window, table["frames"], table["context_overlap"], table["sigma"]
    if len(table.get("weights", ())) != len(window):  # an error there, or a weight too many
        with pytest.raises(ValueError, match="is made for windows of even length, one has 7 frames"):
            fuse_weights(*given)
    else:
        assert fuse_weights(*given) == pytest.approx(table["weights"], rel=1e-6)


def test_every_one_of_its_methods_is_held_to_a_table_or_to_core():
    named = {table["fuse_method"] + EVOLVED for table in TABLES["fuse_weights"]} | {"relative" + EVOLVED}
    assert {name for name in FUSE_METHODS if name.endswith(EVOLVED)} <= named
