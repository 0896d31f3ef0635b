"""Values over frames, place and time: sizes, windows of layers, keys of the schedule, blocks."""

import pytest
import torch
import torch.nn.functional as nnf
from zoetrope.frame_values import (
    FrameValues,
    Placed,
    ScaledKeys,
    frame_values,
    of_stream,
    parse_blocks,
    scaled_as,
    unscaled,
)

N, H, W, C = 3, 5, 7, 2


def ramp(*shape):
    return torch.arange(float(torch.Size(shape).numel())).view(shape)


def test_a_number_a_list_and_a_mask_are_one_thing():
    assert frame_values([0.5]).keys[0].values.tolist() == [[[0.5]]]
    assert frame_values([1.0, 2.0]).keys[0].values.flatten().tolist() == [1.0, 2.0]
    mask = torch.tensor([[[0.0, 0.5]]])
    assert frame_values([3.0], mask).keys[0].values.tolist() == [[[0.0, 1.5]]]
    assert frame_values([3.0], mask, outside=1.0).keys[0].values.tolist() == [[[1.0, 2.0]]]


def test_the_shorter_of_list_and_mask_keeps_its_last():
    mask = torch.tensor([0.0, 1.0]).view(2, 1, 1)
    assert frame_values([2.0, 4.0, 8.0], mask).keys[0].values.flatten().tolist() == [0.0, 4.0, 8.0]
    assert frame_values([2.0], mask).keys[0].values.flatten().tolist() == [0.0, 2.0]


def test_a_stretched_mask_goes_from_0_to_1_over_all_frames():
    """AnimateDiff-Evolved: (mask - least) / (largest - least) * (value - outside) + outside, by hand."""
    mask = torch.tensor([0.25, 0.5, 0.75]).view(3, 1, 1)
    values = frame_values([3.0], mask, outside=1.0, stretch_mask=True)
    assert values.keys[0].values.flatten().tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="stretch_mask needs a mask of different values, this one is 0.5"):
        frame_values([3.0], torch.full((2, 1, 1), 0.5), stretch_mask=True)


@pytest.mark.parametrize("numbers", [[], [torch.nan], [torch.inf]])
def test_no_numbers_and_numbers_without_end_are_refused(numbers):
    with pytest.raises(ValueError, match="at least one number|must be finite"):
        frame_values(numbers)


def test_the_last_key_that_is_reached_holds():
    values = frame_values([2.0], start_percent=0.5, before=frame_values([1.0]))
    for now, value in ((0.0, 1.0), (0.4, 1.0), (0.5, 2.0), (1.0, 2.0)):
        assert values.at(now.__ge__).item() == value
    late = frame_values([7.0], start_percent=0.5)
    assert late.at(lambda start: start <= 0.1).item() == 7.0  # a single key holds from the beginning
    again = frame_values([3.0], start_percent=0.5, before=values)
    assert [key.values.item() for key in again.keys] == [1.0, 3.0]


def test_a_length_that_is_not_the_video_s_is_refused():
    values = frame_values([1.0, 2.0, 3.0])
    values.check_length(3, "strength")
    with pytest.raises(ValueError, match="strength has values for 3 frames, the video has 5; give one"):
        values.check_length(5, "strength")


def test_the_narrowest_block_counts():
    factors = parse_blocks("down: 0.5, UP 3.1 : 1.5\nup 3: 0")
    assert factors == {"down": 0.5, "up 3.1": 1.5, "up 3": 0.0}
    values = FrameValues(frame_values([2.0]).keys, factors)
    assert values.factor_at(("up", "up 3", "up 3.1")) == 1.5
    assert values.factor_at(("up", "up 3", "up 3.0")) == 0.0
    assert values.factor_at(("mid",)) == 1.0
    assert values.least == 0.0


@pytest.mark.parametrize(
    "text", ["down", "side: 1", "mid 0: 1", "up 3.x: 1", "down: much", "up 1 2: 3", ": 2"]
)
def test_a_part_that_names_no_block_or_factor_is_named(text):
    with pytest.raises(ValueError, match="must be a block and a factor"):
        parse_blocks(text)


