"""Even colours: flicker goes, slow changes stay, and a reference frame's colours are met."""

import pytest
import torch
from zoetrope.frame_tools.flicker import FlickerSettings, colour_statistics, even_colours


def flickering(factors):
    """A textured scene (F, 11, 13, 3) whose light is multiplied by each frame's factor."""
    scene = torch.rand(11, 13, 3) * 0.5 + 0.1
    return torch.stack([scene * factor for factor in factors])


def roughness(frames):
    """How much the mean brightness jumps from frame to frame."""
    return float(frames.mean((1, 2, 3)).diff().abs().mean())


def test_flicker_goes_and_a_slow_change_stays():
    frames = flickering([0.7 + 0.02 * i + (0.15 if i % 2 else 0) for i in range(19)])
    even = even_colours(frames, FlickerSettings(radius=3))
    assert roughness(even) < 0.15 * roughness(frames)
    means = even.mean((1, 2, 3))
    assert (means.diff() > 0).all() and means[-1] - means[0] > 0.6 * float(
        frames[-1].mean() - frames[0].mean()
    )


def test_strength_goes_from_nothing_to_all():
    frames = flickering([1.0, 0.7, 1.0, 0.7, 1.0])
    assert torch.allclose(even_colours(frames, FlickerSettings(strength=0)), frames, atol=1e-6)
    half, full = (
        roughness(even_colours(frames, FlickerSettings(radius=2, strength=strength)))
        for strength in (0.5, 1.0)
    )
    assert full < half < roughness(frames)


@pytest.mark.parametrize("reference", [0, -1])
def test_all_frames_get_the_colours_of_the_reference(reference):
    frames = flickering([1.0, 0.6, 0.8])
    frames[1] += torch.tensor([0.1, 0.0, 0.05])
    matched = even_colours(frames, FlickerSettings("reference frame", reference_frame=reference))
    for found, wanted in zip(colour_statistics(matched), colour_statistics(frames), strict=True):
        assert torch.allclose(found, wanted[reference].expand_as(found), atol=1e-5)


def test_a_frame_of_one_colour_is_only_shifted_and_opacity_stays():
    frames = torch.rand(3, 5, 7, 4)
    frames[1, ..., :3] = 0.5
    opacity = frames[..., 3].clone()
    matched = even_colours(frames, FlickerSettings("reference frame"))
    assert matched.isfinite().all() and torch.equal(matched[..., 3], opacity)
    assert matched[1, ..., :3].std((0, 1)).max() < 1e-4


def test_the_frames_that_came_in_are_not_changed():
    frames = flickering([1.0, 0.5])
    before = frames.clone()
    even_colours(frames, FlickerSettings(radius=2))
    assert torch.equal(frames, before)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"radius": 0.0}, "radius=0 frames must be above 0"),
        ({"match": "all"}, "match='all' must be one of frames around, reference frame"),
        ({"strength": 1.5}, "strength=1.5 must be 0"),
        (
            {"match": "reference frame", "reference_frame": 2},
            "reference_frame=2 is not there; these are 2 frames",
        ),
        ({"match": "reference frame", "reference_frame": -3}, "reference_frame=-3"),
    ],
)
def test_bad_settings_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        even_colours(flickering([1.0, 0.5]), FlickerSettings(**settings))
