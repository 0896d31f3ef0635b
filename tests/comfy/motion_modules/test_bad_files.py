"""Files of temporal methods that cannot be used are refused before a run: rule, value, remedy."""

import functools
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_models import (
    motion_module_from_file,
    new_motion_module,
    save_motion_module,
)
from zoetrope.host.injection.places import places_of
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.comfy.method_rules import with_inputs
from zoetrope.tests.networks.image_unets import IMAGE_UNETS

OTHER_METHODS = [name for name in METHODS if name != "AnimateDiff"]
"""AnimateDiff reads its files in a way of its own: tests/bare/motion_modules/animatediff."""


@pytest.fixture(scope="module")
def checkpoints():
    return {name: unet.model() for name, unet in IMAGE_UNETS.items()}


def module_for(checkpoint, method):
    return new_motion_module(METHODS[method], places_of(checkpoint.model.diffusion_model))


@pytest.fixture(scope="module")
def new_module(checkpoints):
    """An untrained module for SD1.x, made once for each method; no test changes it."""
    return functools.cache(lambda method: module_for(checkpoints["SD1.x"], method))


@pytest.fixture
def file(new_module, tmp_path):
    """Writes an untrained module for SD1.x, with some of its tensors changed, and gives its path."""

    def write(method, change=dict, metadata=None):
        path = str(tmp_path / "module.safetensors")
        save_motion_module(new_module(method), path)
        save_file(change(load_file(path)), path, metadata)
        return path

    return write


def without_last(tensors):
    return dict(list(tensors.items())[:-1])


def narrower_last(tensors):
    return tensors | {key: value[:-1] for key, value in list(tensors.items())[-1:]}


def not_a_number(tensors):
    return tensors | {key: value * torch.nan for key, value in list(tensors.items())[-1:]}


@pytest.mark.parametrize("method", OTHER_METHODS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without_last,
            "module.safetensors' lacks the key .* download it again|43 .*, this checkpoint has 44",
        ),
        (narrower_last, "has shape .* where .* is needed; the file is damaged"),
        (not_a_number, "not finite .* the file is damaged"),
    ],
)
def test_damage_is_named(checkpoints, file, method, change, message):
    """A layer of one key that is missing is seen where the module meets the checkpoint."""
    with pytest.raises(ValueError, match=message):
        module = motion_module_from_file(file(method, change))
        apply_motion_module(checkpoints["SD1.x"], module, MotionSettings())


DAMAGE = (
    lambda tensor: torch.tensor(1.0),  # a number
    lambda tensor: tensor[:-1],  # one row less
    lambda tensor: tensor[:0],  # no rows
    lambda tensor: tensor[None],  # one axis more
)


@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize("method", METHODS)
def test_damage_of_any_tensor_is_named(new_module, method, turn):
    """Two of the damages for each kind of tensor, others for the next kind: reading takes a while."""
    module = new_module(method)
    tensors = module.method.to_file(module.patcher.model)
    one_of_each_kind = {re.sub(r"\d+", "#", key): key for key in tensors}
    for number, key in enumerate(one_of_each_kind.values()):
        damaged = DAMAGE[(number + 2 * turn) % len(DAMAGE)](tensors[key])
        with pytest.raises(ValueError, match="'module.safetensors'"):
            module.method.read(tensors | {key: damaged}, "module.safetensors")


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_a_head_that_contradicts_the_keys_is_refused(file, method):
    other = next(name for name in METHODS if name != method)
    with pytest.raises(
        ValueError,
        match=f"says that it is a module of {re.escape(other)}, its keys are those of {re.escape(method)}",
    ):
        motion_module_from_file(file(method, metadata={"method": other}))


@pytest.mark.parametrize("method", METHODS)
def test_another_family_of_checkpoint_is_refused(checkpoints, new_module, method):
    with pytest.raises(ValueError, match="does not fit this checkpoint: .* this checkpoint"):
        apply_motion_module(checkpoints["SDXL"], new_module(method), MotionSettings())


def test_two_methods_that_set_what_attention_reads_exclude_each_other(checkpoints):
    checkpoint = checkpoints["SD1.x"]
    once = apply_motion_module(checkpoint, module_for(checkpoint, "SimDA"), MotionSettings())
    with pytest.raises(
        ValueError, match="SimDA.* decides already which frames .* Tune-A-Video.* one of them"
    ):
        apply_motion_module(once, module_for(checkpoint, "Tune-A-Video"), MotionSettings())


def test_other_methods_stack(checkpoints):
    checkpoint = checkpoints["SD1.x"]
    once = apply_motion_module(checkpoint, module_for(checkpoint, "AnimateDiff"), MotionSettings())
    apply_motion_module(once, module_for(checkpoint, "Tune-A-Video"), MotionSettings())


@pytest.mark.parametrize("method", METHODS)
def test_an_untrained_module_says_so_also_from_a_file(checkpoints, new_module, method, tmp_path, caplog):
    checkpoint, path = checkpoints["SD1.x"], str(tmp_path / "new.safetensors")
    save_motion_module(new_module(method), path)
    apply_motion_module(checkpoint, with_inputs(motion_module_from_file(path)), MotionSettings())
    assert f"These layers ({method}) are not trained yet" in caplog.text
