"""Former names, which go on for one release and warn.

A renamed class, function or constant stays importable by `former_names`, what a renamed module holds by `former_module`, a renamed
attribute by `former_attribute`, a renamed argument by `former_keywords`; `member` recognises objects of users that still have a method or
attribute under its former name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

Target = TypeVar("Target", bound=Callable[..., Any])

_NOTHING = object()


def _warn(former: str, name: str, level: int) -> None:
    warnings.warn(f"{former} is now {name}; the former name goes with the next release", DeprecationWarning, stacklevel=level + 1)


def former_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module some of whose names have changed.

    Args:
        module: its `__name__`.
        names: new names by former ones; "package.module:name" where it has moved too.
    """

    def getattr_(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, new = names[name].rpartition(":")
        place = place or module
        _warn(f"{module}.{name}", f"{place}.{new}", 2)
        return getattr(import_module(place), new)

    return getattr_


def former_module(module: str, new: str, names: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """The `__getattr__` of a module that stands where another one was: it gives what that one has now, and warns.

    Args:
        module: its `__name__`.
        new: the module's new name.
        names: new names by former ones, where they have changed too.
    """

    def getattr_(name: str) -> Any:
        if name.startswith("__"):
            # Asked by the import system and by inspection, to which it is a module like others.
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        current = (names or {}).get(name, name)
        value = getattr(import_module(new), current)
        _warn(f"{module}.{name}", f"{new}.{current}", 2)
        return value

    return getattr_


def former_attribute(name: str) -> Any:
    """A read-only attribute under its former name.

    A class body has `cut = former_attribute("stop_reason")`.
    """
    return _Former(name)


class _Former:
    def __init__(self, name: str) -> None:
        self._name, self._former = name, ""

    def __set_name__(self, owner: type, former: str) -> None:
        self._former = former

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        _warn(f"{owner.__name__}.{self._former}", f"{owner.__name__}.{self._name}", 2)
        return getattr(instance, self._name)


def former_value(owner: object, former: str, name: str) -> Any:
    """What a property under a former name gives, where a class body cannot have a `former_attribute`, as that of a named tuple."""
    _warn(f"{type(owner).__name__}.{former}", f"{type(owner).__name__}.{name}", 3)
    return getattr(owner, name)


def former_keywords(**names: str) -> Callable[[Target], Target]:
    """Lets a function or a class take arguments by their former names too; names are the new ones by the former.

    >>> @former_keywords(most="limit")
    ... def first(items, limit):
    ...     return items[:limit]
    >>> first([1, 2, 3], limit=2)
    [1, 2]
    """

    def decorate(target: Target) -> Target:
        call: Callable[..., Any] = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]

        def rename(kwargs: dict[str, Any]) -> None:
            if not names.keys().isdisjoint(kwargs):
                for former in names.keys() & kwargs.keys():
                    _warn(f"{target.__name__}({former}=...)", f"{target.__name__}({names[former]}=...)", 3)
                    kwargs[names[former]] = kwargs.pop(former)

        @wraps(call)
        def renamed(*args: Any, **kwargs: Any) -> Any:
            rename(kwargs)
            return call(*args, **kwargs)

        @wraps(call)
        async def renamed_coroutine(*args: Any, **kwargs: Any) -> Any:
            rename(kwargs)
            return await call(*args, **kwargs)

        if iscoroutinefunction(target):
            return cast(Target, renamed_coroutine)
        if isinstance(target, type):
            target.__init__ = renamed  # type: ignore[misc]
            return target
        return cast(Target, renamed)

    return decorate


def member(owner: object, name: str, former: str, default: Any = _NOTHING) -> Any:
    """An attribute or method of an object that may have it under its former name.

    Args:
        owner: the object.
        name: the attribute's name.
        former: its former name.
        default: what stands for an object that has neither.

    Raises:
        AttributeError: it has neither, and there is no default.
    """
    value = getattr(owner, name, _NOTHING)
    if value is not _NOTHING:
        return value
    value = getattr(owner, former, _NOTHING)
    if value is not _NOTHING:
        _warn(f"{type(owner).__name__}.{former}", f"{type(owner).__name__}.{name}", 2)
        return value
    if default is _NOTHING:
        raise AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}")
    return default
