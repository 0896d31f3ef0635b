"""What a conversion says about each node: equal, differs because, left because."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..foreign_text import printable
from .chinese import in_chinese

EQUAL, DIFFERS, LEFT = "equal", "differs", "left"
GRADES = (EQUAL, DIFFERS, LEFT)
LISTED = 40
"""Remarks that the note in the workflow shows."""


@dataclass(frozen=True)
class Remark:
    """About one node of another pack. scope: the sub-graph that it is in, empty for the workflow itself.
    node: its id; what it became keeps it. text: a sentence's end behind the grade. became: what the editor
    calls the new nodes. steps: how many things a person has to do before it runs.
    """

    grade: str
    node: Any
    type: str
    title: str
    text: str = ""
    became: tuple[str, ...] = ()
    scope: str = ""
    active: bool = True
    steps: int = 0

    def sentence(self, language: str = "en") -> str:
        """One line for a person."""
        if language == "zh":
            return self._chinese()
        became = f" is now {', '.join(self.became)}" if self.became else ""
        why = {EQUAL: f" ({self.text})" if self.text else "", DIFFERS: f"; it differs because {self.text}"}
        tail = why.get(self.grade, f" was left because {self.text}")
        return f"{printable(self.title)} ({printable(str(self.node))}){became}{tail}."

    def _chinese(self) -> str:
        became, why = "、".join(self.became), in_chinese(self.text)
        became = f"变为 {became}" if became else ""
        told = {
            EQUAL: "，".join(filter(None, (became, why))) or "去掉了",
            DIFFERS: f"{became}；有差异：{why}",
            LEFT: f"保留：{why}",
        }[self.grade]
        return f"{printable(self.title)}（{printable(str(self.node))}）{told.lstrip('；')}。"

    def as_json(self, language: str = "en") -> dict[str, Any]:
        """For the report."""
        told = {name: value for name, value in vars(self).items() if value not in ("", ())}
        if not self.steps:
            del told["steps"]
        return told | {"sentence": self.sentence(language)}


@dataclass
class Report:
    """What was done with a workflow. trouble: why nothing could be done with it, empty else."""

    remarks: list[Remark] = field(default_factory=list)
    trouble: str = ""

    def count(self, grade: str, active_only: bool = False) -> int:
        """How many nodes have that grade."""
        return sum(r.grade == grade and (r.active or not active_only) for r in self.remarks)

    @property
    def changed(self) -> bool:
        """Whether the workflow is another one now."""
        return any(r.grade != LEFT for r in self.remarks)

    @property
    def is_free(self) -> bool:
        """Whether no active node of the packs that are converted is left."""
        return not self.trouble and not self.count(LEFT, active_only=True)

    def summary(self, language: str = "en") -> str:
        """One sentence with the numbers."""
        return in_chinese(self._summary()) if language == "zh" else self._summary()

    def _summary(self) -> str:
        if self.trouble:
            return self.trouble
        if not self.remarks:
            return "There are no nodes of the packs that can be converted; nothing was changed."
        done = len(self.remarks) - self.count(LEFT)
        return (
            f"Converted {done} of {len(self.remarks)} nodes; {self.count(DIFFERS)} differ, "
            f"{self.count(LEFT)} left."
        )

    def noted(self) -> list[Remark]:
        """What a person should know: what was left, what differs, what has to be done."""
        return sorted_by_weight(r for r in self.remarks if r.grade != EQUAL or r.steps)

    def note(self, language: str = "en") -> str:
        """The text of the note that a converted workflow gets."""
        listed = self.noted()
        lines = [self.summary(language), *(f"- {r.sentence(language)}" for r in listed[:LISTED])]
        if len(listed) > LISTED:
            more = f"and {len(listed) - LISTED} more; python dev.py convert lists them with --report."
            lines.append(f"- {in_chinese(more) if language == 'zh' else more}")
        return "\n".join(lines)

    def as_json(self, language: str = "en") -> dict[str, Any]:
        """For --report and the route."""
        numbers = {grade: self.count(grade) for grade in GRADES}
        return {
            "summary": self.summary(language), "trouble": self.trouble, "changed": self.changed,
            "free": self.is_free, **numbers,
            "remarks": [r.as_json(language) for r in sorted_by_weight(self.remarks)],
        }  # fmt: skip


def sorted_by_weight(remarks: Iterable[Remark]) -> list[Remark]:
    """What was left first, then what differs, then what is equal."""
    return sorted(remarks, key=lambda remark: -GRADES.index(remark.grade))
