"""What is left to do when all rules are through: loose options go, Primitives get another type."""

from __future__ import annotations

from typing import Any

from .graph import GETTERS, PRIMITIVE, REROUTES, SENDERS, Node, Scope

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
    """A Primitive of whole numbers whose users all take broken ones now becomes one of those; where only some
    do, these get its value.
    """
    for node in list(scope.nodes.values()):
        if node.type != PRIMITIVE or node.output_type(0) not in ("INT", "FLOAT"):
            continue
        users = [(user, name) for user, name, _ in scope.final_users(node.id)]
        other = "FLOAT" if node.output_type(0) == "INT" else "INT"
        changed = [(user, name) for user, name in users if _takes_only(user, name, other)]
        if changed and len(changed) == len(users):
            node.outputs[0] = (other, other)
        elif changed:
            saved = node.raw.get("widgets_values") or [0]
            for user, name in changed:
                scope.wire(user, name, None)
                user.values = {**(user.values or {}), name: saved[0]}


def _takes_only(user: Node, name: str, kind: str) -> bool:
    kinds = dict(user.sockets).get(name, "").split(",")
    return user.is_new and kind in kinds and not {"INT", "FLOAT"} - {kind} & set(kinds)
