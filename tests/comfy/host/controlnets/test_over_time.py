"""ControlNet over Time: factors over frames, places, steps and layers, computed by hand from what the plain
ControlNet gives; in context windows, the same graph without windows is the oracle.
"""

import comfy.controlnet
import pytest
import torch
import torch.nn.functional as nnf
from comfy.context_windows import IndexListContextWindow
from zoetrope.frame_values import frame_values
from zoetrope.host.controlnets.over_time import OverTimeSettings, over_time
from zoetrope.host.windows.batch import BatchedContextWindow
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.comfy.host.context_rig import (
    PRECISE,
    F,
    H,
    W,
    controlnet,
    evaluate,
    hint_images,
    prompt,
    seeded,
    t2i_adapter,
    windowed,
    with_control,
)
from zoetrope.tests.comfy.host.windows.test_controls import FrameControl, two_steps
from zoetrope.tests.rounding import assert_same

B = 2
PER_FRAME = [0.25, 1.0, 0.5, 2.0, 0.0, 1.5, 0.75]


@pytest.fixture(scope="module")
def model():
    return golden_model(PRECISE)


def given(control, model, sigma=3.0, frames=F, kinds=(0, 1), **options):
    """What core's sampler gets of a control object for latents of F frames and two prompts."""
    sampling = model.get_model_object("model_sampling")
    control.pre_run(model.model, sampling.percent_to_sigma)
    rows = len(kinds) * frames
    sigmas = torch.full((rows,), sigma)
    cond = {"c_crossattn": seeded(rows, 7, 48).to(PRECISE)}
    options = {"cond_or_uncond": list(kinds), "sigmas": sigmas, **options}
    try:
        with torch.no_grad():
            return control.get_control(seeded(rows, 4, H, W).to(PRECISE), sigmas, cond, len(kinds), options)
    finally:
        control.cleanup()


def scaled(control, values=1.0, **settings):
    return over_time(control, OverTimeSettings(values, **settings))


def assert_times(found, plain, factor_of):
    """found is plain times factor_of(side, index, x), all layers."""
    assert {side: len(layers) for side, layers in found.items()} == {k: len(v) for k, v in plain.items()}
    for side, layers in plain.items():
        for index, x in enumerate(layers):
            if x is None:
                assert found[side][index] is None
            else:
                assert_same(found[side][index], x * factor_of(side, index, x), 1e-6)


def rows(values):
    return torch.tensor(values)[:, None, None, None]


def nets():
    return {"ControlNet": controlnet(hint_images(F)), "T2I-Adapter": t2i_adapter(hint_images(F))}


def peer_weights(kind, base):
    """The factors of Advanced-ControlNet's scaled soft weights, written out as its code makes them."""
    if kind == "T2I-Adapter":
        raw = [base ** (7 - i) for i in range(8)]
        arranged = [raw[place] for place in (-8, -3, -2, -1) for _ in range(3)]
        return {"input": arranged[::-1]}
    return {"middle": [1.0], "output": [base ** (12 - i) for i in range(13)][:-1]}


def flipped(kind, base):
    """The same with flip_weights, as its older versions had it: the list of all layers backwards."""
    if kind == "T2I-Adapter":
        return {"input": peer_weights(kind, base)["input"][::-1]}
    raw = [base ** (12 - i) for i in range(13)][::-1]
    return {"middle": raw[12:], "output": raw[:12]}


@pytest.mark.parametrize("kind", ["ControlNet", "T2I-Adapter"])
@pytest.mark.parametrize(("flip", "weights"), [(False, peer_weights), (True, flipped)])
def test_soft_weights_are_those_of_advanced_controlnet(model, kind, flip, weights):
    control = nets()[kind]
    found = given(scaled(control, soft_weights=0.825, flip_weights=flip), model)
    expected = weights(kind, 0.825)
    assert_times(found, given(control, model), lambda side, i, x: expected[side][i])


@pytest.mark.parametrize("kind", ["ControlNet", "T2I-Adapter"])
def test_every_frame_has_its_strength_in_windows_too(model, kind):
    control, values = nets()[kind], frame_values(PER_FRAME)
    plain = given(control, model)
    assert_times(given(scaled(control, values), model), plain, lambda *_: rows(PER_FRAME * B))
    window = IndexListContextWindow([2, 3, 4], 0, F)
    plain = given(control, model, frames=3)
    in_window = given(scaled(control, values), model, frames=3, context_window=window)
    assert_times(in_window, plain, lambda *_: rows([0.5, 2.0, 0.0] * B))
    two = BatchedContextWindow([window, IndexListContextWindow([4, 5, 6], 0, F)])
    in_two = given(scaled(control, values), model, frames=3, context_window=two)
    assert_times(in_two, plain, lambda *_: rows([0.5, 2.0, 0.0, 0.0, 1.5, 0.75]))


def test_videos_of_a_batch_have_the_same_values(model):
    control = controlnet(hint_images(6))
    found = given(scaled(control, frame_values([0.5, 2.0, 0.25]), frames_per_video=3), model, frames=6)
    assert_times(found, given(control, model, frames=6), lambda *_: rows([0.5, 2.0, 0.25] * 2 * B))


def test_a_mask_holds_for_places_at_the_size_of_every_layer(model):
    mask = torch.rand(F, 8 * H, 8 * W, generator=torch.Generator().manual_seed(5))
    control = controlnet(hint_images(F))

    def factor(side, index, x):
        sized = nnf.interpolate(mask[:, None], size=x.shape[2:], mode="bilinear")
        return (0.5 + sized * 1.5).repeat(B, 1, 1, 1)

    values = frame_values([2.0], mask, outside=0.5)
    assert_times(given(scaled(control, values), model), given(control, model), factor)


