"""A kind of data that was detected in a folder: the facts, the questions to ask, and the config for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqtrain.init.recipe import Recipe, Size


@dataclass(frozen=True)
class Answers:
    """The answers that only the user can give.

    Args:
        target: The column to predict; None if there is none to choose.
        image_size: The height and width of the images in a batch; None if there are no images.
    """

    target: str | None = None
    image_size: Size | None = None


@dataclass(frozen=True)
class Detection:
    """One kind of data that a folder may hold.

    Args:
        kind: The name of its recipe, such as "image_folder".
        seen: The facts to print, each a name and a text.
        recipe: Makes the config from the answers.
        suggested: The suggested answers.
        targets: The columns that may be the target; empty if there is none to choose.
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
