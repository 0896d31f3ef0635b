"""ControlNets in context windows:
every frame gets its own hint, and the user's control objects stay as they are.

The frames of the plain tiny model do not see each other, so the same graph without windows is the oracle.
"""

import comfy.controlnet
import comfy.model_management
import pytest
import torch
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.comfy.host.context_rig import (
    PRECISE,
    F,
    H,
    W,
    controlnet,
    evaluate,
    hint_images,
    one_evaluation,
    prompt,
    seeded,
    t2i_adapter,
    windowed,
    with_control,
)
from zoetrope.tests.rounding import assert_same


@pytest.fixture(scope="module")
def model():
    return golden_model(PRECISE)


def both(control, **extra):
    """Positive and negative conds that share a control object, as Apply ControlNet makes them."""
    return with_control(prompt(F), control, **extra), with_control(prompt(seed=3), control, **extra)


def two_steps(model, x, sigmas, extra_args=None, callback=None, disable=None):
    first = one_evaluation(model, x, sigmas, extra_args)
    return one_evaluation(model, first + (x - first) / 2, [sigmas[0] / 2], extra_args)


@pytest.mark.parametrize("windows_per_batch", [0, 1, 2])
@pytest.mark.parametrize("hints", [F, 3, 1, F + 2])
def test_hints_are_those_of_the_frames(model, hints, windows_per_batch):
    noise = seeded(F, 4, H, W)
    conds = both(controlnet(hint_images(hints)))
    expected = evaluate(model, noise, *conds, sampler=two_steps)
    assert_same(
        evaluate(windowed(model, windows_per_batch=windows_per_batch), noise, *conds, sampler=two_steps),
        expected,
    )
    plain = evaluate(model, noise, prompt(F), prompt(seed=3), sampler=two_steps)
    assert (expected - plain).abs().max() > 1e-2 * expected.std()  # the ControlNet does something


@pytest.mark.parametrize("schedule", ["standard_uniform", "looped_uniform", "batched"])
def test_hints_follow_every_schedule(model, schedule):
    noise = seeded(F, 4, H, W)
    conds = both(controlnet(hint_images(F)))
    windows = windowed(model, context_schedule=schedule, context_stride=2)
    assert_same(
        evaluate(windows, noise, *conds, sampler=two_steps), evaluate(model, noise, *conds, sampler=two_steps)
    )


@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_chained_controls_have_their_own_hints(model, windows_per_batch):
    control = controlnet(hint_images(F))
    control.set_previous_controlnet(
        t2i_adapter(hint_images(3, seed=10)).set_previous_controlnet(controlnet(hint_images(1), seed=6))
    )
    noise = seeded(F, 4, H, W)
    expected = evaluate(model, noise, *both(control), sampler=two_steps)
    windows = windowed(model, windows_per_batch=windows_per_batch)
    assert_same(evaluate(windows, noise, *both(control), sampler=two_steps), expected)


def test_control_lora_gets_the_hints_of_the_frames(model):
    weights = {
        name: value
        for name, value in controlnet().control_model.state_dict().items()
        if "zero_conv" in name or "hint" in name
    }
    weights |= {
        "middle_block_out.0.weight": seeded(128, 128, 1, 1) * 0.05,
        "middle_block_out.0.bias": seeded(128),
    }
    control = comfy.controlnet.ControlLora(weights).set_cond_hint(hint_images(F), 0.7)
    noise = seeded(F, 4, H, W)
    conds = with_control(prompt(F), control), prompt(seed=3)
    assert_same(evaluate(windowed(model), noise, *conds), evaluate(model, noise, *conds))


def test_a_control_that_acts_for_a_part_of_the_schedule(model):
    control = controlnet(hint_images(F))
    control.timestep_percent_range = (0.0, 0.5)
    noise = seeded(F, 4, H, W)
    for sigmas in ((14.0, 0.0), (0.3, 0.0)):
        conds = both(control)
        assert_same(
            evaluate(windowed(model), noise, *conds, sigmas=sigmas),
            evaluate(model, noise, *conds, sigmas=sigmas),
        )


def test_areas_have_their_part_of_the_hints(model):
    noise = seeded(F, 4, H, W)
    control = controlnet(hint_images(F))
    conds = (
        [*with_control(prompt(F), control, area=(4, 3, 2, 1)), *with_control(prompt(seed=4), control)],
        prompt(seed=3),
    )
    assert_same(evaluate(windowed(model), noise, *conds), evaluate(model, noise, *conds))


