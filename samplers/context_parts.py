"""Which of several settings rules each step of a sampling run, where each holds from a noise level on.

Source: AnimateDiff-Evolved's rule for chained context options (start_percent, guarantee_steps), kept where
each step is one evaluation of the network.
"""

from __future__ import annotations

from collections.abc import Sequence


def parts_of_steps(
    sigmas: Sequence[float], starts: Sequence[float], guaranteed_steps: Sequence[int]
) -> list[int]:
    """The number of the part that rules each step.

    sigmas: the noise level of each step. starts: the noise level from which on each part holds, falling.
    guaranteed_steps: how many steps a part gets at least, if it begins within the run. The first part rules
    until another one begins. In a run towards more noise each level has the part that it has on the way down.

    >>> parts_of_steps([8, 4, 2, 1], [9, 4, 3], [0, 0, 0])
    [0, 1, 2, 2]
    >>> parts_of_steps([8, 4, 2, 1], [9, 4, 3], [0, 2, 0])
    [0, 1, 1, 2]
    >>> parts_of_steps([8, 2, 1], [9, 4, 3], [0, 1, 1])
    [0, 1, 2]
    """
    if len(sigmas) > 1 and sigmas[0] < sigmas[-1]:
        return parts_of_steps(sigmas[::-1], starts, guaranteed_steps)[::-1]
    highest = max(sigmas, default=0.0)
    owed = [0 if start > highest else steps for start, steps in zip(starts, guaranteed_steps, strict=True)]
    part, ruled, ruling = 0, 0, []
    for sigma in sigmas:
        following = part + 1
        while ruled >= owed[part] and following < len(starts) and starts[following] >= sigma:
            part, ruled, following = following, 0, following + 1
        ruling.append(part)
        ruled += 1
    return ruling
