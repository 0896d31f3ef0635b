"""The networks of FID and FVD give the numbers of torch-fidelity 0.4.0 and cd-fvd 0.1.1 on seeded weights.

networks.npz: what those packages give for the pictures and weights made here.
"""

import numpy as np
import pytest
import torch
from zoetrope.metrics.networks.aesthetic_heads import DeepHead, LinearHead
from zoetrope.metrics.networks.files import KINDS, network_of
from zoetrope.metrics.networks.i3d import I3D
from zoetrope.metrics.networks.inception import Inception, resized_as_tensorflow_1
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.networks.metric_networks import weights
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same


@pytest.fixture(scope="module")
def golden():
    rng = np.random.RandomState(11)
    image = rng.randint(0, 256, (1, 37, 53, 3)).astype(np.uint8)
    video = rng.randint(0, 256, (1, 9, 37, 53, 3)).astype(np.uint8)
    recorded = {k: torch.from_numpy(v) for k, v in np.load(GOLDENS / "metrics" / "networks.npz").items()}
    return recorded | {"image": torch.from_numpy(image) / 255, "video": torch.from_numpy(video) / 255}


def test_inception_is_torch_fidelitys(golden):
    tensors = weights(Inception)
    assert len(tensors) == 566, "as the published file has"
    kind, network = network_of(tensors, "weights-inception-2015-12-05-6726825d.pth")
    features, logits = network(golden["image"])
    assert kind.name == "inception"
    assert_same(features, golden["features"])
    assert_same(logits, golden["logits"])


def test_i3d_is_cd_fvds(golden):
    tensors = weights(I3D)
    assert len(tensors) == 344, "as the published file has"
    older = {key: value for key, value in tensors.items() if "num_batches" not in key}
    kind, network = network_of(older, "i3d_pretrained_400.pt")
    assert kind.name == "i3d"
    assert_same(network(golden["video"]), golden["video_logits"])
    with pytest.raises(ValueError, match="at least 9 frames, got 8; take longer"):
        network(golden["video"][:, :8])


def test_resizing_reads_where_tensorflow_1_did():
    ramp = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 2, 4)
    row = resized_as_tensorflow_1(ramp, 8)[0, 0, 0]
    assert row.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]


@pytest.mark.parametrize(("build", "name"), [(LinearHead, "aesthetic head"), (DeepHead, "aesthetic head v2")])
def test_aesthetic_heads_are_known_by_their_keys(build, name):
    kind, head = network_of(weights(build), "head.pth")
    assert kind.name == name
    x = gold_tensor("features", (3, 768))
    expected = x @ head.weight.T + head.bias if build is LinearHead else x
    if build is DeepHead:
        for place in (0, 2, 4, 6, 7):
            layer = head.layers[str(place)]
            expected = expected @ layer.weight.T + layer.bias
    assert torch.equal(head(x), expected[:, 0])


def broken(change):
    tensors = weights(LinearHead)
    change(tensors)
    return tensors


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda t: t.clear(),
            "'x.pth' is none of the networks that metrics know; take one of: weights-incep",
        ),
        (
            lambda t: t.pop("bias"),
            "'x.pth' lacks 'bias' of LAION .* take sa_0_4_vit_l_14_linear.pth from git",
        ),
        (
            lambda t: t.update(weight=torch.zeros(1, 512)),
            r"'weight' has shape \(1, 512\), LAION .* \(1, 768\)",
        ),
        (lambda t: t["weight"].fill_(torch.nan), "'weight' holds numbers that are not finite"),
        (
            lambda t: t.update(more=torch.zeros(2)),
            "has 'more', which LAION .* has not; it is another network",
        ),
    ],
)
def test_wrong_weights_under_the_right_name_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        network_of(broken(change), "x.pth")


def test_every_kind_says_where_its_file_comes_from():
    assert all(kind.file and "github.com" in kind.source for kind in KINDS.values())
    assert len({kind.mark for kind in KINDS.values()}) == len(KINDS)
