"""What a workflow is made of, whatever file it came from: nodes, and where their inputs come from.

A `Scope` is one level of a workflow: the workflow itself, one of its sub-graphs, or a prompt. Edges are
stored at the input alone (`Node.sources`), so that a rewired graph cannot have half a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Output = tuple[Any, int]
"""A node's id and the number of its output."""

MUTED, BYPASSED = 2, 4
OUTSIDE, RESULTS = -10, -20
"""Ids of what a sub-graph gets from outside, and of what it gives out."""
PRIMITIVE = "PrimitiveNode"
NOTES = frozenset({"Note", "MarkdownNote"})
REROUTES = frozenset({"Reroute", "Reroute (rgthree)", "ReroutePrimitive|pysssss"})
SENDERS = frozenset({"SetNode", "easy setNode"})
GETTERS = frozenset({"GetNode", "easy getNode"})
EVERYWHERE = frozenset(
    {"Anything Everywhere", "Anything Everywhere?", "Anything Everywhere3", "Prompts Everywhere"}
)
CONSTANTS = frozenset({
    PRIMITIVE, "PrimitiveInt", "PrimitiveFloat", "PrimitiveString", "PrimitiveStringMultiline",
    "PrimitiveBoolean", "INTConstant", "FloatConstant", "StringConstant", "StringConstantMultiline",
    "Int Literal", "Float Literal", "String Literal", "Cfg Literal", "Integer", "Float Variable",
    "Integer Variable", "String to Text", "Simple String", "ImpactInt", "ImpactFloat", "ImpactBoolean",
    "easy int", "easy float", "easy string", "JWInteger", "JWFloat", "JWString", "DF_Integer", "DF_Float",
    "DF_Text", "ttN int", "ttN float", "ttN text", "Primitive integer [Crystools]",
    "Primitive float [Crystools]", "Primitive string [Crystools]", "Primitive boolean [Crystools]",
})  # fmt: skip
"""Nodes that put out the one value that is typed into them."""
ANY = "*"


class Left(Exception):
    """A node stays as it is; the text says why, as the end of 'left because'."""


@dataclass
class Node:
    """One node.

    values: its widgets' values by name; of a node of another pack None where they could not be told apart.
    sources: input -> what is wired to it. sockets: (name, type) of its inputs. outputs: (name, type).
    widgets: inputs that have one.
    raw: as the file has it; None of a new one. place_of: the node whose place and mode a new one takes.
    """

    id: Any
    type: str
    mode: int = 0
    title: str = ""
    values: dict[str, Any] | None = None
    sources: dict[str, Output] = field(default_factory=dict)
    sockets: list[tuple[str, str]] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)
    raw: dict[str, Any] | None = None
    place_of: Node | None = None
    note: str = ""
    widgets: frozenset[str] = frozenset()

    @property
    def is_new(self) -> bool:
        """Whether the converter made it."""
        return self.raw is None

    @property
    def name(self) -> str:
        """What a person knows it by."""
        return self.title or self.type

    def output_type(self, slot: int) -> str:
        """The type of an output as the file says it; ANY where it says nothing."""
        return self.outputs[slot][1] if 0 <= slot < len(self.outputs) else ANY