def test_numbers_stand_beside_images_tokens_and_tiles():
    placed = Placed(torch.tensor([1.0, 2.0, 3.0]).view(N, 1, 1), (H, W))
    assert placed.beside(torch.ones(N, C, H, W)).shape == (N, 1, 1, 1)
    tiles = placed.beside(torch.ones(2 * N, 4, C))
    assert tiles.flatten().tolist() == [1, 1, 2, 2, 3, 3]


def test_a_mask_is_resized_as_core_resizes_one_for_a_layer():
    values = ramp(N, 10, 14)
    placed = Placed(values, (H, W))
    wanted = nnf.interpolate(values[:, None], size=(3, 4), mode="bilinear")
    assert torch.equal(placed.beside(torch.ones(N, C, 3, 4)), wanted)
    tokens = placed.beside(torch.ones(N, 12, C))  # 5 x 7 is halved to 3 x 4
    assert torch.equal(tokens, wanted.flatten(2).transpose(1, 2))
    assert placed.beside(torch.ones(N, C)).flatten().tolist() == values.mean((1, 2)).tolist()
    with pytest.raises(ValueError, match="cannot be placed on 13 tokens"):
        placed.beside(torch.ones(N, 13, C))


def test_sequences_over_frames_get_the_value_of_their_place():
    """2 videos of 3 frames: row b*T + t of a layer is place t of video b."""
    values = ramp(6, H, W)
    keys = Placed(values, (H, W)).beside_sequences(torch.ones(2 * H * W, 3, C))
    assert keys.shape == (2 * H * W, 3, 1)
    for video, place, frame in ((0, 0, 0), (1, 8, 2), (0, H * W - 1, 1)):
        assert keys[video * H * W + place, frame] == values[video * 3 + frame].flatten()[place]
    numbers = Placed(ramp(6, 1, 1), (H, W)).beside_sequences(torch.ones(2 * 11, 3, C))
    assert numbers[:, :, 0].tolist() == [[0, 1, 2]] * 11 + [[3, 4, 5]] * 11


def test_scaled_keys_multiply_the_keys_of_any_attention():
    def attention(q, k, v, heads, mask=None):
        return q @ k.transpose(1, 2) @ v + heads + (0 if mask is None else mask)

    def own(q, k, v, heads):
        return q + k + v

    q, k, v = torch.randn(3, 4, 5, C).unbind()
    assert torch.equal(ScaledKeys(attention, 2.0)(q, k, v, 1, mask=3), attention(q, 2 * k, v, 1, mask=3))
    null = torch.randn(4, 1, C)
    keys = ScaledKeys(lambda q, k, v, heads: k, 2.0)(q, torch.cat((null, k), 1), v, 1)
    assert torch.equal(keys, torch.cat((null, 2 * k), 1))
    twice = ScaledKeys(ScaledKeys(attention, 2.0), 3.0)
    torch.testing.assert_close(scaled_as(twice, own)(q, k, v, 1), q + 6 * k + v)
    assert scaled_as(attention, own) is own


def test_one_stream_of_each_video_has_its_own_values():
    """2 videos of 3 frames, each with content and then motion in the batch."""
    placed = Placed(ramp(12, 1, 1), (H, W))
    assert placed.of_stream(1, 2, 3).values.flatten().tolist() == [3, 4, 5, 9, 10, 11]

    def attention(q, k, v, heads):
        return k

    scaled = ScaledKeys(ScaledKeys(attention, placed), 2.0)
    k = torch.ones(2 * 5, 3, C)
    want = torch.tensor([[6.0, 8.0, 10.0]] * 5 + [[18.0, 20.0, 22.0]] * 5)
    assert torch.equal(of_stream(scaled, 1, 2, 3)(k, k, k, 1)[..., 0], want)
    assert unscaled(scaled) is attention and of_stream(attention, 0, 2, 3) is attention
