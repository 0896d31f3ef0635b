"""Windows in which a clip goes on."""

import pytest
from zoetrope.samplers.going_on import GoingOnSettings


@pytest.mark.parametrize(
    "frames, clip, expected",
    [
        (1, 9, [((-3, 1), 3)]),
        (2, 9, [((-2, 2), 2)]),
        (7, 9, [((-2, 2), 2), ((0, 4), 2), ((2, 6), 2), ((3, 7), 3)]),
        (1, 1, [((-1, 1), 1)]),
        (5, 1, [((-1, 3), 1), ((1, 5), 2)]),
    ],
)
def test_windows_by_hand(frames, clip, expected):
    windows = GoingOnSettings(4, 2).windows(frames, clip)
    assert [((window.start, window.stop), known) for window, known in windows] == expected


@pytest.mark.parametrize("length, overlap", [(2, 1), (5, 4), (7, 3), (16, 8)])
def test_every_frame_is_made_once_and_known_ones_are_there(length, overlap):
    for frames in range(1, 40):
        made = 0
        for window, known in GoingOnSettings(length, overlap).windows(frames, overlap):
            assert window.start + known == made and known >= overlap and len(window) <= length
            made = window.stop
        assert made == frames


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"context_length": 1}, "context_length=1 must be at least 2"),
        ({"context_overlap": 0}, "context_overlap=0 must be at least 1 and smaller than context_length=16"),
        ({"known_noise": 1.5}, "known_noise=1.5 must be 0..1"),
        ({"start_noise": -1.0}, "start_noise=-1.0 must be at least 0 and finite; 4 is usual"),
        ({"start_noise": float("nan")}, "start_noise=nan must be at least 0 and finite"),
        ({"start_noise": float("inf")}, "start_noise=inf must be at least 0 and finite"),
        ({"context_overlap": 16}, "context_overlap=16 must be at least 1 and smaller"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        GoingOnSettings(**settings)
