"""What a list of arrays in a batch stands for: the samples of one input, or one array for each of several inputs.

Code for Keras 2 returned `[user, item], [rating]`, code that reads samples in a loop a list of them. All parts of a
batch have the same number of samples, and mostly only one of the two readings makes that true.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from seqtrain.errors import WorkerError

ListForm = Literal["samples", "inputs"]
log = logging.getLogger("seqtrain")
_MAX_INPUTS = 8  # a longer list is one of samples


class ListForms:
    """Decides what the lists of arrays are in the batches of one class or function, and remembers it.

    Args:
        name: The name of the class or function, for messages.
        logs: Whether it is logged that lists are taken as inputs.
    """

    def __init__(self, name: str, logs: bool) -> None:
        self._name = name
        self._logs = logs
        self._known: ListForm | None = None

    def form(self, batch: Any, others: Iterable[Any] = ()) -> ListForm:
        """What the lists in a batch are.

        Args:
            batch: As it was returned.
            others: Further batches, which are made only if this one and those before do not show it.

        Raises:
            WorkerError: when none shows it.
        """
        found = forms_of_lists(batch)
        if not found:
            return "samples"
        if len(found) > 1 and self._known is None:
            found = next((forms for forms in map(forms_of_lists, others) if len(forms) == 1), found)
        if len(found) == 1:
            (form,) = found
            if form == "inputs" and self._known is None and self._logs:
                log.info("%s returns lists of arrays: taken as one array for each input", self._name)
            self._known = form
        if self._known is None and not _has_long_list(batch):
            raise WorkerError(
                f"{self._name} returned a list of arrays, which may be the samples of one input, or several inputs",
                fix="return a tuple of arrays for several inputs, and np.stack(list) for one",
            )
        return self._known or "samples"


def is_list_of_arrays(part: Any) -> bool:
    """Whether it is a list of arrays, or columns of a DataFrame, that have an axis of samples each."""
    return isinstance(part, list) and bool(part) and all(hasattr(item, "__array__") and np.ndim(item) for item in part)


def can_stack(part: list[Any]) -> bool:
    """Whether arrays may be the samples of one input."""
    return len({(item.shape, item.dtype) for item in part}) == 1


def forms_of_lists(batch: Any) -> set[ListForm]:
    """What the lists of arrays in a batch may be; nothing without such lists, or if neither is consistent."""
    parts = batch if isinstance(batch, (tuple, list)) else ()
    lists = [part for part in parts if is_list_of_arrays(part)]
    forms: set[ListForm] = set()
    if not lists:
        return forms
    others = {length for part in parts if not is_list_of_arrays(part) for length in _lengths(part)}
    if len(others | {len(array) for part in lists for array in part}) == 1:
        forms.add("inputs")
    if len(others | {len(part) for part in lists}) == 1 and all(map(can_stack, lists)):
        forms.add("samples")
    return forms


def _lengths(part: Any) -> set[int | None]:
    """The numbers of samples in an array, a list of numbers, or a dict or tuple of these."""
    if part is None:
        return set()
    if isinstance(part, (dict, tuple)):
        return set().union(*map(_lengths, part.values() if isinstance(part, dict) else part))
    shape = np.shape(part) if not isinstance(part, list) else (len(part),)
    return {shape[0] if shape else None}


def _has_long_list(batch: Any) -> bool:
    """Whether a batch has a list of more arrays than a model is likely to have inputs."""
    return any(is_list_of_arrays(part) and len(part) > _MAX_INPUTS for part in batch)
