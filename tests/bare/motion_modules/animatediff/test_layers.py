import pytest
import torch
from safetensors.torch import load_file
from zoetrope.frame_values import Placed, ScaledKeys
from zoetrope.motion_modules.animatediff import layers
from zoetrope.motion_modules.animatediff.files import fuse_qkv
from zoetrope.motion_modules.animatediff.layers import (
    MotionConfig,
    MotionModel,
    TemporalTransformer,
    animatediff_sites,
    sdpa_attention,
    sinusoidal_table,
    unet_block_of_site,
)
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same


def _golden(name: str, attention_blocks: int) -> tuple[TemporalTransformer, dict]:
    gold = load_file(GOLDENS / "animatediff" / f"{name}.safetensors")
    config = MotionConfig("v2", {}, position_length=32, num_attention_blocks=attention_blocks)
    module = TemporalTransformer(64, config)
    weights = {k[2:].removeprefix("temporal_transformer."): v for k, v in gold.items() if k.startswith("w.")}
    weights = fuse_qkv(weights) | {
        f"transformer_blocks.0.attention_blocks.{i}.pos_encoder.pe": gold["pe"]
        for i in range(attention_blocks)
    }
    module.load_state_dict(weights)
    return module.eval(), gold


@pytest.mark.parametrize(("name", "blocks"), [("mm_c64", 2), ("mm_sparsectrl_c64", 1)])
@pytest.mark.parametrize(("frames", "videos"), [(16, 2), (24, 1)])
def test_module_gives_the_numbers_of_the_reference(name, blocks, frames, videos):
    module, gold = _golden(name, blocks)
    x = gold_input(f"{name.removesuffix('_c64')}.x{frames}", (2, 64, frames, 6, 5))[:videos]
    with torch.no_grad():
        y = x + unfold_frames(module(fold_frames(x), frames, sdpa_attention), frames)
    assert_same(y, gold[f"y_f{frames}"])


@pytest.mark.parametrize("piece", [48, 10**6])
def test_pieces_give_the_numbers_of_the_reference(monkeypatch, piece):
    monkeypatch.setattr(layers, "PIECE", piece)  # 3 pixels of 16 frames, which do not divide 60; all at once
    module, gold = _golden("mm_c64", 2)
    x = gold_input("mm.x16", (2, 64, 16, 6, 5))
    with torch.no_grad():
        y = x + unfold_frames(module(fold_frames(x), 16, sdpa_attention), 16)
    assert_same(y, gold["y_f16"])


class Steered(layers.TemporalTransformerBlock):
    def attend(self, number, tokens, attention, camera):
        return super().attend(number, tokens + camera, attention)


def test_each_piece_is_steered_by_its_own_pixels(monkeypatch):
    torch.manual_seed(3)
    config = MotionConfig("v3", {}, position_length=7, heads=4)
    module = TemporalTransformer(32, config, block_class=Steered).eval()
    module.proj_out.reset_parameters()
    x, camera = torch.randn(10, 32, 3, 7), torch.randn(42, 5, 32)
    with torch.no_grad():
        monkeypatch.setattr(layers, "PIECE", 10**6)
        whole = module(x, 5, sdpa_attention, camera=camera)
        monkeypatch.setattr(layers, "PIECE", 20)  # 4 pixels of 5 frames
        pieces = module(x, 5, sdpa_attention, camera=camera)
        others = module(x, 5, sdpa_attention, camera=camera.roll(1, 0))
    assert_same(pieces, whole)
    assert (others - whole).abs().max() > 0.01


def test_a_mask_of_the_keys_scale_is_not_cut(monkeypatch):
    module, frames = _small(), 5
    x = torch.randn(frames, 32, 3, 7)
    scale = torch.ones(frames, 3, 7)
    scale[:, 1, 4] = 3
    monkeypatch.setattr(layers, "PIECE", 20)
    with torch.no_grad():
        plain = module(x, frames, sdpa_attention)
        masked = module(x, frames, ScaledKeys(sdpa_attention, Placed(scale, (3, 7))))
        everywhere = module(x, frames, ScaledKeys(sdpa_attention, 3.0))
    assert_same(masked[..., 1, 4], everywhere[..., 1, 4])
    assert (masked[..., 1, 4] - plain[..., 1, 4]).abs().max() > 1e-3
    masked[..., 1, 4] = plain[..., 1, 4]
    assert_same(masked, plain)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.01), (torch.bfloat16, 0.08)])
