"""An HTML page in one file: pictures are inside it, so that it can be mailed and opened without a network.

What is on it is data (sections of blocks); how it looks is the template's affair, `page.html`. All text is escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from seqtrain.text import number


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Args:
        text: Plain.
        is_faint: Whether it is a remark beside what counts.
    """

    text: str
    is_faint: bool = False
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Code:
    """Preformatted text: a config, a log."""

    text: str
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Figures:
    """Key figures by name, in large letters."""

    figures: Mapping[str, str]
    kind: ClassVar[str] = "figures"


@dataclass(frozen=True)
class Table:
    """Rows of texts and numbers.

    Args:
        rows: Each as long as the header.
        header: Names of the columns; none where it is empty.
    """

    rows: Sequence[Sequence[Any]]
    header: Sequence[str] = ()
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Args:
        content: A PNG, as bytes or in a file; or a picture to write as one.
        caption: What it shows; also read out in its place.
    """

    content: bytes | Path | Image.Image
    caption: str
    kind: ClassVar[str] = "picture"

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        if isinstance(self.content, Image.Image):
            file = io.BytesIO()
            self.content.save(file, "PNG")
            content = file.getvalue()
        else:
            content = self.content.read_bytes() if isinstance(self.content, Path) else self.content
        return f"data:image/png;base64,{base64.b64encode(content).decode()}"


Block = Text | Heading | Code | Figures | Table | Picture


@dataclass(frozen=True)
class Section:
    """A part of a page, which the links on top lead to.

    Args:
        title: Of the part.
        blocks: What it holds, from top to bottom.
    """

    title: str
    blocks: Sequence[Block]


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The page as HTML, in one file.

    Args:
        title: On top, and of the browser's tab.
        subtitle: The line under it.
        sections: From top to bottom.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = number
    return environment.get_template("page.html").render(title=title, subtitle=subtitle, sections=sections)
