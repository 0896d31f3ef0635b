"""Windows inside temporal layers: a layer by hand, runs that must be equal, and what is refused."""

import pytest
import torch
from zoetrope.frame_values import Placed, ScaledKeys, frame_values
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.layer_views import apply_layer_views
from zoetrope.host.injection.motion_models import new_motion_module
from zoetrope.host.injection.places import places_of
from zoetrope.host.injection.views import Views, ViewSettings, refuse_without_views
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.animatediff.layers import MotionConfig, TemporalTransformerBlock, sdpa_attention
from zoetrope.motion_modules.methods import METHODS
from zoetrope.samplers.context_fusion import FUSE_METHODS
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module, sample
from zoetrope.tests.comfy.method_rules import same
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.rounding import assert_same

SMALL = {"size": (8, 6), "frames": 7, "steps": 2}
SHORT = ViewSettings(view_length=4, view_overlap=1)
C, PIXELS, F = 16, 3, 7


def moving(plain, module, **settings):
    return apply_motion_module(plain, module, MotionSettings(**settings))


def viewed(plain, module, views=SHORT, **settings):
    return apply_layer_views(moving(plain, module, **settings), views)


@pytest.fixture
def block():
    made = TemporalTransformerBlock(C, MotionConfig("v3", {}))
    for name, parameter in made.named_parameters():
        if not name.endswith(".pe"):
            parameter.data.copy_(gold_tensor(f"block.{name}", parameter.shape))
    return made.requires_grad_(False)


def test_a_block_by_hand(block):
    """Frames 0-3 and 3-6, weights 1 2 2 1 each: only frame 3 is a mean, of both with the same weight."""
    tokens = gold_tensor("tokens", (PIXELS, F, C))
    parts = []
    for first in (0, 3):
        part = tokens[:, first : first + 4]
        for norm, attention in zip(block.norms, block.attention_blocks, strict=True):
            rows = norm(part) + attention.pos_encoder.pe[:, :4]  # positions count from 0 in each window
            q, k, v = attention.to_qkv(rows).split(C, -1)
            part = part + attention.to_out(sdpa_attention(q, k, v, 8))
        parts.append(part)
    first, second = parts
    attended = torch.cat((first[:, :3], (first[:, 3:] + second[:, :1]) / 2, second[:, 1:]), 1)
    want = attended + block.ff(block.ff_norm(attended))
    assert_same(block(tokens, sdpa_attention, Views(SHORT, F, 0)), want, 1e-5)
    assert not torch.allclose(block(tokens, sdpa_attention), want, atol=1e-2)


def test_slow_changes_come_from_all_frames_in_the_first_steps(block):
    """FreeLong by hand, with Fourier transforms: attention over all frames and in windows, blended."""
    tokens = gold_tensor("tokens", (PIXELS, F, C))
    settings = ViewSettings(view_length=4, view_overlap=1, global_until=0.5)

    seen = []

    def layers(part, frames):
        seen.append(len(frames))
        return block._attend_all(part, sdpa_attention)

    windows, whole = Views(SHORT, F, 0)(tokens, layers), layers(tokens, list(range(F)))
    seen.clear()
    t = 2 * torch.fft.fftfreq(F)
    keep = torch.exp(-(t**2) / (2 * 0.25**2))[:, None]
    spectrum = torch.fft.fft(whole, dim=1) * keep + torch.fft.fft(windows, dim=1) * (1 - keep)
    want = torch.fft.ifft(spectrum, dim=1).real
    assert_same(Views(settings, F, 1, steps=4)(tokens, layers), want)
    assert seen == [4, 4, F]
    assert torch.equal(Views(settings, F, 2, steps=4)(tokens, layers), windows)
    assert (want - windows).abs().max() > 1e-2


def test_all_frames_must_be_known_where_they_are_seen_at_once():
    views = ViewSettings(view_length=4, view_overlap=1, global_until=0.5)
    short = motion_module("v3", 6)
    with pytest.raises(ValueError, match="see all 7 frames at once, the motion module .* knows 6; set"):
        sample(viewed(golden_model(), short, views), **SMALL)
    known = viewed(golden_model(), motion_module("v3"), views)
    result = sample(known, **SMALL)
    in_windows = sample(viewed(golden_model(), motion_module("v3")), **SMALL)
    assert (result - in_windows).abs().max() > 1e-3 * result.std()


def test_a_part_of_the_steps_is_between_0_and_1():
    with pytest.raises(ValueError, match="global_until=1.5 must be 0..1, a part of the steps"):
        ViewSettings(global_until=1.5)


def test_scaled_keys_are_those_of_the_frames_of_a_view(block):
    """Two videos and a value for each image: as each window with its own values."""
    tokens = gold_tensor("tokens", (2 * PIXELS, F, C))
    values = torch.linspace(0.5, 2.5, 2 * F)
    apart = ViewSettings(view_length=4, view_overlap=0, view_schedule="batched")

    def scaled(values):
        return ScaledKeys(sdpa_attention, Placed(values[:, None, None], (1, PIXELS)))

    got = block(tokens, scaled(values), Views(apart, F, 0))
    of_videos = values.view(2, F)
    parts = [
        block(tokens[:, part], scaled(of_videos[:, part].flatten())) for part in (slice(0, 3), slice(3, 7))
    ]
    assert_same(got, torch.cat(parts, 1), 1e-5)


def test_one_view_is_no_view(plain, module):
    run = {**SMALL, "frames": 5}
    want = sample(moving(plain, module), **run)
    assert torch.equal(sample(viewed(plain, module, ViewSettings(view_length=5)), **run), want)
    assert torch.equal(sample(viewed(plain, module, ViewSettings(view_length=6)), **run), want)
    assert not torch.allclose(sample(viewed(plain, module), **run), want, atol=1e-1)


