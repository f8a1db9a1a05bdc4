"""The kinds of data that a config can be written for, as `kinds.yaml` lists them."""

from __future__ import annotations

from importlib import resources
from typing import Any, NamedTuple

import yaml

from seqtrain.init.recipe import Recipe, filters


class Kind(NamedTuple):
    """A kind of data.

    Args:
        task: The task, such as "classification".
        about: One line about the layout of the data and the task.
    """

    task: str
    about: str


_LISTED: dict[str, dict[str, Any]] = yaml.safe_load(resources.files("seqtrain.init").joinpath("kinds.yaml").read_text())
KINDS = {name: Kind(kind["task"], kind["about"]) for name, kind in _LISTED.items()}
TASKS = tuple(dict.fromkeys(kind.task for kind in KINDS.values()))


def template(kind: str) -> Recipe:
    """The config for a kind of data, with placeholder paths."""
    listed = _LISTED[kind]
    about = listed.get("title", f"A config for {listed['about']}. Put your paths and names into `source`.")
    values = {"image_size": [128, 128], "color": "rgb", **listed.get("values", {})}
    filled = {key: listed[key] for key in ("source", "batch_size", "by", "column") if key in listed}
    return Recipe(
        listed.get("recipe", kind), about, **filled, values={**values, "filters": filters(values["image_size"])}
    )
