"""Which network a file of weights is, by its keys and shapes, and the network made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ...foreign_text import printable
from .aesthetic_heads import DeepHead, LinearHead
from .i3d import DESCRIPTION as I3D_DESCRIPTION
from .i3d import I3D
from .inception import DESCRIPTION as INCEPTION_DESCRIPTION
from .inception import Inception

_COUNTER = "num_batches_tracked"


@dataclass(frozen=True, kw_only=True)
class NetworkKind:
    """name: for sockets and messages. mark: a key that only its files have, with its shape. file: the usual
    file's name. source: where people get it.
    """

    name: str
    description: str
    mark: tuple[str, tuple[int, ...]]
    build: Callable[[], nn.Module]
    file: str
    source: str


KINDS = {
    kind.name: kind
    for kind in (
        NetworkKind(
            name="inception",
            description=INCEPTION_DESCRIPTION,
            mark=("fc.weight", (1008, 2048)),
            build=Inception,
            file="weights-inception-2015-12-05-6726825d.pth",
            source="github.com/toshas/torch-fidelity, release v0.2.0 (pytorch-fid's"
            " pt_inception-2015-12-05-6726825d.pth is the same)",
        ),
        NetworkKind(
            name="i3d",
            description=I3D_DESCRIPTION,
            mark=("logits.conv3d.weight", (400, 1024, 1, 1, 1)),
            build=I3D,
            file="i3d_pretrained_400.pt",
            source="github.com/songweige/TATS, tats/fvd",
        ),
        NetworkKind(
            name="aesthetic head",
            description="LAION aesthetic head v1 (linear)",
            mark=("weight", (1, 768)),
            build=LinearHead,
            file="sa_0_4_vit_l_14_linear.pth",
            source="github.com/LAION-AI/aesthetic-predictor",
        ),
        NetworkKind(
            name="aesthetic head v2",
            description="LAION aesthetic head v2 (sac+logos+ava1)",
            mark=("layers.0.weight", (1024, 768)),
            build=DeepHead,
            file="sac+logos+ava1-l14-linearMSE.pth",
            source="github.com/christophschuhmann/improved-aesthetic-predictor",
        ),
    )
}


def network_of(tensors: Mapping[str, torch.Tensor], file_name: str) -> tuple[NetworkKind, nn.Module]:
    """The network of a file's tensors in float32, ready to compute.

    Raises ValueError for a file of another kind, one that lacks layers or has wrong ones, and for weights
    that are not finite.
    """
    told = f"'{printable(file_name)}'"
    tensors = {
        key: value.float() if value.is_floating_point() else value
        for key, value in tensors.items()
        if isinstance(value, torch.Tensor)
    }
    kind = next((kind for kind in KINDS.values() if kind.mark[0] in tensors), None)
    if kind is None:
        known = "; ".join(f"{k.file} ({k.source})" for k in KINDS.values())
        raise ValueError(f"{told} is none of the networks that metrics know; take one of: {known}.")
    with torch.device("meta"):
        network = kind.build()
    wanted = {key: value.shape for key, value in network.state_dict().items()}
    for key, shape in wanted.items():
        if key.endswith(_COUNTER):
            tensors.setdefault(key, torch.zeros((), dtype=torch.long))
        elif key not in tensors:
            raise ValueError(f"{told} lacks '{printable(key)}' of {kind.description}; {_again(kind)}")
        elif tensors[key].shape != shape:
            raise ValueError(
                f"{told}: '{printable(key)}' has shape {tuple(tensors[key].shape)}, {kind.description} has"
                f" {tuple(shape)}; {_again(kind)}"
            )
        elif not bool(tensors[key].isfinite().all()):
            raise ValueError(
                f"{told}: '{printable(key)}' holds numbers that are not finite (NaN or infinity);"
                f" {_again(kind)}"
            )
    if more := sorted(tensors.keys() - wanted.keys()):
        raise ValueError(
            f"{told} has '{printable(more[0])}', which {kind.description} has not; it is another network."
            f" {_again(kind).capitalize()}"
        )
    network.load_state_dict({key: tensors[key] for key in wanted}, assign=True)
    return kind, network.requires_grad_(False).eval()


def _again(kind: NetworkKind) -> str:
    return f"take {kind.file} from {kind.source}."
