"""Noise that moves with a video: exact for whole places, and as random as before in every frame."""

import pytest
import torch
from zoetrope.frame_tools.optical_flow import flow_frames
from zoetrope.samplers.text2video_zero.motion_fields import CameraField, FlowField, field_of_flows
from zoetrope.samplers.warped_noise import WarpedNoise, origins

F, C, H, W = 5, 3, 7, 11
CANVAS = 512


class Drawn:
    """As RandomNoise draws."""

    seed = 5

    def generate_noise(self, latent):
        return torch.randn(latent["samples"].shape, generator=torch.Generator().manual_seed(self.seed))


def places(x, y, height=H, width=W):
    """A camera that moves by whole places a frame."""
    return CameraField(x * CANVAS / width, y * CANVAS / height)


def noise(field, shape=(F, C, H, W), frames_per_video=0, **latent):
    latent = {"samples": torch.zeros(shape), **latent}
    return WarpedNoise(Drawn(), field, frames_per_video).generate_noise(latent)


def own(shape=(F, C, H, W)):
    return Drawn().generate_noise({"samples": torch.zeros(shape)})


@pytest.mark.parametrize("x, y", [(1, 0), (-2, 1), (0, 3)])
def test_whole_places_are_exact_and_what_comes_into_sight_is_new_and_stays(x, y):
    moved, drawn = noise(places(x, y)), own()
    assert torch.equal(moved[0], drawn[0])
    for frame in range(1, F):
        for row in range(H):
            for column in range(W):
                before = row + y, column + x
                inside = 0 <= before[0] < H and 0 <= before[1] < W
                expected = (
                    moved[frame - 1, :, before[0], before[1]] if inside else drawn[frame, :, row, column]
                )
                assert torch.equal(moved[frame, :, row, column], expected)


def test_what_comes_back_has_its_noise_again():
    """The camera goes there and back."""
    steps = torch.tensor([1.0, 2.0, 1.0, 0.0])[:, None, None, None] / W
    there_and_back = FlowField(torch.cat((steps, 0 * steps), 1).expand(4, 2, H, W))
    moved = noise(there_and_back)
    assert torch.equal(moved[4], moved[0]) and torch.equal(moved[3], moved[1])


def test_without_movement_all_frames_have_the_first_ones():
    assert torch.equal(noise(CameraField(0, 0)), own()[:1].expand(F, -1, -1, -1))


@pytest.mark.parametrize("x", [0.25, 0.4])
def test_slow_movement_adds_up(x):
    """A quarter of a place a frame is a place in four."""
    moved = noise(places(x, 0), (9, C, H, W))
    shift = round(8 * x)
    assert torch.equal(moved[8, :, :, : W - shift], moved[0, :, :, shift:])


FIELDS = {
    "closer": CameraField(0, 0, zoom=1.07),
    "farther": CameraField(0, 0, zoom=0.93),
    "turn": CameraField(3, -7, rotation=4),
    "collapse": FlowField(-(torch.rand(F - 1, 2, H, W, generator=torch.Generator().manual_seed(2)) ** 4)),
}


@pytest.mark.parametrize("name", FIELDS)
def test_no_two_places_of_a_frame_have_the_same_noise(name):
    found = origins(FIELDS[name], F, (H, W)).view(F, -1)
    for frame, of_frame in enumerate(found):
        assert len(of_frame.unique()) == H * W
        assert int(of_frame.max()) < (frame + 1) * H * W, "only from itself and from frames before"
    assert (found[1:] < H * W).float().mean() > 0.1, "much of the first frame goes on"


@pytest.mark.parametrize("name", FIELDS)
def test_every_frame_is_normal_and_its_places_know_nothing_of_each_other(name):
    size = (64, 96)
    field = FIELDS[name] if name != "collapse" else CameraField(40, 3, 1.01, 1)
    moved = WarpedNoise(Drawn(), field).generate_noise({"samples": torch.zeros(4, 4, *size)})
    assert moved.mean((1, 2, 3)).abs().max() < 0.03
    assert (moved.var((1, 2, 3)) - 1).abs().max() < 0.04
    fourth = moved.pow(4).mean((1, 2, 3))
    assert (fourth - 3).abs().max() < 0.25
    for rows, columns in ((0, 1), (1, 0), (1, 1), (0, 2)):
        one = moved[:, :, rows:, columns:]
        other = moved[:, :, : size[0] - rows, : size[1] - columns]
        assert (one * other).mean((1, 2, 3)).abs().max() < 0.03


def test_several_videos_have_their_own_and_video_latents_are_the_same():
    field = places(1, 2)
    batch = noise(field, (2 * F, C, H, W), F)
    drawn = own((2 * F, C, H, W))
    found = origins(field, F, (H, W))
    for video in range(2):
        flat = drawn[video * F : (video + 1) * F].transpose(0, 1).reshape(C, -1)
        expected = flat[:, found].view(C, F, H, W).transpose(0, 1)
        assert torch.equal(batch[video * F : (video + 1) * F], expected)
    of_video = noise(field, (2, C, F, H, W))
    flat = own((2, C, F, H, W)).reshape(2, C, -1)
    assert torch.equal(of_video, flat[:, :, found].view(2, C, F, H, W))


def test_a_part_of_a_video_has_the_noise_of_its_places():
    field = places(1, 0)
    part = noise(field, (2, C, H, W), batch_index=[1, 3])
    assert torch.equal(part, noise(field, (4, C, H, W))[[1, 3]])


def test_a_clip_that_moves_by_whole_latents():
    """A texture goes 8 pixels, a latent, to the right in each frame."""
    generator = torch.Generator().manual_seed(3)
    texture = torch.rand((64, 128, 3), generator=generator)
    texture = torch.nn.functional.avg_pool2d(texture.movedim(-1, 0)[None], 5, 1, 2)[0].movedim(0, -1)
    clip = torch.stack([texture[:, 32 - 8 * k : 96 - 8 * k] for k in range(3)])
    field = field_of_flows(flow_frames(clip.flip(0)).flip(0))
    moved = noise(field, (3, C, 8, 8))
    assert torch.equal(moved[2, :, 2:6, 4:7], moved[0, :, 2:6, 2:5])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="the motion field is of a video of 5 frames, num_frames=6"):
        noise(FIELDS["collapse"], (6, C, H, W))
    with pytest.raises(ValueError, match="not a whole number of videos of 3"):
        noise(places(1, 0), frames_per_video=3)
    with pytest.raises(ValueError, match="frames_per_video=-1"):
        noise(places(1, 0), frames_per_video=-1)
    with pytest.raises(ValueError, match="4 or 5 dimensions"):
        noise(places(1, 0), (C, H, W))
