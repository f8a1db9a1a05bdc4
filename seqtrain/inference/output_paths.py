"""The output file for the mask or image of each sample; data files are never overwritten."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqtrain.errors import ConfigError
from seqtrain.sources.file_listing import stem_and_extension


class OutputPaths:
    """The output file for each sample, in the same subfolders as its own file has below the input folder.

    Args:
        out: The output folder.
        inputs: Output paths are relative to the folders among these, or else to the common folder of all files.
        names: The names of all samples.
        data: Other files that must not be overwritten.
        as_png: Whether the extension becomes .png; else it is kept.

    Raises:
        ConfigError: when two samples would get the same file, a file of the inputs or the data would be overwritten,
            or the output folder is one of the inputs.
    """

    def __init__(
        self, out: Path, inputs: Sequence[Path], names: Sequence[str], data: Iterable[str] = (), as_png: bool = True
    ) -> None:
        self.folder = out
        self._folders = [path for path in inputs if path.is_dir()]
        self._as_png = as_png
        self._keeps_extension = not as_png
        if not inputs:
            with contextlib.suppress(ValueError):  # no common folder
                self._folders = [Path(os.path.commonpath([os.path.dirname(name) for name in names]))]  # noqa: PTH120 - many names
        _require_unique(names)
        if len({self(name) for name in names}) < len(names):
            self._keeps_extension = True  # cat.jpg and cat.png must not share a file
            self._require_different(names)
        if out.is_dir():
            require_not_data(map(self, names), itertools.chain(names, data))
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


def require_not_data(paths: Iterable[Path], data: Iterable[str]) -> None:
    """Checks that no output file is one of the inputs or of the run's data files.

    Raises:
        ConfigError: when one of them is.
    """
    existing = [path for path in paths if path.exists()]
    protected = set(map(os.path.realpath, data)) if existing else set()
    for path in existing:
        if os.path.realpath(path) in protected:
            raise ConfigError(
                "a prediction would be written over a file of the data",
                where="--out",
                received=str(path),
                fix="name another file or folder",
            )


def _require_unique(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        name, _ = Counter(names).most_common(1)[0]
        raise ConfigError("the same sample is named twice", where="INPUT", received=name, fix="name it once")