def test_half_precision_is_as_close_as_its_digits_allow(dtype, tolerance):
    """Against float64 with the same rounded weights, in standard deviations: about 20 units in the last place
    (2**-11 and 2**-8), for a dozen layers.
    """
    module = _small().to(dtype)
    x = torch.randn(10, 32, 3, 7).to(dtype)
    with torch.no_grad():
        half = module(x, 5, sdpa_attention)
        exact = module.double()(x.double(), 5, sdpa_attention)
    assert half.dtype == dtype
    assert_same(half.double(), exact, tolerance)


def test_training_finds_the_gradients_of_finite_differences():
    module = _small().double()
    x = torch.randn(5, 32, 1, 2, dtype=torch.float64, requires_grad=True)
    module.requires_grad_(False)
    assert torch.autograd.gradcheck(lambda x: module(x, 5, sdpa_attention)[:, :2], x, fast_mode=True)


def test_position_table_is_that_of_the_reference():
    gold = load_file(GOLDENS / "animatediff" / "mm_c64.safetensors")
    torch.testing.assert_close(
        sinusoidal_table(32, 64), gold["pe"], atol=1e-6, rtol=0
    )  # float32 of angles up to 31


def _small(**kwargs) -> TemporalTransformer:
    torch.manual_seed(3)
    module = TemporalTransformer(32, MotionConfig("v3", {}, position_length=7, heads=4, **kwargs)).eval()
    module.proj_out.reset_parameters()  # as after training: a new one adds nothing
    return module


@pytest.mark.parametrize("joint_norm", [False, True])
def test_videos_in_a_batch_do_not_mix(joint_norm):
    module, frames = _small(), 5
    x = torch.randn(2 * frames, 32, 3, 7)
    with torch.no_grad():
        together = module(x, frames, sdpa_attention, joint_norm)
        alone = torch.cat([module(part, frames, sdpa_attention, joint_norm) for part in x.chunk(2)])
    assert_same(together, alone)


def test_frames_of_a_video_do_mix_and_pixels_do_not():
    module, frames = _small(), 5
    x = torch.randn(frames, 32, 3, 7)
    changed = x.clone()
    # Two pixels of frame 1 change places:
    # its GroupNorm statistics stay, so only attention can carry the change.
    changed[1, :, 2, 6], changed[1, :, 1, 4] = x[1, :, 1, 4], x[1, :, 2, 6]
    with torch.no_grad():
        delta = (module(changed, frames, sdpa_attention) - module(x, frames, sdpa_attention)).abs().amax(1)
    assert delta[4, 2, 6] > 1e-4
    assert delta[:, 0, 0].max() < 1e-6


def test_joint_norm_differs_from_per_frame_norm_unless_there_is_one_frame():
    module = _small()
    x = torch.randn(5, 32, 3, 7) * torch.arange(1, 6).view(5, 1, 1, 1)
    with torch.no_grad():
        assert not torch.allclose(
            module(x, 5, sdpa_attention), module(x, 5, sdpa_attention, joint_norm=True), atol=1e-3
        )
        torch.testing.assert_close(
            module(x[:1], 1, sdpa_attention), module(x[:1], 1, sdpa_attention, joint_norm=True)
        )


def test_a_fresh_model_adds_nothing():
    config = MotionConfig("v2", animatediff_sites((32, 64), with_mid=True), position_length=7)
    model = MotionModel(config)
    x = torch.randn(5, 64, 3, 7)
    assert model.at(("middle", 0))(x, 5, sdpa_attention).abs().max() == 0
    assert model.at(("input", 0)) is None


def test_sites_follow_the_published_table():
    assert unet_block_of_site("down_blocks.3.motion_modules.1") == ("input", 11)
    assert unet_block_of_site("up_blocks.2.motion_modules.0") == ("output", 6)
    assert unet_block_of_site("mid_block.motion_modules.0") == ("middle", 0)
    sites = animatediff_sites((320, 640, 1280, 1280), with_mid=True)
    assert len(sites) == 21
    assert sites["up_blocks.0.motion_modules.2"] == 1280
    assert sites["up_blocks.3.motion_modules.0"] == 320


@pytest.mark.parametrize(
    ("channels", "mid", "length", "millions"),
    [
        ((320, 640, 1280, 1280), False, 32, 417.1),
        ((320, 640, 1280, 1280), True, 32, 453.2),
        ((320, 640, 1280), False, 32, 236.8),
    ],
)
def test_full_size_modules_have_the_published_number_of_parameters(channels, mid, length, millions):
    model = MotionModel(
        MotionConfig("any", animatediff_sites(channels, mid), position_length=length), device="meta"
    )
    count = sum(p.numel() for n, p in model.named_parameters() if not n.endswith(".pe"))
    assert round(count / 1e6, 1) == millions
