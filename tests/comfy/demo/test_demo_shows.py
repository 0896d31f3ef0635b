"""What the shipped weights show, a safe step below what was measured (demo/README.md): fixed seeds, few samples."""
import pytest
from zoetrope.demo import judge, play

SCENES = [
    ("red", "ball", "blue"), ("yellow", "square", "black"), ("blue", "triangle", "white"), ("green", "ring", "gray"),
    ("white", "ring", "black"), ("orange", "triangle", "green"), ("purple", "square", "gray"), ("white", "ball", "green"),
]  # fmt: skip
VIDEO = "a red ball on a blue background, drifting right"


@pytest.fixture(scope="module")
def family():
    return play.load_family()


@pytest.fixture(scope="module")
def pictures(family):
    texts = [f"a {colour} {shape} on a {background} background" for colour, shape, background in SCENES]
    return judge.read_frames(play.pictures(family, texts, seed=5, steps=12))


@pytest.mark.parametrize(("kind", "index", "least"), [("colour", 0, 7), ("shape", 1, 5), ("background", 2, 7)])
def test_the_prompt_decides_what_is_seen(pictures, kind, index, least):
    assert sum(getattr(r, kind) == scene[index] for r, scene in zip(pictures, SCENES, strict=True)) >= least


def test_frames_move_together_with_the_module_and_not_without(family):
    """On the same noise schedule, from the same noise."""
    measured = {}
    for name, model in (("with", play.moving(family)), ("without", play.not_moving(family))):
        frames = play.clip_of(family, model, VIDEO, seed=0, steps=10)
        readings = judge.read_frames(frames)
        measured[name] = judge.read_motion(frames, readings)
        assert sum(r.colour == "red" for r in readings) >= 14
        assert sum(r.background == "blue" for r in readings) >= 14
    assert measured["with"].jerk < 0.5 * measured["without"].jerk
    assert measured["with"].step < 0.6 * measured["without"].step
    assert measured["with"].change < measured["without"].change
