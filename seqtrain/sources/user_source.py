"""Adds the defaults of `Source` to a user's source, which need not inherit from it.

The object keeps its attributes and its class's name. Its class is replaced by a subclass that has the missing
attributes of `Source` too. The object is copied and pickled like an instance of its own class.
"""

from __future__ import annotations

import abc
import contextlib
import functools
from collections.abc import Callable
from typing import Any, Generic, Protocol

from seqtrain.sources.base import Source

_CAPABILITIES = tuple(name for name in vars(Source) if not name.startswith("__"))
_FORMER_NAMES = {"drop_leaking": "purged", "inferred_arguments": "settled_arguments"}  # which users' classes may have


def as_source(built: Any) -> Source:
    """Adds the missing defaults of `Source` to a source that a config built."""
    if isinstance(built, Source):
        return built
    own = set(dir(built))
    if hasattr(type(built), "__getattr__"):  # which may find attributes that `dir` does not list
        own |= {name for name in _CAPABILITIES if name not in own and hasattr(built, name)}
    missing = tuple(name for name in _CAPABILITIES if name not in own)
    if missing:
        if not _has_plain_class(built):
            return _Delegating(built)
        try:
            _add_defaults(built, missing)
        except TypeError:  # a list, or another built-in type
            return _Delegating(built)
    source: Source = built
    return source


def _has_plain_class(built: Any) -> bool:
    """Whether subclassing the object's class has no side effects."""
    return type(type(built)) in (type, abc.ABCMeta) and not any(
        "__init_subclass__" in vars(cls) for cls in type(built).__mro__ if cls not in (object, Protocol, Generic)
    )


class _Delegating(Source):
    """Wraps a source whose class cannot be subclassed: its own capabilities are used, and defaults for the others."""

    def __init__(self, built: Any) -> None:
        self._built = built

    def __len__(self) -> int:
        return len(self._built)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample: dict[str, Any] = self._built[index]
        return sample

    def __getattribute__(self, name: str) -> Any:
        if name in _CAPABILITIES:
            for own in (name, _FORMER_NAMES.get(name, name)):
                with contextlib.suppress(AttributeError):
                    return getattr(self._built, own)
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        if name == "_built":  # a copy does not have it yet
            raise AttributeError(name)
        return getattr(self._built, name)


def _add_defaults(built: Any, missing: tuple[str, ...]) -> None:
    own_class: Any = type(built)
    object.__setattr__(built, "__class__", _with_defaults(own_class, missing))


@functools.cache
def _with_defaults(cls: Any, missing: tuple[str, ...]) -> Any:
    def reduce(self: Any, protocol: Any) -> Any:
        reduced = cls.__reduce_ex__(self, protocol)
        if isinstance(reduced, str):
            return reduced
        function, arguments, *state = reduced
        function, *arguments = (cls if each is type(self) else each for each in (function, *arguments))
        return (_restored, (missing, function, tuple(arguments)), *state)

    names = {name: _FORMER_NAMES.get(name, name) for name in missing}
    namespace = {name: vars(cls).get(former, vars(Source)[name]) for name, former in names.items()}
    about = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls)(cls.__name__, (cls,), {**namespace, **about, "__reduce_ex__": reduce})


def _restored(missing: tuple[str, ...], function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    restored = function(*arguments)
    _add_defaults(restored, missing)
    return restored
