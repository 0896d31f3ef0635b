"""Nodes of AnimateDiff-Evolved and VideoHelperSuite that ComfyUI may exchange
for ours or its own where those packs are missing.

They are the rules of workflow_conversion/ that say one node for one node, input by input. ComfyUI's front end
offers to exchange them in the graph ("Replace"; web/replaced_values.js brings it the values of
VideoHelperSuite's widgets), and prompt_replacements.py exchanges them in a prompt.
"""

from __future__ import annotations

from comfy_api.latest import ComfyAPI, io

from ...workflow_conversion.rules.plain import MOST_OUTPUTS, REPLACEMENTS, Replacement


def as_node_replace(replacement: Replacement) -> io.NodeReplace:
    """A rule in the form in which ComfyUI takes it."""
    inputs = [{"new_id": new, "old_id": old} for old, new in replacement.inputs.items()]
    inputs += [{"new_id": name, "set_value": value} for name, value in replacement.values.items()]
    # All of them: the front end moves only the links of outputs that are named,
    # and skips those that a node does not have.
    outputs = [{"new_idx": replacement.outputs.get(old, old), "old_idx": old} for old in range(MOST_OUTPUTS)]
    return io.NodeReplace(replacement.new, replacement.old, list(replacement.widgets), inputs, outputs)


async def register_node_replacements() -> None:
    """Tells ComfyUI of every replacement; one that is known already is not added again."""
    for replacement in REPLACEMENTS:
        await ComfyAPI().node_replacement.register(as_node_replace(replacement))
