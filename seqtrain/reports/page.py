"""Writes an HTML page in one file: images are embedded, so it can be mailed and opened without a network.

The content of a page is data (sections of blocks); its layout is in the template `page.html`. All text is escaped.
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
        text: Plain text.
        is_faint: Whether it is a minor remark, shown in gray.
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
    """Preformatted text, such as a config or a log."""

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
        rows: The rows, each as long as the header.
        header: The names of the columns; empty for a table without a header.
    """

    rows: Sequence[Sequence[Any]]
    header: Sequence[str] = ()
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class PageImage:
    """An image embedded in the page.

    Args:
        content: A PNG, as bytes or as a file; or an image to be encoded as one.
        caption: The text under it, which is also its alternative text.
    """

    content: bytes | Path | Image.Image
    caption: str
    kind: ClassVar[str] = "image"

    @property
    def source(self) -> str:
        """The image as a data URI."""
        if isinstance(self.content, Image.Image):
            file = io.BytesIO()
            self.content.save(file, "PNG")
            content = file.getvalue()
        else:
            content = self.content.read_bytes() if isinstance(self.content, Path) else self.content
        return f"data:image/png;base64,{base64.b64encode(content).decode()}"


Block = Text | Heading | Code | Figures | Table | PageImage


@dataclass(frozen=True)
class Section:
    """A section of a page, with a link to it at the top of the page.

    Args:
        title: The heading.
        blocks: The content, from top to bottom.
    """

    title: str
    blocks: Sequence[Block]


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The page as HTML.

    Args:
        title: The title, which is also that of the browser's tab.
        subtitle: The line under the title.
        sections: The sections, from top to bottom.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = number
    return environment.get_template("page.html").render(title=title, subtitle=subtitle, sections=sections)
