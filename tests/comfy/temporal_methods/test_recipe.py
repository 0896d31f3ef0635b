"""A method added by AGENTS.md's recipe, a file and a line, keeps the rules and trains."""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap

import pytest
import torch
from zoetrope.host.injection import motion_models
from zoetrope.host.injection.apply import attention_with
from zoetrope.host.injection.places import places_of
from zoetrope.motion_modules import methods
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.points import inject
from zoetrope.tests.comfy.method_rules import RULES, Case, F, H, W
from zoetrope.tests.comfy.method_value_rules import VALUE_RULES
from zoetrope.tests.places import ROOT


def recipe() -> str:
    """The file of a new method as AGENTS.md prints it."""
    found = re.search(
        r"### Add a temporal method\n.*?```python\n(.*?)```",
        (ROOT / "AGENTS.md").read_text(encoding="utf8"),
        re.DOTALL,
    )
    assert found, "AGENTS.md lost the recipe 'Add a temporal method' with its file"
    return textwrap.dedent(found[1])


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The method of the recipe: its file in a folder of its own, its line in METHODS."""
    file = tmp_path_factory.mktemp("toy") / "toy.py"
    file.write_text(recipe(), encoding="utf8")
    spec = importlib.util.spec_from_file_location("zoetrope.motion_modules.toy", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    methods.METHODS[module.METHOD.name] = module.METHOD
    yield module.METHOD
    del methods.METHODS[module.METHOD.name], sys.modules[spec.name]


@pytest.mark.parametrize("rule", RULES + VALUE_RULES, ids=lambda rule: rule.__name__)
def test_a_method_of_one_file_and_one_line_keeps_the_rules(toy, tmp_path, rule):
    rule(Case(toy, "SD1.x", tmp_path))


def test_a_method_of_one_file_and_one_line_trains(toy, tmp_path):
    """One step of training brings what the UNet makes of noise nearer to a target,
    and the file keeps what was learned.
    """
    case = Case(toy, "SD1.x", tmp_path)
    module, unet = case.new(), case.fresh_unet()
    network = module.patcher.model.requires_grad_(True)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    x, t, context = torch.randn(F, 4, H, W), torch.full((F,), 500.0), torch.randn(F, 7, case.unet.text_width)
    target = x.roll(1, 0)
    acts = toy.acts(network, places_of(unet))
    losses = []
    for _ in range(2):
        with (
            torch.enable_grad(),
            inject(unet, acts, lambda forward: Call(forward, F, attention=attention_with({}))),
        ):
            loss = (unet(x, t, context=context) - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
    network.requires_grad_(False)
    motion_models.save_motion_module(module, str(tmp_path / "toy.safetensors"))
    again = motion_models.motion_module_from_file(str(tmp_path / "toy.safetensors"))
    assert all(
        torch.equal(a, b) for a, b in zip(again.patcher.model.parameters(), network.parameters(), strict=True)
    )
