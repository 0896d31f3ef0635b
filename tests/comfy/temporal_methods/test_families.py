"""Every family of AnimateDiff's modules keeps the rules, on the kind of checkpoint that it is for."""

from dataclasses import replace

import comfy.supported_models
import pytest
import torch
from zoetrope.host.windows.handler import ContextSettings, apply_context_windows
from zoetrope.motion_modules.animatediff.layers import config_for
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.comfy.method_rules import RULES, Case, F, H, W, same
from zoetrope.tests.comfy.method_value_rules import VALUE_RULES
from zoetrope.tests.networks.image_unets import image_unet

FAMILIES = {"v1": ("SD1.x", 24), "v2": ("SD1.x", 32), "animatelcm": ("SD1.x", 64), "hotshotxl": ("SDXL", 24)}
"""Version -> its checkpoint and the rows of its table. What New Temporal Layers makes is v3 or SDXL."""
WITH_MIDDLE = ("v2", "animatelcm")


def new_config(version, rows):
    """What New Temporal Layers would make if it made this family."""

    def config(places):
        made = config_for(places)
        sites = dict(made.site_channels)
        if version in WITH_MIDDLE:
            sites["mid_block.motion_modules.0"] = places.channels_at(("middle", 0))
        return replace(made, version=version, site_channels=sites, position_length=rows)

    return config


def family_method(version):
    """AnimateDiff with new modules of this family."""
    joint = version in ("v1", "hotshotxl")  # norms over all frames act before anything is trained
    new = new_config(version, FAMILIES[version][1])
    return replace(METHODS["AnimateDiff"], new=new, acts_untrained=joint)


@pytest.fixture(scope="module")
def family(request, tmp_path_factory):
    return Case(family_method(request.param), FAMILIES[request.param][0], tmp_path_factory.mktemp("family"))


@pytest.mark.parametrize("rule", RULES + VALUE_RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("family", FAMILIES, indirect=True)
def test_rule(family, rule):
    rule(family)


class Inpainting(comfy.supported_models.SD15):
    unet_extra_config = {"num_heads": 4, "num_head_channels": -1}


@pytest.mark.parametrize("family", ["v1", "v2", "animatelcm"], indirect=True)
@pytest.mark.parametrize("windows", [False, True], ids=["whole", "in windows"])
def test_an_inpainting_checkpoint_moves(family, windows):
    """Its first convolution sees the mask and the masked picture of every frame besides."""
    plain = image_unet(Inpainting, in_channels=9, use_linear_in_transformer=False)
    moving = family.moving(model=plain)
    if windows:
        moving = apply_context_windows(moving, ContextSettings(context_length=3, context_overlap=1))
    mask = torch.zeros(F, 1, H, W)
    mask[..., W // 2 :] = 1.0
    pictures = {"concat_latent_image": torch.ones(F, 4, H, W), "concat_mask": mask}

    def inpainted(model):
        text, values = family.unet.conditioning("positive")[0]
        positive = [[text, {**values, **pictures}]]
        return family.sample(model, positive=positive, noise_mask=mask)

    got, still = inpainted(moving), inpainted(plain)
    assert torch.isfinite(got).all()
    same(got[..., : W // 2], still[..., : W // 2])  # outside of the mask nothing is made
    assert (got - still).abs().max() > 1e-2


@pytest.mark.parametrize("family", FAMILIES, indirect=True)
def test_cfg_1_is_the_positive_alone(family):
    """Core leaves the negative out there, so a batch holds one chunk."""
    moving = family.moving()
    alone = family.sample(moving, cfg=1.0)
    other = family.sample(moving, cfg=1.0, negative=family.unet.conditioning("another"))
    assert torch.equal(alone, other)
    assert not torch.allclose(alone, family.sample(moving), atol=1e-3)
