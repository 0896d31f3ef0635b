"""What a rule wants to be done, collected before anything is done, so that a node is converted whole or not.

A rule asks for new nodes and says which of their outputs take the place of the old ones. `apply` checks all
types against object_info first; what does not fit leaves the graph as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..foreign_text import printable
from .graph import ANY, PRIMITIVE, Left, Node, Output, Scope
from .targets import Targets, kinds_agree

NUMBERS = "ComfyNumberConvert"
RENAMED = {"VHS_AUDIO": "AUDIO"}
"""Types that files of older versions name otherwise."""
LISTS = {
    "BatchValueSchedule",
    "BatchValueScheduleLatentInput",
    "ADE_ValueScheduling",
    "ADE_ValueSchedulingLatents",
}
"""Nodes whose FLOAT is a list of numbers."""
MARKS = ("🅐🅓", "🅥🅗🅢", "🅐🅒🅝", "🅕🅝")
FILES = frozenset({
    "motion_module", "lora_name", "control_net_name", "ckpt_name", "file", "source", "audio", "image",
})  # fmt: skip
"""Inputs whose choices are the files of one machine."""


@dataclass(eq=False)
class New:
    """A node that is to be made. place: the old node that it stands for in the picture."""

    type: str
    values: dict[str, Any]
    links: dict[str, Wire]
    place: Node
    title: str = ""
    id: Any = None


Wire = tuple[Any, int]
"""(New or the id of a node that is there, number of its output)."""


@dataclass(eq=False)
class Plan:
    """For one node of another pack. differs: why its result is another one.
    steps: what a person has to do before it runs. gone: the nodes
    of `absorbed`.

    outputs: number of an old output -> what takes its place, None where the wire goes.
    absorbed: nodes that go with it, with their outputs. options: nodes that nothing needs once all that they
    were wired to are converted.
    """

    node: Node
    scope: Scope
    targets: Targets
    new: list[New] = field(default_factory=list)
    outputs: dict[int, Wire | None] = field(default_factory=dict)
    absorbed: dict[Any, dict[int, Wire | None]] = field(default_factory=dict)
    options: dict[Any, Node] = field(default_factory=dict)
    differs: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    gone: dict[Any, Node] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        values: dict[str, Any] | None = None,
        *,
        place: Node | None = None,
        **links: Wire | None,
    ) -> New:
        """Asks for a new node; links that are None stay open."""
        inputs = self.targets.inputs(kind)
        for name in (*(values or {}), *links):
            if name not in inputs:
                raise Left(f"this ComfyUI's {self.targets.display_name(kind)} has no input {name}; update it")
        given = {name: wire for name, wire in links.items() if wire is not None}
        made = New(kind, dict(values or {}), given, place or self.node)
        self.new.append(made)
        return made

    def say(self, why: str) -> None:
        """Notes why the result is another one."""
        if why not in self.differs:
            self.differs.append(why)

    def ask(self, step: str) -> None:
        """Notes what a person has to do before the new nodes run."""
        if step not in self.steps:
            self.steps.append(step)

    def value(self, node: Node, name: str, default: Any = None) -> Any:
        """What the widget `name` of an old node says. Raises Left where its values could not be read."""
        if node.values is None:
            raise Left(f"{node.name} was saved by a version whose values cannot be told apart")
        found = node.values.get(name)
        return default if found is None else found

    def constant(self, node: Node, name: str, default: Any = None) -> Any:
        """The value of a widget, or of a node that says one value and is wired to it.
        Raises Left for other wires.
        """
        if name in node.sources and (found := self.scope.source(node, name)) is not None:
            if (said := self.scope.constant(found)) is not None:
                return said
            raise Left(f"its {name} is wired, and no input here takes it")
        return self.value(node, name, default)

    def setting(
        self, node: Node, old: str, kind_values: dict, links: dict, new: str, default: Any = None
    ) -> None:
        """A widget that may be wired: its value or its wire goes to the input `new`."""
        if old in node.sources:
            links[new] = node.sources[old]
        elif (found := self.value(node, old, default)) is not None:
            kind_values[new] = found

    def wire(self, node: Node, name: str) -> Output | None:
        """What is wired to an input, None where nothing arrives."""
        if self.scope.source(node, name) is None:
            return None
        return node.sources.get(name) or self.scope.source(node, name)

    def check(self) -> None:
        """Raises Left where a value or a wire does not fit."""
        for made in self.new:
            inputs = self.targets.inputs(made.type)
            for name, value in made.values.items():
                made.values[name] = fitting(value, inputs[name], self.targets.display_name(made.type))
        for old, outputs in {self.node.id: self.outputs, **self.absorbed}.items():
            for user, name, slot in self.scope.final_users(old):
                self._check_user(user, name, slot, outputs)

    def _check_user(self, user: Node, name: str, slot: int, outputs: dict[int, Wire | None]) -> None:
        if user.id in self.absorbed or user.id == self.node.id:
            return
        if slot not in outputs:
            raise Left(f"nothing here is its output {slot + 1}, which goes into {user.name}")
        wire = outputs[slot]
        wanted = self._wanted(user, name)
        if wire is not None and wanted is not None and not self._agree(self.kind_of(wire), wanted, user):
            raise Left(f"{user.name} takes {wanted} for {name}, and here it would get {self.kind_of(wire)}")

    @staticmethod
    def _agree(given: str, wanted: str, user: Node) -> bool:
        return kinds_agree(given, wanted) or (user.is_new and {given, wanted} <= {"INT", "FLOAT"})

    def _wanted(self, user: Node, name: str) -> str | None:
        if user.type in self.targets:
            entry = self.targets.inputs(user.type).get(name)
            return entry.type if entry else None
        kind = dict(user.sockets).get(name)
        return RENAMED.get(kind, kind)

    def kind_of(self, wire: Wire) -> str:
        """The type that comes over a wire; ANY where nothing tells it."""
        origin, slot = wire
        if isinstance(origin, New):
            return self._made_kind(origin, slot)
        behind = self.scope.behind(wire) or wire
        node = self.scope.nodes.get(behind[0])
        if node is None or node.type == PRIMITIVE:
            return ANY
        kind = node.output_type(behind[1])
        if node.type in LISTS and kind == "FLOAT":
            return "FLOAT,FLOATS"
        if node.type in self.targets and not node.is_new:
            outputs = self.targets.outputs(node.type)
            kind = outputs[behind[1]][1] if behind[1] < len(outputs) else kind
        return RENAMED.get(kind, kind)

    def _made_kind(self, made: New, slot: int) -> str:
        kind = self.targets.outputs(made.type)[slot][1]
        if kind.startswith("COMFY_MATCHTYPE") and made.links:
            return self.kind_of(next(iter(made.links.values())))
        return kind

    def convert_numbers(self) -> None:
        """Puts a node between where an INT goes into a FLOAT input, or the other way, which ComfyUI refuses.
        Raises Left for types that have nothing in common.
        """
        for made in list(self.new):
            for name, wire in made.links.items():
                given, wanted = self.kind_of(wire), self.targets.inputs(made.type)[name].type
                if kinds_agree(given, wanted):
                    continue
                slot = {"FLOAT": 0, "INT": 1}.get(wanted.split(",")[0])
                if slot is None or given not in ("INT", "FLOAT"):
                    raise Left(f"{made.type} takes {wanted} for {name}, and {given} is wired there")
                made.links[name] = (self.add(NUMBERS, place=made.place, value=wire), slot)


def fitting(value: Any, entry: Any, owner: str) -> Any:
    """The value as the input takes it. Raises Left where it is of another kind or out of range."""
    kind = entry.type.split(",")[0]
    if kind in ("INT", "FLOAT"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            try:
                value = float(value)
            except (TypeError, ValueError):
                raise Left(
                    f"{printable(str(value))} is no number, and {owner} takes one for {entry.name}"
                ) from None
        if kind == "INT":
            value = int(value)
        least, most = entry.least, entry.most
        if (least is not None and value < least) or (most is not None and value > most) or value != value:
            raise Left(f"{value} is not among {least} to {most}, which {owner} takes for {entry.name}")
    elif kind == "COMBO" and entry.choices and entry.name not in FILES and value not in entry.choices:
        raise Left(f"{owner} has no choice {printable(str(value))} for {entry.name}")
    return value


def apply(plan: Plan, next_id: Callable[[], Any]) -> list[str]:
    """Does what a plan says, and returns the types of the new nodes. The first one gets the old node's id.

    Raises Left, with nothing done, where something does not fit.
    """
    plan.check()
    main = _main_of(plan)
    plan.convert_numbers()
    scope, old = plan.scope, plan.node
    for made in plan.new:
        made.id = next_id()
    rewired = [
        (user, name, outputs[slot])
        for node_id, outputs in {old.id: plan.outputs, **plan.absorbed}.items()
        for user, name, slot in scope.users(node_id)
        if slot in outputs and user.id not in plan.absorbed
    ]
    for node_id in (*plan.absorbed, old.id):
        scope.remove(node_id)
    if main is not None:
        main.id = old.id
        main.title = old.title if is_ones_own(old) else ""
    for made in plan.new:
        scope.add(_node_of(made, plan))
    for user, name, wire in rewired:
        if wire is not None and user.id in scope.nodes:
            scope.wire(user, name, _as_output(wire))
            scope.retype(user, plan.kind_of(wire) if not isinstance(wire[0], New) else plan._made_kind(*wire))
    return [made.type for made in plan.new]


def _main_of(plan: Plan) -> New | None:
    """The new node that is what the old one was: it has the old one's first output, or ends the row."""
    for _, wire in sorted(plan.outputs.items()):
        if wire is not None and isinstance(wire[0], New):
            return wire[0]
    return plan.new[-1] if plan.new else None


def is_ones_own(node: Node) -> bool:
    """Whether a person named a node; the packs mark the names that they give."""
    return bool(node.title) and node.title != node.type and not any(mark in node.title for mark in MARKS)


def _as_output(wire: Wire) -> Output:
    return (wire[0].id if isinstance(wire[0], New) else wire[0], wire[1])


def _node_of(made: New, plan: Plan) -> Node:
    outputs = plan.targets.outputs(made.type)
    kinds = [(name, plan._made_kind(made, slot)) for slot, (name, _) in enumerate(outputs)]
    sockets = [(entry.name, entry.type) for entry in plan.targets.inputs(made.type).values()]
    return Node(
        made.id, made.type, plan.node.mode, made.title, made.values,
        {name: _as_output(wire) for name, wire in made.links.items()}, sockets,
        [(name, kind if not kind.startswith("COMFY_MATCHTYPE") else ANY) for name, kind in kinds],
        None, made.place,
    )  # fmt: skip
