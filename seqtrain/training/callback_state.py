"""Saves and restores the state of callbacks, both Keras's and the user's, for checkpoints.

Keras's callbacks have their state in plain attributes (`wait`, `best`, `cooldown_counter`) and no method to save it. So
an attribute is state if it is plain data and has changed since the callback was created. Unchanged attributes are
configuration: they come from the config that the run is resumed with, which may have another patience.

A callback with other state may define `state_dict()`, which returns plain data, and `load_state_dict(state)`.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
from collections.abc import Collection, Sequence
from typing import Any

from seqtrain.keras_private import CALLBACK_ATTRIBUTES
from seqtrain.training.plain_data import Arrays, decode, encode

log = logging.getLogger("seqtrain")


class CallbackStates:
    """The state of callbacks.

    Args:
        names: The names of the callbacks, as written in the config.
        callbacks: The callbacks, before training starts.
    """

    def __init__(self, names: Sequence[str], callbacks: Sequence[Any]) -> None:
        self._names = list(names)
        self._callbacks = list(callbacks)
        self._before = [_fingerprints(callback) for callback in callbacks]
        self._changed: list[set[str]] = [set() for _ in callbacks]
        self._warned: set[str] = set()

    def note_changes(self) -> None:
        """Records which attributes have changed so far: they count as state from now on, even if they change back."""
        for callback, before, changed in zip(self._callbacks, self._before, self._changed, strict=True):
            now = _fingerprints(callback, without=changed)
            changed |= {name for name, value in now.items() if before.get(name) != value}

    def capture(self, arrays: Arrays) -> list[dict[str, Any]]:
        """The state of each callback, as JSON; its arrays are copied into `arrays`."""
        self.note_changes()
        return [{"name": name, "state": self._state(index, name, arrays)} for index, name in enumerate(self._names)]

    def restore(self, documents: Sequence[dict[str, Any]], arrays: Arrays) -> None:
        """Restores the state of each callback by its name; a new callback keeps its initial state."""
        left = list(documents)
        for name, callback, changed in zip(self._names, self._callbacks, self._changed, strict=True):
            document = next((each for each in left if each["name"] == name), None)
            if document is None:
                continue
            left.remove(document)
            state = decode(document["state"], arrays)
            if hasattr(callback, "load_state_dict"):
                callback.load_state_dict(state)
                continue
            for attribute, value in state.items():
                if not hasattr(callback, attribute) or _is_data(getattr(callback, attribute)):
                    setattr(callback, attribute, value)
                    changed.add(attribute)

    def _state(self, index: int, name: str, arrays: Arrays) -> Any:
        callback = self._callbacks[index]
        if hasattr(callback, "state_dict"):
            return encode(callback.state_dict(), arrays, "callbacks")
        self._warn_of_lost_attributes(name, callback)
        items = []
        for attribute, value in _attributes(callback).items():
            if attribute in self._changed[index]:
                with contextlib.suppress(TypeError):
                    items.append([attribute, encode(value, arrays, "callbacks")])
        return {"items": items}

    def _warn_of_lost_attributes(self, name: str, callback: Any) -> None:
        """Warns once about the attributes of a user's callback that a checkpoint cannot save."""
        if name in self._warned or type(callback).__module__.partition(".")[0] in ("keras", "seqtrain"):
            return
        self._warned.add(name)
        lost = [
            attribute
            for attribute, value in _attributes(callback).items()
            if not (_is_data(value) or callable(value) or hasattr(value, "fileno"))
        ]
        if lost:
            log.warning(
                "checkpoints do not keep %s of the callback '%s', which is not plain data; "
                "if a resumed run needs it, give the callback state_dict() and load_state_dict(state)",
                ", ".join(lost),
                name,
            )


def _attributes(callback: Any) -> dict[str, Any]:
    configured = _configured(type(callback))
    return {name: value for name, value in vars(callback).items() if name not in configured}


def _configured(kind: type) -> frozenset[str]:
    """The attributes that are configuration: those with the name of an argument of Keras's own classes.

    Keras changes some of them in place at first use (the sign of `min_delta`), and would do so again after a restore.
    """
    keras_classes = (each for each in kind.__mro__ if each.__module__.partition(".")[0] == "keras")
    parameters = (inspect.signature(each.__init__).parameters for each in keras_classes)  # type: ignore[misc]
    return frozenset(CALLBACK_ATTRIBUTES).union(*parameters)


def _fingerprints(callback: Any, without: Collection[str] = ()) -> dict[str, str]:
    """A fingerprint of the value of each attribute that is plain data."""
    found = {}
    for name, value in _attributes(callback).items():
        if name in without:
            continue
        arrays: dict[str, Any] = {}
        try:
            document = encode(value, arrays, "")
        except TypeError:
            continue
        found[name] = f"{json.dumps(document)} {[hash(array.tobytes()) for array in arrays.values()]}"
    return found


def _is_data(value: Any) -> bool:
    try:
        encode(value, {}, "")
    except TypeError:
        return False
    return True
