"""The routes of the page of votes. They name folders and files of votes, and add votes; clips come through
ComfyUI's /view. Every path is checked in clips.py and sessions.py.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import asdict

from ...foreign_text import printable
from ...votes.rating import rate
from . import sessions
from .clips import list_candidates

ROUTE = "/zoetrope/votes"
BAD, CONFLICT, FAILED = 400, 409, 500


def register_vote_routes() -> None:
    """Lets the server answer to the page of votes."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:  # nodes are used without a server
        return
    server.routes.get(ROUTE)(_answering(_choices))
    server.routes.get(f"{ROUTE}/{{name}}")(_answering(_state))
    server.routes.get(f"{ROUTE}/{{name}}/ratings")(_answering(_ratings))
    server.routes.post(f"{ROUTE}/{{name}}/begin")(_answering(_begin))
    server.routes.post(f"{ROUTE}/{{name}}/vote")(_answering(_vote))
    server.routes.post(f"{ROUTE}/{{name}}/back")(_answering(_back))


def _answering(work: Callable[[str, dict], dict]) -> Callable:
    """A handler that answers with what `work` gives for the name and the body, as JSON; files are read beside
    the server's loop. What goes wrong is {"error": a sentence}.
    """
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        try:
            body = await _body(request) if request.method == "POST" else {}
            name = request.match_info.get("name", "")
            return web.json_response(await asyncio.to_thread(functools.partial(work, name, body)))
        except sessions.Conflict as error:
            return web.json_response({"error": str(error)}, status=CONFLICT)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=BAD)
        except OSError as error:
            told = f"the file of votes cannot be written or read ({printable(error.strerror or error)})."
            return web.json_response({"error": told}, status=FAILED)

    return answer


async def _body(request) -> dict:
    """The JSON object of a request. Of this type only this server's own pages can send one unasked."""
    if request.content_type != "application/json":
        raise ValueError("the body must be JSON, of the type application/json.")
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON.") from None
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object.")
    return body


def _text(body: dict, key: str) -> str:
    if not isinstance(body.get(key), str):
        raise ValueError(f"{key} must be a text.")
    return body[key]


def _choices(name: str, body: dict) -> dict:
    return {"folders": list_candidates(), "names": sessions.list_books()}


def _state(name: str, body: dict) -> dict:
    return sessions.state(name)


def _ratings(name: str, body: dict) -> dict:
    book = sessions.open_book(name)
    found = rate(book)
    rows = [asdict(rating) for rating in found.ratings]
    skipped = len(book.votes) - found.counted
    return {"ratings": rows, "counted": found.counted, "skipped": skipped, "damaged": book.damaged}


def _begin(name: str, body: dict) -> dict:
    candidates, seed = body.get("candidates"), body.get("seed", 0)
    if not isinstance(candidates, list) or not all(isinstance(one, str) for one in candidates):
        raise ValueError("candidates must be a list of folders.")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError("seed must be a whole number.")
    sessions.begin(name, candidates, seed)
    return sessions.state(name)


def _vote(name: str, body: dict) -> dict:
    sessions.vote(name, *(_text(body, key) for key in ("file", "left", "right", "winner")))
    return sessions.state(name)


def _back(name: str, body: dict) -> dict:
    sessions.back(name)
    return sessions.state(name)
