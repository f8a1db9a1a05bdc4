"""The configs that `init` writes, from the Jinja templates of commented YAML in `recipes/`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jinja2
import yaml

_WIDTH = 110

Size = tuple[int, int]
"""Height and width."""


class _Text(str):
    """Text for a comment, which is inserted unchanged instead of as a YAML value."""


@dataclass(frozen=True)
class Recipe:
    """A template in `recipes/` and the values to fill in.

    Args:
        name: The name of the template.
        about: A sentence or two, for the config's first lines.
        source: The source with its arguments; paths as they are written in the config.
        batch_size: The number of samples in a batch.
        by: The kind of split.
        column: The column of the groups, for `by: group`.
        values: All other values in the template.
    """

    name: str
    about: str
    source: Mapping[str, Any]
    batch_size: int = 32
    by: str = "random"
    column: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_yaml(self, origin: str) -> str:
        """The config as text.

        Args:
            origin: The command that writes it, which the first lines name.
        """
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("seqtrain.init", "recipes"),
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_flow,
        )
        environment.filters["text"] = _Text
        values = {**vars(self), "source": dict(self.source), **self.values, "origin": origin}
        rendered = environment.get_template(f"{self.name}.yaml").render(values)
        sections = [part for part in rendered.split("\n\n") if part.strip()]
        return "\n\n".join("\n".join(map(_wrapped, section.strip("\n").split("\n"))) for section in sections) + "\n"


def filters(image_size: Size) -> list[int]:
    """The argument `filters` of a CNN: each block halves the image, until a few pixels are left."""
    edge = min(image_size)
    return [16, 32] if edge < 48 else [16, 32, 64] if edge < 112 else [16, 32, 64, 128]


def size_text(size: Size) -> str:
    """A size as text: "48x64"."""
    return f"{size[0]}x{size[1]}"


def _wrapped(line: str) -> str:
    """Breaks a line that is too long: comments are wrapped, and each key of a section gets a line of its own."""
    if line.startswith("#"):
        return "\n".join(f"# {part}" for part in textwrap.wrap(line.removeprefix("# "), _WIDTH))
    if len(line) <= _WIDTH or line.startswith(" "):
        return line
    ((key, section),) = yaml.safe_load(line).items()
    return "\n".join([f"{key}:", *(f"  {_flow(name)}: {_flow(value)}" for name, value in section.items())])


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, _Text):
        return value
    value = list(value) if isinstance(value, tuple) else value
    # Dump a list, so that text is quoted where flow style (between brackets) needs it.
    text = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text.rstrip("\n")[1:-1]
