"""VideoCrafter and DynamiCrafter:
the reference's numbers, published names, and what each optional part does.
"""

import pytest
import torch
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.golden_cases import forward, manifest
from zoetrope.tests.networks.videocrafter import CASES, golden_conditions, golden_network
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.file_shapes import FileShapes
from zoetrope.video_unets.temporal_layers import TemporalTransformer
from zoetrope.video_unets.videocrafter import system as videocrafter

SYSTEMS = {system.name: system for system in videocrafter.SYSTEMS}
every_case = pytest.mark.parametrize("case", CASES)


def golden_output(network, io, **other):
    context, extra = golden_conditions(network, io)
    given = {"x": io["x"], "t": io["t"].float(), "context": context, **extra} | other
    return forward(network, given.pop("x"), given.pop("t"), given.pop("context"), **given)


@every_case
def test_forward_gives_the_numbers_of_the_reference(case):
    network, io, _ = golden_network(case)
    assert_same(golden_output(network, io), io["out"])


@every_case
def test_a_file_with_these_parts_is_claimed_by_its_system(case):
    _, _, meta = golden_network(case)
    shapes = FileShapes({videocrafter.PREFIX + key: shape for key, shape in meta["shapes"].items()}, case)
    assert [name for name, system in SYSTEMS.items() if system.claims(shapes)] == [CASES[case]]


@every_case
def test_keys_stay_those_of_the_file(case):
    network, _, meta = golden_network(case)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == meta["shapes"]


@pytest.mark.parametrize(
    "case", ["videocrafter/t2v_1024_v1_w64", "videocrafter/i2v_512_v1_w64", "dynamicrafter/dc_256_w64"]
)
def test_frame_rate_acts_and_is_the_videos_own(case):
    network, io, _ = golden_network(case)
    _, extra = golden_conditions(network, io)
    other = golden_output(network, io, fps=torch.stack([extra["fps"][0], extra["fps"][1] + 7]))
    assert_same(other[0], io["out"][0])
    assert (other[1] - io["out"][1]).abs().max() > 0.01


def test_frame_rate_leaves_the_patches_of_others_in_place():
    network, io, _ = golden_network("videocrafter/t2v_512_v2_w64")
    seen = []

    def patch(emb, model_channels, transformer_options):
        seen.append(emb.shape)
        return emb

    options = {"patches": {"emb_patch": [patch]}}
    assert_same(golden_output(network, io, transformer_options=options), io["out"])
    assert seen == [(8, 256)]
    assert options == {"patches": {"emb_patch": [patch]}}


@pytest.mark.parametrize("case", ["videocrafter/i2v_512_v1_w64", "dynamicrafter/dc_1024_w64"])
def test_long_prompts_do_not_touch_the_image(case):
    """154 tokens are two prompts of 77;
    the same text twice is the same text, and the image tokens stay apart from it.
    """
    network, io, _ = golden_network(case)
    context, _ = golden_conditions(network, io)
    assert_same(golden_output(network, io, context=context.repeat(1, 2, 1)), io["out"])


def test_each_frame_of_dynamicrafter_has_image_tokens_of_its_own():
    network, io, _ = golden_network("dynamicrafter/dc_1024_w64")
    network.replace_layers(
        lambda layer: [] if isinstance(layer, TemporalTransformer) else [spatial_only(layer)]
    )
    del network.init_attn[0]
    _, extra = golden_conditions(network, io)
    tokens = extra["image_tokens"].clone()
    tokens[1, 32:48] = gold_input("other tokens", (16, 48))
    difference = (
        (golden_output(network, io, image_tokens=tokens) - golden_output(network, io))
        .abs()
        .amax(dim=(1, 3, 4))
    )
    assert (difference > 1e-3).tolist() == [[False] * 4, [False, False, True, False]]


def spatial_only(layer):
    if hasattr(layer, "temopral_conv"):
        for name in ("conv1", "conv2", "conv3", "conv4"):
            layer.temopral_conv._modules[name] = torch.nn.Identity()
    return layer


def test_one_frame_is_an_image():
    network, io, _ = golden_network("videocrafter/i2v_512_v1_w64")
    out = golden_output(network, io, x=io["x"][:, :, :1])
    assert out.shape == (2, 4, 1, 8, 8)
    assert torch.isfinite(out).all()


def test_more_frames_than_trained_are_clamped_to_the_farthest_position():
    network, io, _ = golden_network("videocrafter/t2v_512_v1_w64")
    assert network.max_distance == 4
    assert golden_output(network, io, x=io["x"].repeat(1, 1, 2, 1, 1)).shape == (2, 4, 12, 8, 8)


