"""Rules for every orbit, and the published camera path."""

import pytest
from zoetrope.samplers.orbits import ORBITS, create_orbit


def turn(azimuths):
    """Azimuths with the image's view at the end of the turn."""
    return [*azimuths[:-1], azimuths[-1] + 360]


@pytest.mark.parametrize("name", ORBITS)
@pytest.mark.parametrize("num_views", [1, 2, 7, 21])
@pytest.mark.parametrize("seed", [0, 5])
def test_every_orbit_goes_round_once_and_ends_at_the_image(name, num_views, seed):
    elevations, azimuths = create_orbit(name, num_views, 11.0, 17.0, seed)
    assert len(elevations) == len(azimuths) == num_views
    assert azimuths[-1] == 0
    assert elevations[-1] == pytest.approx(11.0)
    path = turn(azimuths)
    assert path == sorted(path)
    assert all(0 <= azimuth < 360 for azimuth in azimuths)
    assert max(abs(elevation - 11.0) for elevation in elevations) <= 17.0 + 1e-9


@pytest.mark.parametrize("name", ORBITS)
def test_elevations_stay_on_the_sphere(name):
    elevations, _ = create_orbit(name, 21, 80.0, 60.0, 1)
    assert max(elevations) <= 90


@pytest.mark.parametrize("name", ORBITS)
def test_without_swing_the_elevation_is_the_images(name):
    assert create_orbit(name, 7, -13.0, 0.0, 2)[0] == pytest.approx([-13.0] * 7)


def test_static_orbit_is_the_published_one():
    elevations, azimuths = create_orbit("static", 21, 10.0)
    assert elevations == [10.0] * 21
    assert azimuths == pytest.approx([*(360 * i / 21 for i in range(1, 21)), 0])


def test_dynamic_orbits_follow_their_seed_and_move_unevenly():
    first, again, other = (create_orbit("dynamic", 21, 10.0, 20.0, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    path = turn(first[1])
    steps = [b - a for a, b in zip(path, path[1:], strict=False)]
    assert max(steps) - min(steps) > 3
    assert max(first[0]) - min(first[0]) > 3


def test_sine_orbit_rises_first_and_falls_then():
    elevations, _ = create_orbit("sine", 4, 10.0, 20.0)
    assert elevations == pytest.approx([30, 10, -10, 10])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("spiral", 21, 0.0), "orbit='spiral' must be one of static"),
        (("static", 0, 0.0), "num_frames=0 must be at least 1"),
        (("static", 21, 91.0), "elevation=91.0 must be -90 to 90"),
        (("sine", 21, 0.0, -1.0), "elevation_swing=-1.0 0 to 90"),
    ],
)
def test_bad_orbits_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        create_orbit(*arguments)