def test_values_hold_from_their_part_of_the_schedule_on(model):
    sampling = model.get_model_object("model_sampling")
    late = float(sampling.percent_to_sigma(0.6))
    control = controlnet(hint_images(F))
    values = frame_values([0.5], start_percent=0.6, before=frame_values([2.0]))
    for sigma, factor in ((late * 1.01, 2.0), (late * 0.99, 0.5)):
        plain = given(control, model, sigma)
        found = given(scaled(control, values), model, sigma)
        assert_times(found, plain, lambda *_, factor=factor: factor)


def test_the_negative_prompt_has_a_factor_of_its_own(model):
    control = controlnet(hint_images(F))
    found = given(scaled(control, 0.5, negative_strength=0.25), model, kinds=(1, 0))
    factors = rows([0.125] * F + [0.5] * F)
    assert_times(found, given(control, model, kinds=(1, 0)), lambda *_: factors)


def test_a_network_without_strength_does_not_run(model):
    runs = []
    control = controlnet(hint_images(F))
    control.control_model.register_forward_hook(lambda *_: runs.append(1))
    assert given(scaled(control, 0.0), model) is None
    before = t2i_adapter(hint_images(F))
    off = scaled(control, 0.0).set_previous_controlnet(before)
    assert_times(given(off, model), given(before, model), lambda *_: 1.0)
    window = IndexListContextWindow([4], 0, F)
    assert given(scaled(control, frame_values(PER_FRAME)), model, frames=1, context_window=window) is None
    assert runs == []


def test_chained_controls_keep_their_own_strength(model):
    first, second = controlnet(hint_images(F)), controlnet(hint_images(3), seed=6)
    chained = scaled(second, frame_values(PER_FRAME)).set_previous_controlnet(first)
    one, other = given(first, model), given(second, model)
    for side in ("middle", "output"):
        for found, a, b in zip(given(chained, model)[side], one[side], other[side], strict=True):
            assert_same(found, a + b * rows(PER_FRAME * B))


def test_a_single_hint_of_an_adapter_has_values_for_every_frame(model):
    control = t2i_adapter(hint_images(1))
    found = given(scaled(control, frame_values(PER_FRAME)), model)
    assert_times(found, given(control, model), lambda *_: rows(PER_FRAME * B))


def test_strength_1_changes_nothing_and_several_nodes_multiply(model):
    control = controlnet(hint_images(F))
    plain, found = given(control, model), given(scaled(control), model)
    assert all(torch.equal(a, b) for s in plain for a, b in zip(plain[s], found[s], strict=True))
    twice = given(scaled(scaled(control, 0.5), frame_values(PER_FRAME), soft_weights=0.5), model)
    weights = peer_weights("ControlNet", 0.5)
    assert_times(twice, plain, lambda side, i, x: 0.5 * rows(PER_FRAME * B) * weights[side][i])
    assert type(control) is comfy.controlnet.ControlNet  # what was wired in is as it was


def test_copies_of_apply_controlnet_keep_it(model):
    control = scaled(controlnet(), 0.5).copy().set_cond_hint(hint_images(F), 0.7)
    assert isinstance(control, comfy.controlnet.ControlNet)
    plain = given(controlnet(hint_images(F)), model)
    assert_times(given(control.copy(), model), plain, lambda *_: 0.5)


@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_sampling_in_windows_is_sampling_without(model, windows_per_batch):
    mask = torch.rand(F, 3, 5, generator=torch.Generator().manual_seed(5))
    control = scaled(controlnet(hint_images(F)), frame_values(PER_FRAME, mask, outside=0.25),
                     soft_weights=0.9)  # fmt: skip
    control.set_previous_controlnet(scaled(t2i_adapter(hint_images(3)), frame_values(PER_FRAME[::-1])))
    noise = seeded(F, 4, H, W)
    conds = with_control(prompt(F), control), with_control(prompt(seed=3), control)
    expected = evaluate(model, noise, *conds, sampler=two_steps)
    windows = windowed(model, windows_per_batch=windows_per_batch)
    assert_same(evaluate(windows, noise, *conds, sampler=two_steps), expected)
    half = with_control(prompt(F), control.previous_controlnet), with_control(prompt(seed=3), control)
    assert (evaluate(model, noise, *half, sampler=two_steps) - expected).abs().max() > 1e-3


def test_several_videos_in_windows_have_the_strength_of_one_each(model):
    """Context Windows says how many frames one has; ControlNet over Time need not be told again."""
    control, noise = scaled(controlnet(hint_images(1)), frame_values(PER_FRAME)), seeded(B * F, 4, H, W)
    conds = with_control(prompt(), control), with_control(prompt(seed=3), control)
    both = evaluate(windowed(model, frames_per_video=F), noise, *conds)
    for found, part in zip(both.split(F), noise.split(F), strict=True):
        assert_same(found, evaluate(model, part, *conds))


def test_what_cannot_be_is_named(model):
    control = controlnet(hint_images(F))
    with pytest.raises(ValueError, match="has values for 3 frames, the video has 7"):
        given(scaled(control, frame_values([1.0, 0.5, 0.0])), model)
    blocks = frame_values([1.0])
    blocks.blocks["down"] = 0.5
    with pytest.raises(ValueError, match="takes no values by block; take out Vary Value by Block"):
        OverTimeSettings(blocks)
    with pytest.raises(ValueError, match="is one of Advanced-ControlNet, which has strengths of its own"):
        scaled(FrameControl(control, []))
    with pytest.raises(ValueError, match="needs the latents of images, 4 dimensions"):
        scaled(control).get_control(torch.zeros(1, 4, 3, H, W), None, {}, 1, {})
