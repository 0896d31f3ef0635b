"""The nodes for Stable Video Diffusion and SV3D, with core's own encoders around them."""

import pytest
import torch
from zoetrope.host.video_models.start_images import ClipSettings, fitted_image
from zoetrope.host.video_models.svd import CONCAT_LATENT
from zoetrope.nodes import video_models as nodes
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.encoders import tiny_encoders

WIDTH, HEIGHT, FRAMES = 56, 40, 5
CLIP = ClipSettings(WIDTH, HEIGHT, FRAMES)
SIZES = {"width": WIDTH, "height": HEIGHT, "num_frames": FRAMES}
MOTION = {"motion_bucket_id": 127, "fps": 6}


@pytest.fixture(scope="module")
def encoders():
    return tiny_encoders()


def image_of(name="picture", height=60, width=70):
    return torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(len(name)))


def animate(encoders, **changes):
    given = (
        encoders | {"start_image": image_of()} | SIZES | MOTION | {"augmentation": 0.02, "seed": 3} | changes
    )
    return nodes.AnimateImageSVD.execute(**given).args


def interpolate(encoders, **changes):
    given = (
        encoders
        | {"start_image": image_of(), "end_image": image_of("end")}
        | SIZES
        | MOTION
        | {"augmentation": 0.0, "seed": 3}
        | changes
    )
    return nodes.InterpolateImagesSVD.execute(**given).args


def orbit(encoders, **changes):
    camera = {"orbit": "dynamic", "elevation": 10.0, "elevation_swing": 20.0, "seed": 3}
    return nodes.SetOrbit.execute(**encoders | {"image": image_of()} | SIZES | camera | changes).args


def known(conditioning):
    return conditioning[0][1][CONCAT_LATENT]


def test_the_image_reaches_both_sides_as_published(encoders):
    positive, negative, latent = animate(encoders)
    assert latent["samples"].shape == (FRAMES, 4, HEIGHT // 8, WIDTH // 8)
    assert positive[0][0].shape == (1, 1, 1024)
    assert positive[0][0].any()
    assert known(positive).shape == (1, 4, HEIGHT // 8, WIDTH // 8)
    assert not negative[0][0].any()
    assert not known(negative).any()
    told = {"motion_bucket_id": 127, "fps": 6, "augmentation_level": 0.02}
    for side in (positive, negative):
        assert {key: side[0][1][key] for key in told} == told


def test_clip_sees_the_whole_cut_image(encoders):
    token = encoders["clip_vision"].encode_image(fitted_image(image_of(), "x", CLIP), crop=False)[
        "image_embeds"
    ]
    assert torch.equal(animate(encoders)[0][0][0], token.unsqueeze(0))


def test_noise_is_added_at_the_published_level_and_follows_its_seed(encoders):
    pixels = fitted_image(image_of(), "x", CLIP)
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(3))
    for level in (0.0, 0.5):
        # Half of it: the published range is -1..1, an IMAGE's 0..1.
        expected = encoders["vae"].encode(pixels + level / 2 * noise)
        torch.testing.assert_close(known(animate(encoders, augmentation=level)[0]), expected)
    one, again, other = (known(animate(encoders, augmentation=0.5, seed=seed)[0]) for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_the_given_image_is_not_changed(encoders):
    image = image_of()
    animate(encoders, start_image=image, augmentation=1.0)
    assert torch.equal(image, image_of())


def test_between_two_images_the_frames_are_unknown(encoders):
    positive, negative, latent = interpolate(encoders)
    for place, image in ((0, image_of()), (FRAMES - 1, image_of("end"))):
        torch.testing.assert_close(
            known(positive)[place : place + 1], encoders["vae"].encode(fitted_image(image, "x", CLIP))
        )
    assert not known(positive)[1:-1].any()
    assert not known(negative).any()
    assert known(positive).shape == known(negative).shape == latent["samples"].shape


def test_a_prompt_stands_for_the_image():
    prompts = {
        name: [[gold_input(name, (1, 7, 1024)), {"pooled_output": None}]] for name in ("positive", "negative")
    }
    positive, negative, latent = nodes.AnimateTextSVD.execute(**prompts, **SIZES, **MOTION).args
    for name, side in (("positive", positive), ("negative", negative)):
        assert torch.equal(side[0][0], prompts[name][0][0])
        assert not known(side).any()
        assert (side[0][1]["fps"], side[0][1]["augmentation_level"]) == (6, 0.0)
    assert latent["samples"].shape[0] == FRAMES


def test_an_orbit_has_a_camera_for_every_view(encoders):
    positive, negative, latent = orbit(encoders)
    for side in (positive, negative):
        assert (
            len(side[0][1]["elevation"]) == len(side[0][1]["azimuth"]) == latent["samples"].shape[0] == FRAMES
        )
        assert (side[0][1]["azimuth"][-1], side[0][1]["augmentation_level"]) == (0.0, 1e-5)
    assert orbit(encoders)[0][0][1]["azimuth"] == positive[0][1]["azimuth"]
    assert orbit(encoders, seed=4)[0][0][1]["azimuth"] != positive[0][1]["azimuth"]


@pytest.mark.parametrize(
    ("make", "changes", "told"),
    [
        (animate, {"width": 60}, "width=60 must be a multiple of 8 pixels; change it to 56"),
        (animate, {"height": 4}, "height=4 must be 16 to 8192; raise it"),
        (animate, {"num_frames": 0}, "num_frames=0 must be 1 to 4096"),
        (animate, {"fps": 0}, "fps=0 must be 1 to 240; raise it"),
        (animate, {"augmentation": -0.1}, "augmentation=-0.1 must be 0 to 10"),
        (animate, {"start_image": torch.zeros(2, 8, 8, 3)}, "start_image holds 2 images and needs one"),
        (interpolate, {"num_frames": 2}, "num_frames=2 is too few; 5"),
        (interpolate, {"end_image": torch.zeros(3, 8, 8, 3)}, "end_image holds 3 images"),
        (orbit, {"elevation": 91.0}, "elevation=91.0 must be -90 to 90"),
        (orbit, {"image": torch.zeros(2, 8, 8, 3)}, "image holds 2 images"),
    ],
)
def test_bad_input_is_refused(encoders, make, changes, told):
    with pytest.raises(ValueError, match=told):
        make(encoders, **changes)
