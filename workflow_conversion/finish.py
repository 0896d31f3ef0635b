"""What is left to do when all rules are through: loose options go, Primitives get another type."""

from __future__ import annotations

from typing import Any

from .graph import ANY, GETTERS, PRIMITIVE, REROUTES, SENDERS, Node, Scope
from .targets import kinds_agree

PLUMBING = REROUTES | SENDERS | GETTERS


def sweep(scope: Scope, options: frozenset[Any]) -> list[Node]:
    """Takes out options that are wired to nothing any more, with their plumbing; returns the options.

    Plumbing that was loose before stays.
    """
    gone, stack = [], [scope.nodes[node_id] for node_id in options if node_id in scope.nodes]
    candidates = {node.id for node in stack}
    while stack:
        node = stack.pop()
        if node.id not in scope.nodes:
            continue
        users = [user for user, _, _ in scope.users(node.id)]
        loose = [user for user in users if user.type in PLUMBING and _leads_nowhere(user, scope)]
        if len(loose) < len(users):
            continue
        before = [scope.nodes[origin] for origin, _ in node.sources.values() if origin in scope.nodes]
        for user in loose:
            _remove_plumbing(user, scope)
        scope.remove(node.id)
        if node.id in candidates:
            gone.append(node)
        stack += [b for b in before if b.id in candidates or (b.type in PLUMBING and not scope.users(b.id))]
    return gone


def _leads_nowhere(node: Node, scope: Scope) -> bool:
    return all(user.type in PLUMBING for user, _, _ in scope.final_users(node.id))


def _remove_plumbing(node: Node, scope: Scope) -> None:
    if node.id not in scope.nodes:
        return
    for getter in scope.getters_of(node) if node.type in SENDERS else ():
        _remove_plumbing(getter, scope)
    for user, _, _ in scope.users(node.id):
        _remove_plumbing(user, scope)
    if node.id in scope.nodes:
        scope.remove(node.id)


def retype_primitives(scope: Scope) -> None:
    """A Primitive whose users all take another type now, as a number that is broken, becomes one of those;
    where only some do, these get its value.
    """
    for node in list(scope.nodes.values()):
        if node.type != PRIMITIVE or not node.outputs:
            continue
        users = [(user, name) for user, name, _ in scope.final_users(node.id)]
        wanted = {(user.id, name): dict(user.sockets).get(name, ANY) for user, name in users if user.is_new}
        changed = {end: kind for end, kind in wanted.items() if not kinds_agree(node.output_type(0), kind)}
        kinds = {kind.split(",")[0] for kind in changed.values()}
        if len(changed) == len(users) and len(kinds) == 1:
            node.outputs[0] = (*kinds, *kinds)
            continue
        saved = node.raw.get("widgets_values")
        for user, name in users:
            if (user.id, name) in changed:
                scope.wire(user, name, None)
                if isinstance(saved, list) and saved:
                    user.values = {**(user.values or {}), name: saved[0]}