def test_masks_of_inpainting_controlnets_are_those_of_the_frames(model):
    def inpainting():
        control = controlnet(concat_mask=True)
        hint_layer = control.control_model.input_hint_block[0]
        hint_layer.weight.data = torch.cat([hint_layer.weight.data, seeded(16, 1, 3, 3) * 0.1], dim=1)
        return control.set_cond_hint(hint_images(F), 0.7, extra_concat=[seeded(F, 1, H * 8, W * 8, seed=12)])

    noise = seeded(F, 4, H, W)
    assert_same(
        evaluate(windowed(model), noise, *both(inpainting())), evaluate(model, noise, *both(inpainting()))
    )


def test_hints_are_prepared_once_for_each_frame(model):
    prepared = []

    def prepare(images):
        prepared.append(images.shape[0])
        return images * 0.5

    control = controlnet(hint_images(F), preprocess_image=prepare)
    noise = seeded(F, 4, H, W)
    evaluate(
        windowed(model, windows_per_batch=1, context_overlap=0), noise, *both(control), sampler=two_steps
    )
    # two rows each for the positive and the negative cond of windows of 3, 3 and 3 frames:
    # the first evaluation only
    assert prepared == [6, 6, 6]


def state_of(control):
    return {name: value for name, value in vars(control).items() if name != "timestep_range"}


def test_control_objects_are_as_they_were_after_a_run(model):
    control = controlnet(hint_images(F))
    control.set_previous_controlnet(t2i_adapter(hint_images(F)))
    before = [state_of(control), state_of(control.previous_controlnet)]
    evaluate(windowed(model), seeded(F, 4, H, W), *both(control))
    assert [state_of(control), state_of(control.previous_controlnet)] == before


@pytest.mark.parametrize("failure", ["network", "controlnet", "interrupt"])
def test_control_objects_are_as_they_were_after_a_failure(model, failure):
    control = controlnet(hint_images(F))
    control.set_previous_controlnet(controlnet(hint_images(3), seed=6))
    noise = seeded(F, 4, H, W)
    expected = evaluate(windowed(model), noise, *both(control))
    held = state_of(control), state_of(control.previous_controlnet)
    windows = windowed(model, windows_per_batch=1)

    def fail(apply_model, args):
        if failure == "interrupt":
            comfy.model_management.interrupt_current_processing()
            return apply_model(args["input"], args["timestep"], **args["c"])
        raise RuntimeError("out of luck")

    if failure == "controlnet":
        hook = control.control_model.register_forward_hook(fail_in_forward)
    else:
        windows.set_model_unet_function_wrapper(fail)
    with pytest.raises((RuntimeError, comfy.model_management.InterruptProcessingException)):
        evaluate(windows, noise, *both(control))
    if failure == "controlnet":
        hook.remove()
    after = state_of(control), state_of(control.previous_controlnet)
    for now, then in zip(after, held, strict=True):
        now.pop("model_sampling_current"), then.pop("model_sampling_current")
        assert now == then
    assert torch.equal(evaluate(windowed(model), noise, *both(control)), expected)


def fail_in_forward(*_):
    raise RuntimeError("out of luck")


class FrameControl(comfy.controlnet.ControlNet):
    """A control class of another pack with the protocol of Advanced-ControlNet:
    told the frames, it picks its hints itself.
    """

    def __init__(self, control, told):
        super().__init__(control.control_model, load_device=control.load_device)
        self.sub_idxs, self.full_latent_length, self.context_length = None, 0, 0
        self.told = told

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        self.told.append((self.sub_idxs, self.full_latent_length, self.context_length, x_noisy.shape[0]))
        whole, self.cond_hint = self.cond_hint_original, None
        self.cond_hint_original = whole[self.sub_idxs]
        try:
            return super().get_control(x_noisy, t, cond, batched_number, transformer_options)
        finally:
            self.cond_hint_original = whole


def test_foreign_controls_that_know_frames_are_told_the_frames(model):
    told = []
    control = FrameControl(controlnet(), told).set_cond_hint(hint_images(F), 0.7)
    noise = seeded(F, 4, H, W)
    result = evaluate(windowed(model), noise, *both(control))
    assert sorted(told) == [([0, 1, 2], F, 3, 6), ([2, 3, 4], F, 3, 6), ([4, 5, 6], F, 3, 6)]
    assert (control.sub_idxs, control.full_latent_length, control.context_length) == (None, 0, 0)
    assert_same(result, evaluate(model, noise, *both(controlnet(hint_images(F)))))
