"""Adds the defaults of `Source` to a user's source, which need not inherit from it.

The object stays what it is, with its attributes and its class's name. Its class is replaced by a subclass that has the
missing attributes of `Source` too, and is copied and pickled as the class itself is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from seqtrain.sources.base import Source

_CAPABILITIES = tuple(name for name in vars(Source) if not name.startswith("__"))


def as_source(built: Any) -> Source:
    """A source as a config built it, with the defaults that its class lacks."""
    if isinstance(built, Source):
        return built
    own = set(dir(built))
    if hasattr(type(built), "__getattr__"):  # which may find attributes that `dir` does not list
        own |= {name for name in _CAPABILITIES if name not in own and hasattr(built, name)}
    missing = tuple(name for name in _CAPABILITIES if name not in own)
    if missing:
        try:
            _add_defaults(built, missing)
        except TypeError:  # a list, or another type that is no Python class
            return _Items(built)
    source: Source = built
    return source


class _Items(Source):
    """The samples of a list or of another container."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample: dict[str, Any] = self._items[index]
        return sample


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
        arguments = tuple(cls if argument is type(self) else argument for argument in arguments)
        return (_restored, (missing, function, arguments), *state)

    namespace = {name: vars(Source)[name] for name in missing}
    about = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls)(cls.__name__, (cls,), {**namespace, **about, "__reduce_ex__": reduce})


def _restored(missing: tuple[str, ...], function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    restored = function(*arguments)
    _add_defaults(restored, missing)
    return restored
