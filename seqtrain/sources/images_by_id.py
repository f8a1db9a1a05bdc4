"""The image files of a folder by the ids that tables give them: names or paths, with or without extension."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from seqtrain.errors import DataError
from seqtrain.sources.image_folder import image_extensions
from seqtrain.sources.matched_files import files_below, stem_and_extension


class ImagesById:
    """Finds image files by id.

    Args:
        folder: Where the files are, at any depth.
        pattern: A shell pattern that their paths below the folder match.

    Raises:
        DataError: when the folder is missing or holds no such image.
    """

    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder = folder
        extensions = image_extensions()
        files = [file for file in files_below(folder) if pattern == "*" or fnmatch(file, pattern)]
        self._files = [file for file in files if stem_and_extension(file)[1] in extensions]
        if not self._files:
            raise DataError(
                "the folder holds no image"
                if pattern == "*"
                else f"the folder holds no image that matches '{pattern}'",
                where=folder,
                received=f"{len(files)} other files" if files else None,
                fix="correct `images` or `pattern`",
            )
        self._by_id: dict[str, str] = {}
        self._of_several: dict[str, list[str]] = {}
        for file in self._files:
            stem = stem_and_extension(file)[0]
            for name in {file, stem, file.rpartition("/")[2], stem.rpartition("/")[2]}:
                first = self._by_id.setdefault(name, file)
                if first is not file:
                    self._of_several.setdefault(name, [first]).append(file)

    def find(self, name: str) -> str | None:
        """The path below the folder of the image that an id means, or None.

        Raises:
            DataError: when it means several.
        """
        if name in self._of_several:
            raise DataError(
                f"the id '{name}' means several images",
                where=self.folder,
                received=", ".join(self._of_several[name][:5]),
                fix="use paths below the folder as ids, or set `pattern` to what the right ones have in common",
            )
        return self._by_id.get(name)

    def others(self, used: Iterable[str]) -> list[str]:
        """The images that are not among those that are used."""
        without = set(used)
        return [file for file in self._files if file not in without]
