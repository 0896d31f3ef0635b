"""Cuts, the shots between them, and pictures that are shifted against each other."""

import numpy as np
import pytest
from PIL import Image
from zoetrope.curation.cuts.alignment import Aligner, Spectrum, overlap
from zoetrope.curation.cuts.content import Content
from zoetrope.curation.cuts.correlation import BLOCK, colour_histogram, find_cuts
from zoetrope.curation.cuts.cut import BLEND, FLAT, Cut, hard_cut, merged, shots_between

HEIGHT, WIDTH = 36, 64


def world(seed, size=(HEIGHT + 200, WIDTH + 400)):
    """A smooth random picture (H, W, 3), uint8, larger than a frame: a camera can move over it."""
    values = np.random.default_rng(seed).normal(size=(*size, 3))
    for axis in (0, 1):
        spectrum = np.fft.rfft(values, axis=axis)
        spectrum[tuple(slice(size[axis] // 12, None) if axis == a else slice(None) for a in range(3))] = 0
        values = np.fft.irfft(spectrum, size[axis], axis=axis)
    values = values / values.std() * 40 + np.array([90, 128, 160])[np.random.default_rng(seed).permutation(3)]
    return values.clip(0, 255).astype(np.uint8)


def shot(seed, frames, speed=0, begin=0):
    """Frames of a camera that moves over a world, `speed` pixels a frame."""
    picture = world(seed)
    places = [begin + round(speed * number) for number in range(frames)]
    return [picture[:HEIGHT, place : place + WIDTH] for place in places]


def blend(one, other):
    """A dissolve of two lists of frames of one length."""
    weights = np.linspace(0, 1, len(one) + 2)[1:-1]
    return [(a * (1 - w) + b * w).astype(np.uint8) for a, b, w in zip(one, other, weights, strict=True)]


def cuts(frames, fps=24.0):
    return find_cuts(iter(frames), fps)


def test_shots_lie_between_cuts():
    found = [Cut(20, 29, BLEND), hard_cut(10)]
    assert shots_between(found, 40) == [(0, 9), (10, 19), (30, 39)]
    assert shots_between(found, 40, margin=2) == [(0, 9), (10, 17), (32, 39)]
    assert shots_between([Cut(0, 39, FLAT)], 40) == []
    assert shots_between([], 1) == [(0, 0)]


def test_cuts_that_touch_are_one():
    assert merged([hard_cut(5), Cut(3, 8, BLEND)]) == [Cut(3, 8, BLEND)]
    assert merged([Cut(3, 8, BLEND), Cut(6, 12, BLEND)]) == [Cut(3, 12, BLEND)]
    assert merged([hard_cut(9), hard_cut(5)]) == [hard_cut(5), hard_cut(9)]
    assert merged([hard_cut(9), hard_cut(9)]) == [hard_cut(9)]


@pytest.mark.parametrize("shift", [(0, 0), (3, -11), (-5, 20)])
def test_the_shift_of_two_pictures_is_found(shift):
    grey = world(1).mean(-1) / 255
    down, right = shift
    one, other = grey[50:86, 100:164], grey[50 + down : 86 + down, 100 + right : 164 + right]
    found = Aligner(HEIGHT, WIDTH).align(Spectrum(one), Spectrum(other))
    assert found.correlation > 0.999 and found.shift == shift
    same, moved = overlap(one, other, found.shift)
    assert np.array_equal(same, moved)


def test_unlike_and_flat_pictures_do_not_correlate():
    one, other = (Spectrum(world(seed)[:HEIGHT, :WIDTH].mean(-1) / 255) for seed in (1, 2))
    aligner = Aligner(HEIGHT, WIDTH)
    assert aligner.align(one, other).correlation < 0.7
    assert abs(aligner.align(one, Spectrum(np.full((HEIGHT, WIDTH), 0.5))).correlation) < 0.01


def test_a_cut_is_found_between_moving_shots_and_none_in_a_pan():
    assert cuts(shot(1, 30, 2) + shot(2, 30, 4)) == [hard_cut(30)]
    assert cuts(shot(1, 30, 12)) == []


def test_a_large_thing_that_jumps_about_is_no_cut():
    """A dancer before a still wall: half of the picture is another one from frame to frame."""
    wall, thing = world(1)[:HEIGHT, :WIDTH], world(2)
    frames = []
    for number in range(30):
        frame, place = wall.copy(), (0, 24, 10, 30, 16)[number % 5]
        frame[6:, place : place + 30] = thing[number * 5 : number * 5 + 30, 60:90] // 2 + 60
        frames.append(frame)
    assert cuts(frames) == []


def test_a_flash_and_a_blink_are_no_cuts():
    frames = shot(1, 40, 1)
    flash, blink = list(frames), list(frames)
    flash[20:22] = [np.full_like(frames[0], 255) - frame // 20 for frame in frames[20:22]]
    blink[20:22] = [np.zeros_like(frames[0])] * 2
    assert cuts(flash) == [] and cuts(blink) == []


@pytest.mark.parametrize("length", [12, 24, 48])
def test_a_dissolve_is_found_with_all_its_frames(length):
    one, other = shot(3, 40 + length), shot(4, 40 + length)
    found = cuts(one[:40] + blend(one[40:], other[:length]) + other[length:])
    assert len(found) == 1 and found[0].kind == BLEND
    assert abs(found[0].first - 40) <= 4 and abs(found[0].last - (39 + length)) <= 4


def smooth(seed):
    """A picture of few large patches: at some shift it is like any other one."""
    small = world(seed)[:120:10, :200:10]
    return np.asarray(Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("length", [8, 12, 36, 96])
def test_a_dissolve_between_smooth_scenes_is_found(length):
    noise = np.random.default_rng(length)
    frames = [smooth(3)] * 40 + blend([smooth(3)] * length, [smooth(9)] * length) + [smooth(9)] * 40
    frames = [(frame + noise.normal(0, 2, frame.shape)).clip(0, 255).astype(np.uint8) for frame in frames]
    found = cuts(frames)
    assert len(found) == 1 and found[0].kind == BLEND
    assert abs(found[0].first - 40) <= 4 and abs(found[0].last - (39 + length)) <= 4


def lamp(number):
    return (smooth(3) * (0.3 + 0.7 / (1 + np.exp(-(number - 60) / 8)))).astype(np.uint8)


def sunset(number):
    return (smooth(3) * (1 - np.clip((number - 30) / 60, 0, 1) * np.array([0.1, 0.5, 0.7]))).astype(np.uint8)


def panorama(number):
    """A world whose colours change along the way of the camera."""
    share = np.linspace(0, 1, 464)[None, :, None]
    wide = world(1) * (1 - share) * [1, 0.5, 0.3] + world(2) * share * [0.4, 0.7, 1]
    return wide[:HEIGHT, 3 * number :][:, :WIDTH].astype(np.uint8)


def turning(number):
    whole = Image.fromarray(world(5)[:160, :160]).rotate(number * 1.2, Image.Resampling.BILINEAR)
    return np.asarray(whole.crop((48, 62, 48 + WIDTH, 62 + HEIGHT)))


@pytest.mark.parametrize("scene", [lamp, sunset, panorama, turning])
def test_what_changes_slowly_is_no_dissolve(scene):
    assert cuts([scene(number) for number in range(120)]) == []


def test_black_at_the_ends_belongs_to_no_shot():
    black = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 12
    found = cuts(black + shot(1, 30) + black)
    assert [(cut.kind, cut.first, cut.last) for cut in found] == [(FLAT, 0, 11), (FLAT, 42, 53)]
    assert shots_between(found, 54) == [(12, 41)]


def test_cuts_do_not_depend_on_where_blocks_end():
    """A cut in each half second over more frames than a block holds: every one is found, once."""
    length, number = 12, (BLOCK + 500) // 12
    frames = [frame for seed in range(number) for frame in shot(seed % 7, length, begin=seed % 5 * 60)]
    assert [cut.first for cut in cuts(frames)] == [length * place for place in range(1, number)]


def test_a_video_of_one_frame_and_of_none():
    assert cuts(shot(1, 1)) == [] and cuts([]) == []


def test_the_histogram_shares_each_value_between_two_bins():
    found = colour_histogram(np.full((2, 2, 3), 255 / 14, np.float32).astype(np.uint8))
    assert found.sum() == pytest.approx(1) and np.count_nonzero(found) == 8


def test_content_sees_what_its_threshold_says():
    frames = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 20
    frames += [np.full((HEIGHT, WIDTH, 3), 200, np.uint8)] * 20
    assert Content(27).find(iter(frames), 24) == [hard_cut(20)]
    assert Content(80).find(iter(frames), 24) == []
    assert Content(27, [0.0, 8.0, 2.0]).find(iter(frames), 24)[0] == hard_cut(20)