class Scope:
    """The nodes of one level by id, in the order of the file."""

    def __init__(self, nodes: dict[Any, Node], name: str = ""):
        self.nodes, self.name = nodes, name
        self._users: dict[Any, dict[tuple[Any, str], int]] | None = None
        self._senders = {_first_value(n): n for n in nodes.values() if n.type in SENDERS}
        self._getters: dict[Any, list[Node]] = {}
        for node in nodes.values():
            if node.type in GETTERS:
                self._getters.setdefault(_first_value(node), []).append(node)
        self._everywhere = [node for node in nodes.values() if node.type in EVERYWHERE]

    def users(self, node_id: Any) -> list[tuple[Node, str, int]]:
        """(node, input, output number) of everything wired to a node, plumbing included."""
        if self._users is None:
            self._users = {}
            for node in self.nodes.values():
                for name, (origin, slot) in node.sources.items():
                    self._users.setdefault(origin, {})[node.id, name] = slot
        return [(self.nodes[user], name, slot) for (user, name), slot in self._users.get(node_id, {}).items()]

    def wire(self, node: Node, name: str, source: Output | None) -> None:
        """Changes what an input gets; None leaves it open."""
        old = node.sources.pop(name, None)
        if source is not None:
            node.sources[name] = source
        if self._users is not None:
            if old is not None:
                self._users[old[0]].pop((node.id, name), None)
            if source is not None:
                self._users.setdefault(source[0], {})[node.id, name] = source[1]

    def remove(self, node_id: Any) -> None:
        """Takes a node out, and the wires that end or begin at it."""
        node = self.nodes[node_id]
        for name in list(node.sources):
            self.wire(node, name, None)
        for user, name, _ in self.users(node_id):
            self.wire(user, name, None)
        del self.nodes[node_id]
        if node.type in SENDERS and self._senders.get(_first_value(node)) is node:
            del self._senders[_first_value(node)]

    def add(self, node: Node) -> None:
        """Puts a new node in, with its wires."""
        sources, node.sources = node.sources, {}
        self.nodes[node.id] = node
        for name, source in sources.items():
            self.wire(node, name, source)

    def source(self, node: Node, name: str) -> Output | None:
        """What really arrives at an input: behind Reroutes, Set and Get, Anything Everywhere and bypassed
        nodes. None where nothing does: open, muted, or a circle.
        """
        found = node.sources.get(name)
        if found is None:
            is_widget = name in node.widgets
            return None if is_widget else self._broadcast(name, dict(node.sockets).get(name, ""))
        return self.behind(found)

    def constant(self, output: Output) -> Any:
        """What a node that does nothing but say one value says; None of any other."""
        node = self.nodes.get(output[0])
        if node is None or node.type not in CONSTANTS or node.sources or not node.raw:
            return None
        saved = node.raw.get("widgets_values")
        if saved is None and isinstance(given := node.raw.get("inputs"), dict) and len(given) == 1:
            saved = list(given.values())
        first = saved[0] if isinstance(saved, list) and saved else None
        return first if isinstance(first, (str, int, float)) else None

    def behind(self, found: Output | None) -> Output | None:
        """The output that a wire begins at, seen through plumbing."""
        seen = set()
        while found is not None and found not in seen:
            seen.add(found)
            origin = self.nodes.get(found[0])
            if origin is None or origin.mode == MUTED:
                return found if found[0] == OUTSIDE else None
            if origin.type in GETTERS:
                sender = self._senders.get(_first_value(origin))
                found = next(iter(sender.sources.values()), None) if sender else None
            elif origin.type in REROUTES:
                found = next(iter(origin.sources.values()), None)
            elif origin.mode == BYPASSED:
                found = self._past(origin, found[1])
            else:
                return found
        return None

    def _past(self, origin: Node, slot: int) -> Output | None:
        """What a bypassed node lets through: the first input of the output's type."""
        wanted = origin.output_type(slot)
        same = [name for name, kind in origin.sockets if kind == wanted and name in origin.sources]
        return origin.sources[same[0]] if same else None

    def _broadcast(self, name: str, kind: str) -> Output | None:
        for sender in self._everywhere if kind and kind != ANY else ():
            for number, given in enumerate(sender.sources.values()):
                found = self.behind(given) if sender.mode == 0 else None
                if not found or found[0] not in self.nodes or self.type_of(found) != kind:
                    continue
                if _is_meant(sender, number, name):
                    return found
        return None

    def _receivers(self, sender: Node, given: str) -> Iterator[tuple[Node, str]]:
        """(node, input) of the open inputs that Anything Everywhere wires to what comes into `given`."""
        number = list(sender.sources).index(given)
        kind = self.type_of(self.behind(sender.sources[given]) or ("", 0))
        for node in self.nodes.values() if kind != ANY and sender.mode == 0 else ():
            for name, wanted in node.sockets:
                is_open = name not in node.sources and name not in node.widgets and node is not sender
                if wanted == kind and is_open and _is_meant(sender, number, name):
                    yield node, name

    def type_of(self, output: Output) -> str:
        """The type of an output as the file says it."""
        node = self.nodes.get(output[0])
        return node.output_type(output[1]) if node else ANY

    def getters_of(self, sender: Node) -> list[Node]:
        """The Get nodes of a Set node that are still there."""
        found = self._getters.get(_first_value(sender), ())
        return [getter for getter in found if getter.id in self.nodes]

    def retype(self, node: Node, kind: str) -> None:
        """Tells a Reroute, and those behind it, what goes through now."""
        stack, seen = [node], set()
        while stack:
            found = stack.pop()
            if found.type not in REROUTES or found.id in seen or not found.outputs:
                continue
            seen.add(found.id)
            found.outputs[0] = (found.outputs[0][0], kind)
            stack += [user for user, _, _ in self.users(found.id)]

    def final_users(self, node_id: Any) -> Iterator[tuple[Node, str, int]]:
        """(node, input, output number) of what really gets a node's outputs, behind the plumbing."""
        seen, stack = set(), list(self.users(node_id))
        while stack:
            user, name, slot = stack.pop()
            if (user.id, name, slot) in seen:
                continue
            seen.add((user.id, name, slot))
            if user.type in REROUTES:
                stack += [(u, n, slot) for u, n, _ in self.users(user.id)]
            elif user.type in SENDERS:
                for getter in self.getters_of(user):
                    stack += [(u, n, slot) for u, n, _ in self.users(getter.id)]
            elif user.type in EVERYWHERE:
                yield user, name, slot
                for receiver, wired in self._receivers(user, name):
                    yield receiver, wired, slot
            else:
                yield user, name, slot


def _is_meant(sender: Node, number: int, name: str) -> bool:
    """Prompts Everywhere wires its first input to positive prompts alone, its second to negative ones."""
    if sender.type != "Prompts Everywhere":
        return True
    return ("pos", "neg")[min(number, 1)] in name.lower()


def _first_value(node: Node) -> Any:
    values = (node.raw or {}).get("widgets_values")
    if isinstance(values, dict):
        values = list(values.values())
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, (str, int)) else None
