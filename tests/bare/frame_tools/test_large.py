"""What would fill the memory or take minutes is refused or cut before any work:
sizes counted by hand, steps counted by the test.

The large frames are views of one number, which take no memory;
what the tools would make of them does not fit into any machine.
"""

import pytest
import torch
from PIL import ImageFont
from zoetrope.frame_tools import batches, flicker, grids, labels, optical_flow, plots, selection

SIDE = 16384
IMAGES = torch.zeros(1, 1, 1, 1).expand(7, SIDE, SIDE, 3)  # 3 GiB a frame
MASKS = torch.zeros(1, 1, 1).expand(7, SIDE, SIDE)  # 1 GiB a frame
LATENTS = {"samples": torch.zeros(1, 1, 1, 1).expand(7, 4, SIDE, SIDE)}  # 4 GiB a frame
VIDEO = {"samples": torch.zeros(1, 1, 1, 1, 1).expand(1, 4, 7, SIDE, SIDE)}


def tall(frames, count):
    return torch.zeros(1, 1, 1, 1).expand(count, *frames.shape[1:])


@pytest.mark.parametrize(
    "make, told",
    [
        (
            lambda: batches.repeat_frames(IMAGES, 10000, False),
            "70000 frames of 3072.00 MiB need 210000.00 GiB of memory",
        ),
        (lambda: batches.repeat_frames(MASKS, 10000, True), "70000 frames of 1024.00 MiB need 70000.00 GiB"),
        (
            lambda: batches.repeat_frames(MASKS[0], 10000, True),
            "10000 frames of 1024.00 MiB need 10000.00 GiB",
        ),
        (
            lambda: batches.repeat_frames(LATENTS, 10000, False),
            "70000 frames of 4096.00 MiB need 280000.00 GiB",
        ),
        (
            lambda: batches.repeat_frames(VIDEO, 10000, False),
            "70000 frames of 4096.00 MiB need 280000.00 GiB",
        ),
        (
            lambda: batches.join_frames(tall(IMAGES, 20000), IMAGES, 7),
            "20000 frames of 3072.00 MiB need 60000.00 GiB",
        ),
        (
            lambda: batches.interleave_frames(tall(IMAGES, 1000), tall(IMAGES, 1000)),
            "2000 frames of 3072.00 MiB need 12000.00 GiB",
        ),
        (
            lambda: batches.take_frames(tall(IMAGES, 5000), selection.ping_pong(5000, False)),
            "9998 frames of 3072.00 MiB need 29994.00 GiB",
        ),
        (
            lambda: batches.take_frames(tall(IMAGES, 5000), list(range(5000))[::-1]),
            "5000 frames of 3072.00 MiB need 15000.00 GiB",
        ),
        (
            lambda: grids.compare_clips([tall(IMAGES, 5000)] * 2, []),
            r"5000 frames of 32768x\d+|pixels, at most 32768",
        ),
        (
            lambda: grids.compare_clips([tall(IMAGES[:, :, :99], 90000)], []),
            "90000 frames of 100x16384 need 1647.95 GiB",
        ),
        (
            lambda: optical_flow.flow_frames(tall(IMAGES, 5000)),
            "4999 steps of 16384x16384 and their pictures need 24995.00 GiB",
        ),
        (
            lambda: flicker.even_colours(tall(IMAGES, 5000), flicker.FlickerSettings()),
            "5000 frames .* need 15000.37 GiB",
        ),
        (
            lambda: flicker.even_colours(
                torch.zeros(1, 1, 1, 1).expand(900000, 1, 1, 3), flicker.FlickerSettings()
            ),
            "900000 frames .* need 12069.9",
        ),
        (lambda: selection.select_frames(",".join([":"] * 90000), 900000), "1800000 frames; at most 1000000"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_made(make, told):
    with pytest.raises(ValueError, match=told) as error:
        make()
    assert str(error.value).endswith(".") and ";" in str(error.value)


def test_a_range_needs_no_memory():
    assert batches.take_frames(IMAGES, [0, 2, 4])[0].shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("shape", [(0, 4, 5, 3), (2, 0, 5, 3), (2, 4, 0, 3)])
@pytest.mark.parametrize(
    "make",
    [
        lambda frames: grids.contact_sheet(frames),
        lambda frames: grids.contact_sheet(frames[..., 0]),
        lambda frames: grids.compare_clips([torch.zeros(1, 4, 5, 3), frames], []),
        lambda frames: grids.compare_clips([frames], ["x"]),
        lambda frames: flicker.even_colours(frames, flicker.FlickerSettings()),
        lambda frames: flicker.even_colours(frames, flicker.FlickerSettings("reference frame")),
        lambda frames: optical_flow.flow_frames(frames),
        lambda frames: plots.frame_differences(frames),
    ],
)
def test_frames_without_pixels_are_refused_by_every_tool(make, shape):
    with pytest.raises(ValueError, match="has no frames|without pixels|at least 2 frames"):
        make(torch.zeros(shape))


LABELS = {
    "one letter": "a" * 5000,
    "words": "a label " * 700,
    "one long word": "Rindfleischetikettierung" * 210,
    "signs of China": "".join(map(chr, range(0x4E00, 0x4E00 + 5000))),
    "emoji": "\U0001f3ac" * 5000,
    "lines": "a\n" * 2500,
    "right to left": "\u202e" + "שלום " * 1000,
    "nothing to see": "\u200b" * 5000,
    "accents": "e" + "\u0301" * 5000,
    "half emoji": "\ud83d" * 5000,
    "zeros": "\0" * 5000,
    "a novel": "x" * 10**6,
}


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("width", [1, 37, 512])
def test_a_label_of_any_length_is_cut_in_a_few_steps(case, width, monkeypatch):
    steps, measured = [], labels.text_width

    def counted(text, size):
        steps.append(len(text))
        return measured(text, size)

    monkeypatch.setattr(labels, "text_width", counted)
    text = labels.shortened(LABELS[case], 17, width)
    assert len(steps) <= 20 and sum(steps) <= 20 * 12 * (width + 2)
    assert text.endswith("…") and (measured(text, 17) <= width or text == "…")
    assert text.encode("utf8") and "\n" not in text and "\0" not in text
    bar = labels.label_bar(LABELS[case], width, 24)
    assert bar.shape == (24, width, 3)


@pytest.mark.parametrize("width", [20, 53, 97, 211])
def test_as_much_of_a_label_is_kept_as_fits(width):
    text, font = "A label that is far, far too long for this picture", ImageFont.load_default(17)
    fitting = max(n for n in range(len(text)) if round(font.getlength(text[:n] + "…")) <= width)
    assert labels.shortened(text, 17, width) == text[:fitting] + "…"


def test_a_sheet_of_clips_with_long_labels():
    clips = [torch.zeros(3, 11, 61, 3)] * 16
    out = grids.compare_clips(clips, ["\ud800 \n" + "w" * 5000] * 16)
    assert out.shape[0] == 3 and out.max() > 0.5


@pytest.mark.parametrize("expression", ["9" * 5000, "0:" + "9" * 5000, "x" * 5000, "1\ud800", "0\n:x"])
def test_an_expression_of_any_kind_is_answered_in_a_short_line(expression):
    with pytest.raises(ValueError, match="neither a frame number nor a range") as error:
        selection.select_frames(expression, 7)
    assert len(str(error.value)) < 700 and str(error.value).isprintable()
