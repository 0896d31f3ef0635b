"""Muon for matrices and AdamW for the rest, on float32 masters of a bfloat16 network, with a moving average.

Source: Jordan et al. 2024 (github.com/KellerJordan/Muon) for the orthogonalised momentum; Liu et al. 2025,
arXiv 2502.16982, section 2.2, for the update's scale, which lets both parts share one learning rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import torch

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """Approximate U V^T of each matrix of a stack (N, rows, columns), by five Newton-Schulz steps."""
    a, b, c = NEWTON_SCHULZ
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / (x.float().flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-7).bfloat16()
    for _ in range(5):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.transpose(1, 2) if tall else x).float()


class MasterOptimiser:
    """Keeps masters, momenta and the moving average of named working parameters,
    and writes the masters back.
    """

    def __init__(
        self, parameters: Iterable[tuple[str, torch.nn.Parameter]], not_matrices: tuple[str, ...], ema: float,
        faster: Mapping[str, float] = MappingProxyType({}),
    ):  # fmt: skip
        """not_matrices: parts of the names of matrices that AdamW is for. faster: a part of the names of
        parameters of AdamW -> their rate, relative to the others'.
        """
        self.working = dict(parameters)
        self.master = {k: p.detach().float().clone() for k, p in self.working.items()}
        self.average = {k: p.clone() for k, p in self.master.items()}
        self.first = {k: torch.zeros_like(p) for k, p in self.master.items()}
        self.groups: dict[tuple[int, int], list[str]] = {}
        self.vectors = []
        for key, value in self.master.items():
            if value.ndim >= 2 and not any(part in key for part in not_matrices):
                self.groups.setdefault(tuple(value.flatten(1).shape), []).append(key)
            else:
                self.vectors.append(key)
        self.second = {k: torch.zeros_like(self.master[k]) for k in self.vectors}
        self.ema = ema
        self.faster = [next((f for part, f in faster.items() if part in k), 1.0) for k in self.vectors]
        self.steps = 0

    @torch.no_grad()
    def step(self, rate: float, decay: float = 0.01) -> None:
        """One update from the working parameters' gradients, which are cleared."""
        self.steps += 1
        gradients = {
            k: torch.zeros_like(self.master[k]) if p.grad is None else p.grad.float()
            for k, p in self.working.items()
        }
        self._step_matrices(gradients, rate, decay)
        if self.vectors:
            self._step_vectors(gradients, rate)
        kept = min(self.ema, (1 + self.steps) / (10 + self.steps))
        masters = [self.master[k] for k in self.working]
        torch._foreach_lerp_([self.average[k] for k in self.working], masters, 1 - kept)
        torch._foreach_copy_(list(self.working.values()), masters)
        for parameter in self.working.values():
            parameter.grad = None

    def _step_matrices(self, gradients: dict[str, torch.Tensor], rate: float, decay: float) -> None:
        for shape, keys in self.groups.items():
            momenta, own = [self.first[k] for k in keys], [gradients[k] for k in keys]
            torch._foreach_mul_(momenta, 0.95)
            torch._foreach_add_(momenta, own)
            updates = torch._foreach_add(own, momenta, alpha=0.95)
            scale = 0.2 * max(shape) ** 0.5
            masters = [self.master[k] for k in keys]
            changes = orthogonalise(torch.stack([u.flatten(1) for u in updates])).unbind(0)
            torch._foreach_mul_(masters, 1 - rate * decay)
            torch._foreach_add_(
                masters, [c.view_as(m) for c, m in zip(changes, masters, strict=True)], alpha=-rate * scale
            )

    def _step_vectors(self, gradients: dict[str, torch.Tensor], rate: float) -> None:
        own = [gradients[k] for k in self.vectors]
        first, second = [self.first[k] for k in self.vectors], [self.second[k] for k in self.vectors]
        torch._foreach_lerp_(first, own, 0.1)
        torch._foreach_lerp_(second, torch._foreach_mul(own, own), 0.01)
        bias1, bias2 = 1 - 0.9**self.steps, 1 - 0.99**self.steps
        sizes = torch._foreach_sqrt(torch._foreach_div(second, bias2))
        torch._foreach_add_(sizes, 1e-8)
        rates = [-rate * faster / bias1 for faster in self.faster]
        torch._foreach_addcdiv_([self.master[k] for k in self.vectors], first, sizes, rates)

    def state_dict(self) -> dict:
        """Everything needed to go on."""
        return {k: getattr(self, k) for k in ("master", "average", "first", "second", "steps")}

    def load_state_dict(self, state: dict) -> None:
        """Go on from `state_dict`; the working parameters are overwritten.
        What a state does not know stays as it is.
        """
        for name, value in state.items():
            known = getattr(self, name)
            setattr(
                self,
                name,
                known | {k: v.to(known[k].device) for k, v in value.items()}
                if isinstance(value, dict)
                else value,
            )
        with torch.no_grad():
            for key, parameter in self.working.items():
                parameter.copy_(self.master[key])
