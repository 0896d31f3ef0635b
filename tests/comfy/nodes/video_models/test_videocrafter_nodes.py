"""The nodes for VideoCrafter and DynamiCrafter,
with core's own nodes around them, on tiny models with the published key names.
"""

from types import SimpleNamespace

import comfy.clip_vision
import comfy.sd
import comfy.taesd.taesd
import pytest
import torch
from comfy_extras.nodes_custom_sampler import CFGGuider, SamplerCustom, SamplerCustomAdvanced
from zoetrope.host.sampling.scaled_sampling import ScaledV
from zoetrope.host.video_models.videocrafter import CONCAT_LATENT, FPS, HIDDEN_STATE
from zoetrope.nodes import video_models as nodes
from zoetrope.shapes import fold_frames
from zoetrope.tests.gold_weights import fill
from zoetrope.tests.networks.encoders import TINY_VISION
from zoetrope.tests.networks.golden_cases import load_case
from zoetrope.tests.networks.videocrafter import LATENT_SCALE, load, tensors_of_file, text
from zoetrope.tests.rounding import assert_same

WIDTH, HEIGHT = 64, 48


@pytest.fixture(scope="module")
def encoders():
    """A CLIP_VISION and a VAE that are core's, only narrower."""
    vision = comfy.clip_vision.ClipVisionModel(TINY_VISION)
    fill(vision.model.float())
    weights = fill(comfy.taesd.taesd.TAESD(), skip=("vae_scale", "vae_shift")).state_dict()
    return {"clip_vision": vision, "vae": comfy.sd.VAE(sd=weights)}


def prompts():
    return {"positive": [[text("positive"), {"pooled_output": None}]], "negative": [[text("negative"), {}]]}


def image_of(name=0, height=96, width=70):
    return torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(name))


def sizes(**changes):
    return {"width": WIDTH, "height": HEIGHT, "num_frames": 4, "fps": 24.0} | changes


def animate(encoders, **changes):
    given = prompts() | encoders | {"start_image": image_of(), "closed_loop": False} | sizes() | changes
    return nodes.AnimateImage.execute(**given).args


def interpolate(encoders, **changes):
    given = prompts() | encoders | {"start_image": image_of(), "end_image": image_of(1)} | sizes() | changes
    return nodes.InterpolateImages.execute(**given).args


def value(conditioning, key):
    assert len(conditioning) == 1
    return conditioning[0][1][key]


def test_every_frame_knows_the_start_image(encoders):
    positive, negative, latent = animate(encoders)
    assert latent["samples"].shape == (4, 4, HEIGHT // 8, WIDTH // 8)
    assert not latent["samples"].any()
    known = value(positive, CONCAT_LATENT)
    assert known.shape == latent["samples"].shape
    assert all(torch.equal(frame, known[0]) for frame in known)
    assert torch.equal(known, value(negative, CONCAT_LATENT))
    assert (value(positive, FPS), value(negative, FPS)) == (24.0, 24.0)
    assert torch.equal(positive[0][0], text("positive"))


def test_the_negative_prompt_sees_grey(encoders):
    _, negative, _ = animate(encoders)
    _, other, _ = animate(encoders, start_image=image_of(5))
    assert torch.equal(value(negative, HIDDEN_STATE), value(other, HIDDEN_STATE))
    grey = encoders["clip_vision"].encode_image(torch.full((1, HEIGHT, WIDTH, 3), 0.5), crop=False)[
        "last_hidden_state"
    ]
    assert torch.equal(value(negative, HIDDEN_STATE), grey)


def test_clip_and_vae_see_the_middle_of_the_image(encoders):
    """A tall picture for a wide video: its upper and lower ends are cut off, then it is resized."""
    tall = image_of(height=192, width=64)
    middle = tall[:, 72:120]
    positive, _, _ = animate(encoders, start_image=tall)
    cut, _, _ = animate(encoders, start_image=middle)
    for key in (HIDDEN_STATE, CONCAT_LATENT):
        assert torch.equal(value(positive, key), value(cut, key))
    torch.testing.assert_close(value(cut, CONCAT_LATENT)[:1], encoders["vae"].encode(middle))
    seen = encoders["clip_vision"].encode_image(middle, crop=False)["last_hidden_state"]
    torch.testing.assert_close(value(cut, HIDDEN_STATE), seen)


def test_interpolation_knows_both_ends_and_nothing_between(encoders):
    positive, negative, _ = interpolate(encoders, num_frames=5)
    known = value(positive, CONCAT_LATENT)
    assert known.shape[0] == 5
    assert not known[1:4].any()
    for frame, image in ((known[0], image_of()), (known[-1], image_of(1))):
        assert torch.equal(frame, value(animate(encoders, start_image=image)[0], CONCAT_LATENT)[0])
    assert torch.equal(known, value(negative, CONCAT_LATENT))
    assert torch.equal(value(positive, HIDDEN_STATE), value(animate(encoders)[0], HIDDEN_STATE))


def test_a_loop_ends_where_it_begins(encoders):
    known = value(animate(encoders, closed_loop=True)[0], CONCAT_LATENT)
    assert torch.equal(known[0], known[-1])
    assert known[0].any()
    assert not known[1:-1].any()


def test_prompts_of_the_graph_are_not_changed(encoders):
    given = prompts()
    animate(encoders, **given)
    nodes.SetFrameRate.execute(fps=28.0, **given)
    assert given["positive"][0][1] == {"pooled_output": None}
    assert given["negative"][0][1] == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 500}, "width=500 must be a multiple of 16 pixels; change it to 496"),
        ({"height": 8}, "height=8 must be 16 to 4096; raise it"),
        ({"fps": 0.0}, "fps=0.0 must be 0.01 to 240"),
        ({"num_frames": 0}, "num_frames=0 must be 1 to 4096"),
        ({"start_image": torch.rand(3, 16, 16, 3)}, "start_image holds 3 images and needs one"),
        ({"num_frames": 1, "closed_loop": True}, "num_frames=1 is too few"),
    ],
)
def test_bad_input_is_refused(encoders, changes, message):
    with pytest.raises(ValueError, match=message):
        animate(encoders, **changes)


