"""workflow_conversion/ in a running ComfyUI: for the editor over a route, and for prompts whose nodes are not
installed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import nodes as installed_nodes

from ...workflow_conversion.convert import NO_GRAPH, convert
from ...workflow_conversion.remarks import Report
from ...workflow_conversion.rules import is_foreign

ROUTE = "/zoetrope/convert"


class InstalledNodes(Mapping):
    """What /object_info would say of each node, asked only of those that are needed."""

    def __getitem__(self, kind: str) -> dict[str, Any]:
        node = installed_nodes.NODE_CLASS_MAPPINGS[kind]
        if hasattr(node, "GET_NODE_INFO_V1"):
            return node.GET_NODE_INFO_V1()
        inputs = node.INPUT_TYPES()
        return {
            "input": inputs, "input_order": {group: list(names) for group, names in inputs.items()},
            "output": node.RETURN_TYPES, "output_name": getattr(node, "RETURN_NAMES", node.RETURN_TYPES),
            "display_name": installed_nodes.NODE_DISPLAY_NAME_MAPPINGS.get(kind, kind),
        }  # fmt: skip

    def __iter__(self) -> Iterator[str]:
        return iter(installed_nodes.NODE_CLASS_MAPPINGS)

    def __len__(self) -> int:
        return len(installed_nodes.NODE_CLASS_MAPPINGS)

    def __contains__(self, kind: object) -> bool:
        return kind in installed_nodes.NODE_CLASS_MAPPINGS


def convert_body(body: Any) -> dict[str, Any]:
    """{workflow, report} for {"workflow": a workflow or a prompt, "language": "en" or "zh"}: what the route
    gets, and answers.
    """
    if not isinstance(body, dict) or "workflow" not in body:
        return {"workflow": None, "report": Report(trouble=NO_GRAPH).as_json()}
    language = "zh" if body.get("language") == "zh" else "en"
    made, report = convert(body["workflow"], InstalledNodes(), language=language)
    return {"workflow": made, "report": report.as_json(language)}


def convert_missing(prompt: dict[str, Any]) -> dict[str, Any]:
    """A prompt whose nodes of other packs that are not installed are converted; the same where none is."""
    kinds = {node.get("class_type") for node in prompt.values() if isinstance(node, dict)}
    installed = installed_nodes.NODE_CLASS_MAPPINGS
    known = frozenset(kind for kind in kinds if isinstance(kind, str) and kind in installed)
    if not any(is_foreign(kind) and kind not in known for kind in kinds):
        return prompt
    made, report = convert(prompt, InstalledNodes(), known)
    if report.changed:
        logging.info("ComfyUI-Zoetrope: %s", report.note())
    return made


def register_conversion_route() -> None:
    """Lets the running server answer to the editor's command."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:  # nodes are used without a server
        return
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except (ValueError, RecursionError):
            body = None
        return web.json_response(await asyncio.to_thread(convert_body, body))

    server.routes.post(ROUTE)(answer)
