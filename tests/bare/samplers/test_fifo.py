"""FIFO diffusion: the numbers of an independent run of the algorithm (tests/data/goldens/long_video), in
float64, and its tables.
"""

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.samplers.fifo import (
    FifoSettings,
    Queue,
    ancestral_step,
    first_frames,
    iterations_of,
    places_of_frames,
)

from ...gold_weights import gold_input
from ...places import GOLDENS

F, S = 8, 16
KINDS = pytest.mark.parametrize("lookahead", [False, True], ids=["plain", "lookahead"])


def golden(name):
    return load_file(GOLDENS / "long_video" / "long_video.safetensors")[f"fifo_{name}"]


def alphas():
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0)


def sigma_of(alpha):
    return ((1 - alpha) / alpha).sqrt()


def toy_network(x, t):
    """The clean frames of a window x (F, C, H, W), all in the units of sigma, at timesteps t (F,)."""
    a = alphas()[t].view(-1, 1, 1, 1)
    noisy = x * a.sqrt()  # as the network of the golden sees it
    before = torch.cat((noisy[:1], noisy[:-1]))
    mixed = noisy.mean(0, keepdim=True) + 0.5 * before
    eps = (1 - a).sqrt() / (0.64 * a + 1 - a) * noisy + 0.05 * mixed
    return x - sigma_of(a) * eps


def gold(name, shape):
    return gold_input(f"fifo.{name}", shape).double()


@KINDS
def test_outputs_and_queue_are_those_of_an_independent_run(lookahead):
    kind = "lookahead" if lookahead else "plain"
    settings = FifoSettings(F, lookahead)
    t = golden("timesteps")
    levels = torch.cat((alphas()[:1], alphas()[t]))  # from clean to noisy, one for each place and the end
    rising = sigma_of(levels)
    clip, noise = 0.8 * gold("clip", (F, 4, 3, 3)), gold("init_noise", (S, 4, 3, 3))
    assert first_frames(settings, S) == golden("init_source_frame").tolist()
    begun = clip[first_frames(settings, S)] + rising[1:].view(-1, 1, 1, 1) * noise
    queue = Queue(settings, rising.flip(0), _padding(settings, clip, rising), begun)
    times = torch.cat((t[:1].expand(settings.padding), t))
    tail, outputs = gold("tail_noise", (10, 4, 3, 3)), []
    for iteration in range(10):
        denoised = queue.x.clone()
        for window in settings.windows(S):
            written = window[-settings.stride :]
            whole = toy_network(queue.x[window], times[window])
            denoised[written] = whole[-settings.stride :]
        joining = tail[iteration : iteration + 1] / alphas()[t[-1]].sqrt()
        outputs.append(queue.step(denoised, joining, None))
    units = alphas()[0].sqrt()
    torch.testing.assert_close(
        (torch.cat(outputs) * units).float(), golden(f"{kind}_out"), atol=1e-5, rtol=1e-5
    )
    scale = 1 / (1 + queue.levels**2).sqrt()
    scale[: settings.padding] = units
    queued = queue.x * scale.view(-1, 1, 1, 1)
    torch.testing.assert_close(queued.float(), golden(f"{kind}_queue"), atol=1e-5, rtol=1e-5)


def _padding(settings, clip, rising):
    """Copies of the clip's first frame at the lowest level, in the units of the end."""
    a = alphas()[golden("timesteps")[0]]
    noise = gold("head_noise", (settings.padding, 4, 3, 3)) if settings.padding else clip[:0]
    return (
        (clip[:1] * a.sqrt() + (1 - a).sqrt() * noise) / alphas()[0].sqrt() if settings.padding else clip[:0]
    )


@KINDS
def test_windows_are_those_of_the_independent_run(lookahead):
    settings = FifoSettings(F, lookahead)
    kind = "lookahead" if lookahead else "plain"
    rows = [[w.start, w.stop, w.stop - settings.stride, w.stop] for w in settings.windows(S)]
    assert rows == golden(f"{kind}_windows").tolist()


def test_places_of_a_short_video_by_hand():
    """Windows of 4, a queue of 6: padding of 2 in front. The first frame leaves at the third iteration."""
    settings = FifoSettings(4)
    assert [places_of_frames(settings, 6, iteration, 3) for iteration in (0, 2, 4)] == [
        [0, 0, 0, 0, 0, 1, 2, 2],
        [0, 0, 0, 1, 2, 2, 2, 2],
        [0, 1, 2, 2, 2, 2, 2, 2],
    ]
    assert iterations_of(settings, 6, 3) == 5
    assert places_of_frames(FifoSettings(4, lookahead=False), 8, 4, 3) == [0, 1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_is_ddims_equation(eta):
    """Song et al. 2020, equations 12 and 16, in x of unit variance."""
    x, clean, noise = (gold_input(name, (3, 4, 2, 5)).double() for name in ("x", "clean", "noise"))
    a, lower = (torch.tensor(values, dtype=torch.float64) for values in ([0.1, 0.5, 0.9], [0.3, 0.6, 1.0]))
    got = ancestral_step(x, clean, sigma_of(a), sigma_of(lower), eta, noise)
    a, lower = a.view(-1, 1, 1, 1), lower.view(-1, 1, 1, 1)
    eps = (a.sqrt() * x - a.sqrt() * clean) / (1 - a).sqrt()
    spread = eta * ((1 - lower) / (1 - a)).sqrt() * (1 - a / lower).sqrt()
    expected = lower.sqrt() * clean + (1 - lower - spread**2).sqrt() * eps + spread * noise
    torch.testing.assert_close(got * lower.sqrt(), expected)


def test_steps_that_windows_cannot_cover_are_refused():
    FifoSettings(4).check_steps(6)
    for settings, steps, message in (
        (FifoSettings(4), 7, "7 steps, which must be a multiple of 2 and at least 4; set steps to 6"),
        (FifoSettings(4), 2, "set steps to 4"),
        (FifoSettings(4, lookahead=False), 6, "a multiple of 4 and at least 4; set steps to 4"),
    ):
        with pytest.raises(ValueError, match=message):
            settings.check_steps(steps)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"context_length": 0}, "context_length=0 must be at least 1"),
        ({"context_length": 7}, "context_length=7 must be even with lookahead"),
        ({"eta": 1.5}, "eta=1.5 must be 0..1"),
        ({"eta": float("nan")}, "eta=nan must be 0..1"),
        ({"frames_per_video": -1}, "frames_per_video=-1 must be at least 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FifoSettings(**settings)