def test_pictures_with_transparency_are_taken_without_it(encoders):
    clear = torch.cat([image_of(), torch.rand(1, 96, 70, 1)], dim=-1)
    torch.testing.assert_close(
        value(animate(encoders, start_image=clear)[0], CONCAT_LATENT),
        value(animate(encoders)[0], CONCAT_LATENT),
    )


@pytest.mark.parametrize("make", [animate, interpolate])
def test_a_video_of_an_image_through_core_s_sampler(encoders, make):
    model = load(tensors_of_file("dynamicrafter/dc_1024_w64", 64)).model
    positive, negative, latent = make(encoders)
    given = {
        "positive": positive,
        "negative": negative,
        "latent_image": latent,
        "add_noise": True,
        "noise_seed": 3,
        "cfg": 7.5,
    }
    given["model"] = nodes.RescaleGuidance.execute(model, 0.7).args[0]
    given["sampler"] = nodes.CreateDDIMSampler.execute(1.0, True).args[0]
    given["sigmas"] = nodes.CreateDDIMSigmas.execute(model, "uniform_trailing", 3, 1.0).args[0]
    samples = SamplerCustom.execute(**given).args[0]["samples"]
    assert samples.shape == latent["samples"].shape
    assert torch.isfinite(samples).all()
    other = make(encoders, start_image=image_of(7))
    changed = SamplerCustom.execute(**given | {"positive": other[0], "negative": other[1]}).args[0]["samples"]
    assert (changed - samples).abs().max() > 0.01


def test_an_image_to_video_model_without_an_image_says_what_to_wire():
    model = load(tensors_of_file("videocrafter/i2v_512_v1_w64", 5)).model
    given = {
        "latent_image": {"samples": torch.zeros(4, 4, 6, 8)},
        "add_noise": True,
        "noise_seed": 3,
        "cfg": 7.5,
        "model": model,
    }
    given["sampler"] = nodes.CreateDDIMSampler.execute(1.0, True).args[0]
    given["sigmas"] = nodes.CreateDDIMSigmas.execute(model, "uniform", 3, 1.0).args[0]
    positive, negative = nodes.SetFrameRate.execute(fps=8.0, **prompts()).args
    with pytest.raises(
        ValueError, match="the positive conditioning has none; run both the positive and the negative prompt"
    ):
        SamplerCustom.execute(positive=positive, negative=negative, **given)


@pytest.mark.parametrize("case", ["videocrafter/t2v_1024_v1_w64", "videocrafter/t2v_512_v2_w64"])
def test_the_node_path_gives_the_numbers_of_the_reference(case):
    meta, io, _ = load_case(case)
    model = load(tensors_of_file(case)).model
    conds = {name: [[io["context"][i : i + 1], {}]] for i, name in enumerate(("positive", "negative"))}
    guider = CFGGuider.execute(model, *nodes.SetFrameRate.execute(fps=28.0, **conds).args, 3.0).args[0]
    noise = SimpleNamespace(seed=1, generate_noise=lambda latent: fold_frames(io["ddim_noise"]))
    sampler = nodes.CreateDDIMSampler.execute(0.0, True).args[0]
    sigmas = nodes.CreateDDIMSigmas.execute(model, "uniform", 5, 1.0).args[0]
    out = SamplerCustomAdvanced.execute(
        noise, guider, sampler, sigmas, {"samples": torch.zeros(4, 4, 8, 8)}
    ).args[0]["samples"]
    assert_same(out * LATENT_SCALE, fold_frames(io["out_ddim"]))


def test_nodes_leave_the_model_as_it_was():
    model = load(tensors_of_file("dynamicrafter/dc_1024_w64", 64)).model
    before = dict(model.model_options)
    rescaled = nodes.RescaleGuidance.execute(model, 0.7).args[0]
    assert rescaled is not model
    assert model.model_options == before
    assert isinstance(model.model.model_sampling, ScaledV)
