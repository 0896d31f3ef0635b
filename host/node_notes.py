"""Short sentences under a node and in ComfyUI's log: what runs, but is probably not what the person wants."""

from __future__ import annotations

import logging
import sys

from comfy_execution.utils import get_executing_context

from ..foreign_text import printable_lines


def current_node() -> str | None:
    """The id of the node that is running now; None outside of a prompt."""
    context = get_executing_context()
    return None if context is None else context.node_id


def say(text: str, node_id: str | None) -> None:
    """Writes text into the log, and under the node in the editor where there is one.

    ComfyUI sends it as the text of a running node; a script
    that uses ComfyUI without its server has the log only.
    """
    text = printable_lines(text)
    logging.warning(text)
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is not None and node_id is not None:
        server.send_progress_text(text, node_id, server.client_id)
