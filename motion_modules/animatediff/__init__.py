"""AnimateDiff v1, v2, v3 and SDXL, AnimateLCM, HotshotXL: temporal transformers behind the blocks of a UNet.

Source: Guo et al. 2023, arXiv 2307.04725; layers.py and files.py name what fixes the details.
"""

from __future__ import annotations

from dataclasses import replace

from ..method import TemporalMethod
from .families import FAMILIES
from .files import is_plain_module, read_motion_module, to_file
from .layers import MotionModel, config_for, misfit, motion_acts

METHOD = TemporalMethod(
    name="AnimateDiff",
    claims=is_plain_module,
    read=read_motion_module,
    build=MotionModel,
    acts=motion_acts,
    new=config_for,
    to_file=to_file,
    misfit=misfit,
    # The position table is a formula, not a weight.
    is_trained=lambda name: not name.endswith("pos_encoder.pe"),
    keeps_float32=lambda name: name.endswith("pos_encoder.pe"),
    title=lambda config: FAMILIES[config.version].title,
    longest=lambda config: config.position_length,
    with_positions=lambda config, rows: replace(config, position_length=rows),
    takes_views=True,
    beta_schedule=lambda config: FAMILIES[config.version].beta_schedule,
    joint_norms=lambda config: FAMILIES[config.version].joint_norms,
    joint_module_norms=lambda config: FAMILIES[config.version].joint_module_norms,
    advice=lambda config: FAMILIES[config.version].advice,
)
