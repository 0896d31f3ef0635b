"""The base class of every node: what comes in is checked by the schema, what goes wrong can be printed.

ComfyUI checks numbers and choices only when they are typed into the node: not when they come over a link, and
never whether a number is NaN. It prints an error with all errors that led to it, and a name among them that
is not UTF-8 ends its prompt thread.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

from .input_checks import check_inputs
from .printable_errors import printable_errors

_GUARDED = "_zoetrope_guarded"
_METHODS = ("execute", "validate_inputs", "fingerprint_inputs", "check_lazy_status")


class ZoetropeNode(io.ComfyNode):
    """Write a node as for io.ComfyNode. `execute` gets inputs that keep to the schema:
    of their type, in range, not empty.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _METHODS:
            method = cls.__dict__.get(name)
            # ComfyUI runs clones of a class, which are made of its methods: those are guarded already.
            if isinstance(method, classmethod) and not hasattr(method.__func__, _GUARDED):
                prepare = _checked if name == "execute" else _as_given
                setattr(cls, name, classmethod(_guarded(method.__func__, prepare)))


def _guarded(function: Callable, prepare: Callable) -> Callable:
    """The function of a classmethod whose arguments are prepared
    and whose errors can be printed; async stays async.
    """
    signature = inspect.signature(function)
    names = list(signature.parameters)[1:]

    def arguments(cls: type, args: tuple, kwargs: dict) -> dict:
        signature.bind(cls, *args, **kwargs)  # as a call would, raises TypeError
        return prepare(cls, dict(zip(names, args, strict=False)) | kwargs)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def guarded(cls, *args, **kwargs):
            with printable_errors():
                return await function(cls, **arguments(cls, args, kwargs))
    else:

        @functools.wraps(function)
        def guarded(cls, *args, **kwargs):
            with printable_errors():
                return function(cls, **arguments(cls, args, kwargs))

    guarded.__signature__ = signature  # ComfyUI looks for names in it, and does not follow __wrapped__
    setattr(guarded, _GUARDED, True)
    return guarded


def _as_given(cls: type, given: dict) -> dict:
    return given


def _checked(cls: type, given: dict) -> dict:
    """The inputs of a node, checked;
    what its validate_inputs names is a file of a list that changes, and is checked there.
    """
    checked_by_node = inspect.signature(cls.validate_inputs).parameters
    return check_inputs(cls.SCHEMA or cls.FINALIZE_SCHEMA(), given, unlisted=set(checked_by_node))
