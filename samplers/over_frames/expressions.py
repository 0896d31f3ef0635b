"""Arithmetic that people write into prompts and schedules, such as `0.5 + 0.5*sin(2*pi*t/max_f)`.

A grammar of its own: Python's parser reads the text, and only numbers, known names, operators and known
functions are taken from what it found. Nothing is executed. The functions are those of numexpr that
schedules use, so that expressions written for FizzNodes and Deforum are read.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...foreign_text import printable
from .written_text import WrittenText

LONGEST = 500  # characters of an expression
DEEPEST = 40  # operations inside each other
CONSTANTS = {"pi": math.pi, "e": math.e}
_INFIX: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
    ast.BitAnd: lambda a, b: float(bool(a) and bool(b)), ast.BitOr: lambda a, b: float(bool(a) or bool(b)),
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_PREFIX: dict[type, Callable[[float], float]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Not: operator.not_,
}  # fmt: skip
_OF_ONE = "sin cos tan sinh cosh tanh exp expm1 log log10 log1p log2 sqrt floor ceil asin acos atan"
FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {
    **{name: (1, getattr(math, name)) for name in _OF_ONE.split()},
    "arcsin": (1, math.asin), "arccos": (1, math.acos), "arctan": (1, math.atan), "abs": (1, abs),
    "atan2": (2, math.atan2), "arctan2": (2, math.atan2), "min": (2, min), "max": (2, max),
    "clip": (3, lambda value, least, most: max(least, min(most, value))),
}  # fmt: skip
"""Name -> number of arguments, function. `where(condition, one, other)` is besides these."""

Value = Callable[[Mapping[str, float]], float]


@dataclass(frozen=True)
class Expression:
    """A checked expression; `names` are those of its frames' values that it uses."""

    source: WrittenText
    place: int
    text: str
    names: frozenset[str]
    _value: Value = field(repr=False)

    def value(self, names: Mapping[str, float]) -> float:
        """The number for these values of the names. Raises ValueError where there is none."""
        try:
            value = self._value(names)
            number = float(value) if not isinstance(value, complex) else math.nan
        except (ArithmeticError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            used = ", ".join(f"{name}={names[name]:g}" for name in sorted(self.names)) or "always"
            raise self.source.error(
                self.place,
                f"'{printable(self.text)}' has no value ({used}); change it so that it is never a division by"
                " 0, a root or logarithm of a negative number, or endless.",
            )
        return number


def read_expression(source: WrittenText, start: int, end: int, names: tuple[str, ...]) -> Expression:
    """The expression in source.text[start:end], which may use `names`.

    Raises ValueError with line and column for anything that is none.
    """
    text = source.text[start:end]
    if not text.strip():
        raise source.expected(start, "a number or an expression such as sin(t)")
    if len(text) > LONGEST:
        raise source.error(start, f"an expression of {len(text)} characters; write at most {LONGEST}.")
    # A line that begins with a blank is no expression to Python; brackets let it go on over several lines.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        message = f"'{printable(text)}' is no expression; write one such as 0.5 + 0.5*sin(2*pi*t/max_f)."
        raise source.error(start, message) from error
    reader = _Reader(source, start, text, names)
    return Expression(source, start, text.strip(), frozenset(names) & _names_in(tree), reader.read(tree, 0))


def _names_in(tree: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@dataclass(frozen=True)
class _Reader:
    """Turns Python's tree of an expression into a function of the names; refuses all that is not listed."""

    source: WrittenText
    start: int
    text: str
    names: tuple[str, ...]

    def read(self, node: ast.expr, depth: int) -> Value:
        if depth > DEEPEST:
            raise self._error(node, f"more than {DEEPEST} operations inside each other; write it shorter.")
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return self._number(node, number)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
                return self._call(node, name, [self.read(part, depth + 1) for part in parts])
            case ast.IfExp(test=test, body=one, orelse=other):
                return _choice(*[self.read(part, depth + 1) for part in (test, one, other)])
            case ast.UnaryOp(op=op, operand=part) if type(op) in _PREFIX:
                function, inner = _PREFIX[type(op)], self.read(part, depth + 1)
                return lambda names: function(inner(names))
            case ast.BoolOp(op=op, values=parts):
                function, inner = all if isinstance(op, ast.And) else any, [
                    self.read(part, depth + 1) for part in parts
                ]  # fmt: skip
                return lambda names: float(function(part(names) for part in inner))
            case (
                ast.BinOp(left=one, op=op, right=other) | ast.Compare(left=one, ops=[op], comparators=[other])
            ) if type(op) in _INFIX:
                function, inner = _INFIX[type(op)], [self.read(part, depth + 1) for part in (one, other)]
                return lambda names: function(*(part(names) for part in inner))
        raise self._error(node, "this is no part of an expression; a power is written **.")

    def _number(self, node: ast.expr, number: float) -> Value:
        try:
            value = float(number)
        except OverflowError:
            raise self._error(node, "this number is too large.") from None
        return lambda names: value

    def _name(self, node: ast.expr, name: str) -> Value:
        if name in CONSTANTS:
            return lambda names: CONSTANTS[name]
        if name in self.names:
            return lambda names: names[name]
        known = ", ".join([*self.names, *CONSTANTS])
        raise self._error(node, f"'{printable(name)}' is not known; the names are {known}.")

    def _call(self, node: ast.expr, name: str, parts: list[Value]) -> Value:
        count, function = FUNCTIONS.get(name, (3, None))
        if function is None and name != "where":
            known = ", ".join([*FUNCTIONS, "where"])
            raise self._error(node, f"'{printable(name)}' is no function here; there are {known}.")
        if len(parts) != count:
            raise self._error(node, f"'{printable(name)}' takes {count} numbers, this gives {len(parts)}.")
        if function is None:
            return _choice(*parts)
        return lambda names: function(*(part(names) for part in parts))

    def _error(self, node: ast.expr, message: str) -> ValueError:
        """At the place of a node, whose column Python counts in bytes from the bracket that was put in."""
        lines = f"({self.text}".split("\n")
        column = len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
        place = sum(len(line) + 1 for line in lines[: node.lineno - 1]) + column - 1
        return self.source.error(self.start + place, message)


def _choice(test: Value, one: Value, other: Value) -> Value:
    """One of two values; the other is not computed, so where(t > 0, 1/t, 0) has a value at t = 0."""
    return lambda names: one(names) if test(names) else other(names)
