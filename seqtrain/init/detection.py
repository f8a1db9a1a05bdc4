"""A kind of data that was detected in a folder: what was found, what must be asked, and the config for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqtrain.init.recipe import Recipe, Size


@dataclass(frozen=True)
class Answers:
    """The answers that cannot be found out from the data.

    Args:
        target: The column to predict; None if it need not be asked.
        image_size: Height and width of the images in a batch; None if it need not be asked.
    """

    target: str | None = None
    image_size: Size | None = None


@dataclass(frozen=True)
class Detection:
    """One kind of data that a folder may hold.

    Args:
        kind: The name of its recipe, such as "image_folder".
        seen: The facts that were found, to be printed: a name and a text each.
        recipe: Makes the config from the answers.
        suggested: The suggested answers.
        targets: The columns that may be the target; empty if the target need not be asked.
        notes: Remarks that the user should read before training.
    """

    kind: str
    seen: tuple[tuple[str, str], ...]
    recipe: Callable[[Answers], Recipe]
    suggested: Answers = Answers()
    targets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """The task, such as "classification"."""
        from seqtrain.init.kinds import KINDS

        return KINDS[self.kind].task

    def to_json(self) -> dict[str, Any]:
        """The facts as a JSON document."""
        return {"kind": self.kind, "task": self.task, "seen": dict(self.seen), "notes": list(self.notes)}
