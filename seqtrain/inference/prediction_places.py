"""The file for the mask or picture of each sample; nothing overwrites the data."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqtrain.errors import ConfigError
from seqtrain.sources.file_listing import stem_and_extension


class Places:
    """The file for the mask or picture of each sample, in the folders that its own file lies in below the input.

    Args:
        out: The folder to write to.
        inputs: Folders among them are what paths are relative to; without any, the folder that all files are below.
        names: Of all samples.
        data: Other files that must not be written over.
        as_png: Whether each becomes a PNG; else it keeps its extension.

    Raises:
        ConfigError: when two would go to one place, one to that of a file of the inputs or of the data, or all into a
            folder of the inputs.
    """

    def __init__(
        self, out: Path, inputs: Sequence[Path], names: Sequence[str], data: Iterable[str] = (), as_png: bool = True
    ) -> None:
        self.folder = out
        self._folders = [path for path in inputs if path.is_dir()]
        self._as_png = as_png
        self._keeps_extension = not as_png
        if not inputs:
            with contextlib.suppress(ValueError):  # where there is none
                self._folders = [Path(os.path.commonpath([os.path.dirname(name) for name in names]))]  # noqa: PTH120
        _require_once(names)
        if len({self(name) for name in names}) < len(names):
            self._keeps_extension = True  # cat.jpg and cat.png
            self._require_different(names)
        if out.is_dir():
            require_no_data(map(self, names), itertools.chain(names, data))
        for folder in inputs:
            if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
                raise ConfigError(
                    "the predictions would lie among the inputs, and be taken for some the next time",
                    where=f"--out {out}",
                    received=f"the folder {folder} as INPUT",
                    fix="name a folder that is not below it",
                )

    def __call__(self, name: str) -> Path:
        """The file for a sample, by the sample's name."""
        path = Path(name)
        folder = next((each for each in self._folders if path.is_relative_to(each)), path.parent)
        relative = path.relative_to(folder).as_posix()
        if relative.endswith("]"):  # a row of an array
            stem, _, row = relative.removesuffix("]").rpartition("[")
            return self.folder / f"{stem_and_extension(stem)[0]}_{int(row):06d}.png"
        stem = relative if self._keeps_extension else stem_and_extension(relative)[0]
        return self.folder / (f"{stem}.png" if self._as_png else stem)

    def _require_different(self, names: Sequence[str]) -> None:
        seen: dict[Path, str] = {}
        for name in names:
            other = seen.setdefault(self(name), name)
            if other != name:
                raise ConfigError(
                    f"two predictions would be called {self(name).relative_to(self.folder)}",
                    where="INPUT",
                    received=f"{other} and {name}",
                    fix="predict them in two commands, with an --out each",
                )


def require_no_data(places: Iterable[Path], data: Iterable[str]) -> None:
    """Refuses to write over a file of the inputs or of the run's data.

    Raises:
        ConfigError: when one of the places is one of these.
    """
    existing = [place for place in places if place.exists()]
    protected = set(map(os.path.realpath, data)) if existing else set()
    for place in existing:
        if os.path.realpath(place) in protected:
            raise ConfigError(
                "a prediction would be written over a file of the data",
                where="--out",
                received=str(place),
                fix="name another file or folder",
            )


def _require_once(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        name, _ = Counter(names).most_common(1)[0]
        raise ConfigError("the same sample is named twice", where="INPUT", received=name, fix="name it once")
