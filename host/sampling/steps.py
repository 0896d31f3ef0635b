"""Which sampling step a noise level belongs to: found from the schedule, because calls cannot be counted
(samplers of higher order, windows and areas call the network more than once a step).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch


def step_of(sigma: torch.Tensor, model_options: Mapping) -> int:
    """The sampling step, from 0, of a noise level (B,); 0 outside of a sampling run.

    A noise level between two of the schedule belongs to the step that begins above it (dpm_2 and its kind);
    the second evaluation of heun lies on the next step's and belongs to that one.
    """
    sigmas = model_options.get("transformer_options", {}).get("sample_sigmas")
    if sigmas is None:
        return 0
    # The tolerance is for noise levels that have been through another precision. Samplers that add noise
    # before the first step begin above the schedule.
    return max(0, int((sigmas >= sigma[0].to(sigmas) * 0.9999).sum()) - 1)
