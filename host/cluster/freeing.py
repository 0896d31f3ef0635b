"""ComfyUI's *Unload models* and *Free memory* reach workers, too: they hold a MODEL each."""

from __future__ import annotations

import asyncio

from .pools import end_idle_workers

ROUTES = ("/free", "/api/free")


def free_workers_with_models() -> None:
    """Lets the workers end where the server was asked to unload its models."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is not None:  # else nodes are used without a server
        server.app.on_response_prepare.append(_on_answer)


async def _on_answer(request, response) -> None:
    if request.method != "POST" or request.path not in ROUTES or response.status != 200:
        return
    asked = await request.json()
    if asked.get("unload_models") or asked.get("free_memory"):
        await asyncio.to_thread(end_idle_workers)
