"""The image projector of VideoCrafter and DynamiCrafter: the reference's numbers and the published keys."""

import pytest
from zoetrope.tests.networks.golden_cases import build, load_case, manifest
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.file_shapes import FileShapes
from zoetrope.video_unets.videocrafter.image_projector import ImageProjector, projector_settings


@pytest.mark.parametrize("case", ["dynamicrafter/resampler_per_frame", "dynamicrafter/resampler_vc1_i2v"])
def test_tokens_are_those_of_the_reference(case):
    meta, io, weights = load_case(case)
    projector = build(
        ImageProjector, projector_settings(FileShapes(meta["shapes"], case)) | {"head_dim": 8}, weights
    )
    assert_same(projector(io["x"]), io["out"])


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("videocrafter1_i2v_512", 16), ("dynamicrafter_256", 256), ("dynamicrafter_1024", 256)],
)
def test_keys_and_shapes_are_those_of_the_published_file(name, tokens):
    shapes = FileShapes(manifest(name), name).without_prefix("image_proj_model.")
    projector = ImageProjector(**projector_settings(shapes), device="meta")
    assert {key: tuple(value.shape) for key, value in projector.state_dict().items()} == shapes
    assert projector.latents.shape == (1, tokens, 1024)
    assert projector.layers[0][0].heads == 12


def test_a_missing_key_is_named():
    shapes = manifest("dynamicrafter_512") | {}
    del shapes["image_proj_model.layers.0.0.to_out.weight"]
    with pytest.raises(
        ValueError, match=r"model.ckpt' lacks the key 'image_proj_model\.layers\.0\.0\.to_out\.weight'"
    ):
        projector_settings(FileShapes(shapes, "model.ckpt").without_prefix("image_proj_model."))
