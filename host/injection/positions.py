"""Adjust Position Table: a module whose position tables are stretched or cut."""

from __future__ import annotations

import torch

from ...foreign_text import printable
from ...frame_tools.plots import plot_values
from ...memory import check_memory
from ...motion_modules.positions import PositionChange, is_table_of_layers
from ..node_notes import current_node, say
from .motion_models import MotionModule, extended


def adjust_positions(module: MotionModule, change: PositionChange) -> MotionModule:
    """The module with other position tables; module itself is not changed.

    What was patched before (MotionLoRAs, Adjust Weights) stays patched: it is put onto the new tables.
    Raises ValueError for a module without tables, and where no row is left or memory lacks.
    """
    method = module.method
    if method.with_positions is None:
        raise ValueError(
            f"'{printable(module.name)}' is a module of {method.name}, which has no position table; use a "
            "motion module such as v3_sd15_mm.ckpt."
        )
    tables = position_tables(module)
    before = next(iter(tables.values())).shape[1]
    rows = change.rows(before)
    if change.cap > before + change.stretch - change.offset_before:
        say(f"cap={change.cap} changes nothing, the table has fewer rows.", current_node())
    say(f"The position table has {rows} rows, it had {before}.", current_node())
    if not change:
        return module
    channels = sum(table.shape[2] for table in tables.values())
    needed = channels * change.most_rows(before) * 4
    check_memory(needed, f"position tables of {change.most_rows(before)} rows", "lower stretch or length")
    changed = {key: change.of(table.float()).to(table.dtype) for key, table in tables.items()}
    config = method.with_positions(module.config, rows)
    return extended(module, method, config, changed)


def position_tables(module: MotionModule) -> dict[str, torch.Tensor]:
    """The module's tables (1, R, C) by name, without what is patched into them."""
    patcher = module.patcher
    parameters = patcher.model.named_parameters()
    tables = {key: value.detach() for key, value in parameters if is_table_of_layers(key)}
    kept = {key: patcher.backup[key].weight for key in tables if key in patcher.backup}
    return {key: value.to(patcher.offload_device) for key, value in (tables | kept).items()}


def draw_positions(before: MotionModule, after: MotionModule) -> torch.Tensor:
    """Two channels of a module's first table before and after: a picture (1, H, W, 3), 0..1.

    The channels are slow waves, so that one sees whether rows are stretched, cut or moved.
    """
    tables = [next(iter(position_tables(module).values()))[0].float() for module in (before, after)]
    channels = [tables[0].shape[1] // 4, tables[0].shape[1] // 8]
    series = [table[:, channel].tolist() for channel in channels for table in tables]
    labels = [f"channel {channel} {when}" for channel in channels for when in ("before", "after")]
    return plot_values(series, labels, title="Position table", across="row")
