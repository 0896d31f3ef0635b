"""Every temporal method beside core's nodes that work on the same attentions: alone and in windows."""

import pytest
import torch
from comfy_extras.nodes_freelunch import FreeU_V2
from comfy_extras.nodes_hypertile import HyperTile
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_tomesd import TomePatchModel
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.comfy.method_rules import Case, same

NODES = {
    "HyperTile": lambda model: HyperTile.execute(model, 32, 1, 0, False)[0],
    "Token Merging": lambda model: TomePatchModel.execute(model, 0.5)[0],
    "Perturbed Attention": lambda model: PerturbedAttentionGuidance.execute(model, 3.0)[0],
    "FreeU": lambda model: FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2)[0],
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return {name: Case(method, "SD1.x", tmp_path_factory.mktemp("m")) for name, method in METHODS.items()}


@pytest.mark.parametrize("windowed", [False, True], ids=["whole", "windows"])
@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("method", METHODS)
def test_it_works_beside(cases, method, node, windowed):
    case = cases[method]
    model = NODES[node](case.moving())
    if windowed:
        model = apply_context_windows(model, ContextSettings(context_length=3, context_overlap=1))
    got = case.sample(model)
    assert torch.isfinite(got).all()
    assert not torch.allclose(got, case.sample(NODES[node](case.plain)), atol=1e-3)


@pytest.mark.parametrize("method", ["Tune-A-Video", "SimDA"])
def test_tiles_read_whole_frames(cases, method):
    """HyperTile cuts the queries; each tile still reads all of the other frames, so nothing changes."""
    case = cases[method]
    same(case.sample(NODES["HyperTile"](case.moving())), case.sample(case.moving()))