def test_views_without_overlap_are_videos_of_their_own(plain, module):
    """Nothing else of the network knows of frames, where its norms are per frame."""
    views = ViewSettings(view_length=3, view_overlap=0, view_schedule="batched")
    run = {**SMALL, "frames": 6}
    same(
        sample(viewed(plain, module, views), **run), sample(moving(plain, module, frames_per_video=3), **run)
    )


def test_several_videos_get_views_each(plain, module):
    noise = gold_tensor("noise", (14, 4, 8, 6))
    several = sample(viewed(plain, module, frames_per_video=7), **{**SMALL, "frames": 14, "noise": noise})
    for video in (slice(0, 7), slice(7, 14)):
        same(several[video], sample(viewed(plain, module), **{**SMALL, "noise": noise[video]}))


def test_strength_over_frames_and_views(plain, module):
    off = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    got = sample(viewed(plain, module, strength=frame_values(off)), **SMALL)
    want = sample(moving(plain, module, strength=1e-30), **SMALL)
    for frame, strength in enumerate(off):
        assert torch.allclose(got[frame], want[frame], atol=1e-2) == (strength == 0.0)


def test_views_make_videos_longer_than_the_table(plain):
    module = motion_module("v3", 6)
    with pytest.raises(ValueError, match="7 frames are more than the 6"):
        sample(moving(plain, module), **SMALL)
    assert sample(viewed(plain, module), **SMALL).isfinite().all()
    windows = apply_context_windows(
        viewed(plain, module), ContextSettings(context_length=7, context_overlap=2)
    )
    assert sample(windows, **{**SMALL, "frames": 11}).isfinite().all()
    with pytest.raises(ValueError, match="windows of 7 frames inside the layers are more than the 6"):
        sample(viewed(plain, module, ViewSettings(view_length=8)), **SMALL)


@pytest.mark.parametrize(
    ("schedule", "fuse_method"),
    [(schedule, "pyramid") for schedule in CONTEXT_SCHEDULES]
    + [("standard_static", method) for method in FUSE_METHODS],
)
def test_every_schedule_keeps_what_no_layer_changes(schedule, fuse_method):
    """Layers that double their input do so through every window plan and fusion, at every step."""
    tokens = gold_tensor("tokens", (PIXELS, 26, 2))
    settings = ViewSettings(8, 2, schedule, fuse_method=fuse_method)
    for step in range(5):
        got = Views(settings, 26, step, 3.0)(tokens, lambda part, frames: part + tokens[:, frames])
        assert_same(got, 2 * tokens, 1e-5)


def test_windows_move_with_the_steps(plain, module):
    """standard_uniform has other windows at later steps, so those differ from static ones."""
    one, four = (
        [
            sample(viewed(plain, module, ViewSettings(4, 1, schedule)), **{**SMALL, "steps": steps})
            for schedule in ("standard_static", "standard_uniform")
        ]
        for steps in (1, 4)
    )
    assert torch.equal(*one)
    assert not torch.allclose(*four, atol=1e-2)


@pytest.mark.parametrize(
    "method", [name for name, m in METHODS.items() if not (m.takes_views or m.per_frame or m.needs)]
)
def test_other_methods_are_refused_behind_and_in_front(plain, module, method):
    other = new_motion_module(METHODS[method], places_of(golden_model().model.diffusion_model))
    with pytest.raises(ValueError, match="whose layers take no windows inside"):
        viewed(plain, other)
    with pytest.raises(ValueError, match="whose layers take no windows inside"):
        sample(moving(viewed(plain, module), other, strength=0.5), **SMALL)


def test_a_camera_encoder_that_sees_all_frames_is_refused():
    with pytest.raises(ValueError, match="'camera.ckpt' is a module of CameraCtrl, whose layers take no"):
        refuse_without_views(METHODS["CameraCtrl"], "camera.ckpt")


def test_a_model_without_layers_and_bad_settings_are_refused(plain):
    with pytest.raises(ValueError, match="no temporal layers .* behind Apply Motion Module"):
        apply_layer_views(plain, SHORT)
    with pytest.raises(ValueError, match="view_overlap=4 must be smaller than view_length=4; lower"):
        ViewSettings(4, 4)
    with pytest.raises(ValueError, match="fuse_method='x' must be one of"):
        ViewSettings(fuse_method="x")


@pytest.mark.parametrize("around", [None, ContextSettings(context_length=11, context_overlap=2)])
def test_the_windows_of_all_steps_are_checked_before_the_first(plain, module, around):
    """AnimateDiff-Evolved's uniform windows of 5 with overlap 2 and stride 2 leave out a frame of 11, at the
    third step only.
    """
    views = ViewSettings(5, 2, "standard_uniform (AnimateDiff-Evolved)", view_stride=2)
    model, frames = viewed(plain, module, views), 11
    if around:
        model, frames = apply_context_windows(model, around), 13
    calls = []
    hook = plain.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        with pytest.raises(ValueError, match="leave frames out .*num_frames=11, .* step 2"):
            sample(model, **{**SMALL, "frames": frames, "steps": 3})
        assert calls == []
        sample(model, **{**SMALL, "frames": frames, "steps": 2})
        assert calls
    finally:
        hook.remove()


def test_the_checkpoint_and_the_model_before_stay_as_they_were(plain, module):
    model = moving(plain, module)
    before = sample(plain, **SMALL), sample(model, **SMALL)
    sample(apply_layer_views(model, SHORT), **SMALL)
    assert torch.equal(sample(plain, **SMALL), before[0])
    assert torch.equal(sample(model, **SMALL), before[1])
