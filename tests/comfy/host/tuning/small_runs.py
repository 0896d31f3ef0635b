"""Training runs of a few steps on a tiny network, for tests."""

from .....host.tuning import run as runs
from .....host.tuning.clips import add_clip
from .....tuning.recipe import Recipe
from ....gold_weights import gold_input

FRAMES = 6  # even: a dual-stream clip is content and motion of 3 frames


def text(number=0):
    return [[gold_input(f"text {number}", (1, 7, 48)), {}]]


def clips(count=2, frames=FRAMES):
    found = None
    for number in range(count):
        found = add_clip(
            found, {"samples": gold_input(f"clip {number}", (frames, 4, 16, 8), 5)}, text(number)
        )
    return found


def a_run(tmp_path=None, checkpointing=False, data=None, **recipe):
    settings = {"steps": 3, "learning_rate": 1e-2, "weight_decay": 0.0, **recipe}
    return runs.TrainingRun(data or clips(), text(99), Recipe(**settings), tmp_path, checkpointing)
