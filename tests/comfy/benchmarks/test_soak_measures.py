"""The soak's measures see a leak of each kind, and none where there is none."""

import subprocess
import sys

import pytest
import torch
from zoetrope.benchmarks.soak_measures import differing_bits, files_left, holding, median_step, settled, slope
from zoetrope.tests.comfy.golden_unet import golden_model, sample

TIMES = 8
# Keeps one more of what a line asks for.
LEAKING = """
import sys, threading
kept = []
for line in sys.stdin:
    if line == "memory\\n":
        kept.append(b"x" * 2**22)
    if line == "descriptor\\n":
        kept.append(open(sys.executable))
    if line == "thread\\n":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    print("done", flush=True)
"""


@pytest.fixture
def process():
    with subprocess.Popen(
        [sys.executable, "-c", LEAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("kind", ["nothing", "memory", "descriptor", "thread"])
def test_a_process_that_keeps_things_is_seen(process, kind):
    def ask():
        process.stdin.write(f"{kind}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        return holding(process.pid)

    seen = [ask() for _ in range(TIMES + 1)]
    first, last = seen[0], seen[-1]
    assert last.descriptors - first.descriptors == (TIMES if kind == "descriptor" else 0)
    assert last.threads - first.threads == (TIMES if kind == "thread" else 0)
    for measure in (slope, median_step):
        growth = measure(enumerate(one.mib for one in seen))
        assert growth == pytest.approx(4, abs=0.4) if kind == "memory" else growth < 0.3


def test_a_thread_that_ends_in_time_is_not_left(process):
    once, more = holding(process.pid), iter([3, 2, 1, 0])
    seen = []

    def look():
        seen.append(next(more))
        return type(once)(once.mib, once.descriptors, once.threads + seen[-1])

    assert settled(look, once) == once and seen == [3, 2, 1, 0]
    assert settled(lambda: type(once)(0, 9, 9), type(once)(0, 9, 8), patience=0).threads == 9


def test_a_slope_is_that_of_least_squares():
    assert slope((x, 0.25 * x + 700) for x in (0, 4, 8, 12)) == pytest.approx(0.25)
    assert slope([(0, 1), (1, 3), (2, 2)]) == pytest.approx(0.5)  # by hand: (-1 * -1 + 1 * 0) / 2
    with pytest.raises(ValueError, match="two places"):
        slope([(4, 700), (4, 800)])


def test_a_step_is_the_median_of_all():
    assert median_step([(0, 1), (2, 2), (4, 40), (6, 41), (8, 42)]) == pytest.approx(
        0.5
    )  # the jump of 19 a prompt does not count
    with pytest.raises(ValueError, match="two points"):
        median_step([(4, 700)])


def test_bits_are_counted():
    one = torch.tensor([1.0, -0.0, torch.nan])
    assert differing_bits(one, one.clone()) == 0
    assert differing_bits(one, torch.tensor([1.0, 0.0, torch.nan])) == 1  # the sign
    assert (
        differing_bits(torch.tensor([1.0, 2.0]), torch.tensor([1.5, 2.0])) == 1
    )  # the highest bit of the fraction
    assert differing_bits(torch.tensor([0], dtype=torch.int16), torch.tensor([-1], dtype=torch.int16)) == 16
    assert differing_bits(one, one[:2]) == 96


def test_a_weight_that_was_changed_in_place_is_seen():
    model = golden_model()
    before = sample(model)
    assert differing_bits(before, sample(model)) == 0
    model.model.diffusion_model.out[2].bias.data += 1e-4
    assert differing_bits(before, sample(model)) > 0


def test_files_that_nobody_names_are_left(tmp_path):
    for name in ("out/a_00001_.mkv", "out/a_00001_.png", "out/deep/b_00001_.mp4.part", "tmp/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert files_left({"a_00001_"}, tmp_path / "out", tmp_path / "tmp") == ["b_00001_.mp4.part", "c.wav"]