def test_patches_for_spatial_tokens_do_not_meet_temporal_ones():
    network, io, _ = golden_network("videocrafter/i2v_512_v1_w64")
    places = []

    def patch(n, context, value, extra_options):
        places.append((extra_options["transformer_index"], n.shape[0]))
        return n, context, value

    golden_output(network, io, transformer_options={"patches": {"attn2_patch": [patch]}})
    assert places == [(index, 8) for index in range(7)]


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_other_numbers_of_frames_are_refused_where_image_tokens_are_numbered(frames):
    network, io, _ = golden_network("dynamicrafter/dc_1024_w64")
    x = io["x"].repeat(1, 1, 2, 1, 1)[:, :, :frames]
    with pytest.raises(
        ValueError, match=f"exactly 4 frames at a time and got {frames}.*Context Windows.*context_length=4"
    ):
        golden_output(network, io, x=x)


@pytest.mark.parametrize("case", ["videocrafter/i2v_512_v1_w64", "dynamicrafter/dc_256_w64"])
def test_a_missing_image_is_refused(case):
    network, io, _ = golden_network(case)
    with pytest.raises(ValueError, match="makes a video of an image and got none"):
        golden_output(network, io, image_tokens=None)


def test_missing_image_latents_and_frame_rate_are_refused():
    network, io, _ = golden_network("dynamicrafter/dc_1024_w64")
    with pytest.raises(ValueError, match="reads 8 channels and got 4: its image is missing"):
        golden_output(network, io, x=io["x"][:, :4])
    with pytest.raises(ValueError, match="needs a frame rate"):
        golden_output(network, io, fps=None)


def test_text_of_another_encoder_is_refused():
    network, io, _ = golden_network("videocrafter/t2v_512_v2_w64")
    with pytest.raises(ValueError, match="width 48, the conditioning has width 32"):
        golden_output(network, io, context=io["context"][..., :32])


def test_framestride_of_the_first_dynamicrafter_256_is_read():
    shapes = {
        key.replace("fps_embedding", "framestride_embed"): shape
        for key, shape in manifest("dynamicrafter_256").items()
    }
    system = SYSTEMS["dynamicrafter_256"]
    shapes = FileShapes(shapes, "model.ckpt")
    assert [name for name, other in SYSTEMS.items() if other.claims(shapes)] == ["dynamicrafter_256"]
    assert system.settings(shapes.without_prefix(system.prefix))["has_fps"]
    assert list(system.to_network({"framestride_embed.0.bias": 0, "out.0.bias": 1})) == [
        "fps_embedding.0.bias",
        "out.0.bias",
    ]


@pytest.mark.parametrize(
    ("base_scale", "name", "fps"),
    [(0.7, "dynamicrafter_512", 24), (0.3, "dynamicrafter_1024", 10), (None, "dynamicrafter_512", 24)],
)
def test_dynamicrafter_512_and_1024_are_told_apart_by_their_scale(base_scale, name, fps):
    end = 1.0 if base_scale is None else base_scale
    curve = torch.cat([torch.linspace(1.0, end, 400), torch.full((1000,), end)])
    tensors = {} if base_scale is None else {"scale_arr": curve}
    system = SYSTEMS["dynamicrafter_512"].refine(tensors)
    assert (system.name, system.default_fps, system.fixed_length) == (name, fps, True)
    sampling = system.sampling(tensors)
    assert (sampling.prediction, sampling.zero_terminal_snr) == ("v", True)
    assert sampling.base_scale == (base_scale or 0.7)


def test_how_each_system_is_sampled():
    scales = {
        name: (system.sampling({}).prediction, system.sampling({}).base_scale)
        for name, system in SYSTEMS.items()
    }
    assert scales == {
        "videocrafter1_t2v_512": ("eps", None),
        "videocrafter1_t2v_1024": ("eps", 0.3),
        "videocrafter2_t2v_512": ("eps", 0.7),
        "videocrafter1_i2v_512": ("eps", 0.7),
        "dynamicrafter_256": ("eps", None),
        "dynamicrafter_512": ("v", 0.7),
    }
    assert {name: system.default_fps for name, system in SYSTEMS.items()} == {
        "videocrafter1_t2v_512": 0,
        "videocrafter1_t2v_1024": 28,
        "videocrafter2_t2v_512": 28,
        "videocrafter1_i2v_512": 8,
        "dynamicrafter_256": 3,
        "dynamicrafter_512": 24,
    }
