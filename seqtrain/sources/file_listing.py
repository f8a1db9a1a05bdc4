"""Lists the files of a folder: all files below it, files by stem, and pairs of files with the same stem.

Listing takes one `scandir` per folder and no `stat` per file, so that a million files are listed in seconds.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from seqtrain.errors import DataError, Mistake, first_of, unreadable

log = logging.getLogger("seqtrain")

_DOUBLE_EXTENSION = ".nii.gz"
_MOST_EXTENSIONS = 5


def files_below(folder: Path, follow_links: bool = False) -> Iterator[str]:
    """The paths of all files at any depth, relative to the folder; hidden files and folders are skipped.

    Args:
        folder: The folder.
        follow_links: Whether to search linked folders too; a link to a folder that contains it is never followed.

    Raises:
        DataError: when the folder is missing or cannot be read.
    """
    if not folder.is_dir():
        raise DataError("not a folder" if folder.exists() else "no such folder", where=folder)
    return _files_below(str(folder), "", follow_links)


def files_and_folders(folder: Path, expected: str | None = None, fix: str | None = None) -> tuple[list[str], list[str]]:
    """The names of the files and of the folders in a folder, in alphabetical order; hidden ones are skipped.

    Args:
        folder: The folder.
        expected: What it should be, for messages.
        fix: What to do if it is a file, for messages.

    Raises:
        DataError: when the folder is missing or cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            visible = {entry.name: entry.is_dir() for entry in entries if not entry.name.startswith(".")}
    except OSError as error:
        is_file = isinstance(error, NotADirectoryError)
        raise unreadable(folder, error, "folder", expected, fix if is_file else None) from error
    names = sorted(visible)
    return [name for name in names if not visible[name]], [name for name in names if visible[name]]


def stem_and_extension(path: str) -> tuple[str, str]:
    """A path without its extension, and the extension in lower case: ("a/scan", ".nii.gz")."""
    stem, extension = os.path.splitext(path)  # noqa: PTH122 - a Path for each of many files is slow
    extension = extension.lower()
    if extension == ".gz" and path.lower().endswith(_DOUBLE_EXTENSION):
        return path[: -len(_DOUBLE_EXTENSION)], _DOUBLE_EXTENSION
    return stem, extension


def by_stem(folder: Path, extensions: Collection[str], suffix: str = "", what: str = "files") -> dict[str, str]:
    """The paths of a folder's files, at any depth, by their stems in alphabetical order.

    Args:
        folder: The folder.
        extensions: The extensions of the files, in lower case, such as ".png"; other and hidden files are skipped.
        suffix: A suffix of the stems, such as "_mask", which is removed; files without it are skipped.
        what: What the files are, for messages.

    Raises:
        DataError: when the folder is missing or holds no such file, or two of its files have the same stem.
    """
    found: dict[str, str] = {}
    for path in sorted(files_below(folder)):
        stem, extension = stem_and_extension(path)
        if extension not in extensions or not stem.endswith(suffix):
            continue
        stem = stem.removesuffix(suffix)
        if stem in found:
            raise DataError(
                f"two {what} are called '{stem}'",
                where=folder / path,
                received=f"{found[stem]} and {path}",
                fix="remove or rename one of them",
            )
        found[stem] = path
    if not found:
        endings = ", ".join(sorted(extensions)[:_MOST_EXTENSIONS])
        raise DataError(
            f"the folder holds no {what}",
            where=folder,
            expected=f"files that end in {suffix + ' and ' if suffix else ''}an extension such as {endings}",
        )
    return dict(sorted(found.items()))


def matched_by_stem(
    folders: tuple[Path, Path],
    extensions: Collection[str],
    suffixes: tuple[str, str] = ("", ""),
    skip_unmatched: bool = False,
    what: tuple[str, str] = ("images", "masks"),
) -> dict[str, tuple[str, str]]:
    """The paths of the files of two folders, at any depth, that have the same stem, by stem in alphabetical order.

    Args:
        folders: The two folders, which may be the same if the second suffix tells the files apart.
        extensions: See `by_stem`.
        suffixes: The suffixes of both, such as ("", "_mask") for `cat.jpg` and `cat_mask.png`. See `by_stem`.
        skip_unmatched: Skip files without a partner with a warning, instead of raising an error.
        what: See `by_stem`.

    Raises:
        DataError: see `by_stem`; and when a file has no partner.
    """
    first, second = folders
    firsts, seconds = (by_stem(folders[n], extensions, suffixes[n], what[n]) for n in (0, 1))
    if suffixes[1] and first.resolve() == second.resolve():
        firsts = {stem: path for stem, path in firsts.items() if not stem.endswith(suffixes[1])}
    matched = {stem: (path, seconds[stem]) for stem, path in firsts.items() if stem in seconds}
    unmatched = [first / path for stem, path in firsts.items() if stem not in seconds]
    unmatched += [second / path for stem, path in seconds.items() if stem not in firsts]
    if not matched or (unmatched and not skip_unmatched):
        mistakes = (_without_partner(path, folders, suffixes) for path in unmatched)
        raise DataError(first_of(mistakes, len(unmatched), "files without a partner"))
    if unmatched:
        log.warning("%s and %s: left out, for want of a partner: %d, such as %s", *what, len(unmatched), unmatched[0])
    return matched


class MaskNames(NamedTuple):
    """What marks masks in a folder that holds images too.

    Args:
        folder: The name of the masks' folder; empty if the name does not tell masks from images.
        suffix: The suffix of the masks' stems.
    """

    folder: str
    suffix: str = ""

    @classmethod
    def beside(cls, images: Path, masks: Path | None, suffix: str) -> MaskNames:
        """The names of the masks in the folder `masks`, which is None without masks."""
        return cls(masks.name if masks is not None and masks.name != images.name else "", suffix)

    def images_of(self, root: Path, paths: list[str]) -> list[str]:
        """The paths that are not masks; all paths, if all of them look like masks.

        Args:
            root: The folder, for messages.
            paths: Paths below the folder.
        """
        stems = {_base_stem(path) for path in paths}
        images = [path for path in paths if not self._is_mask(path, stems)]
        if not images or len(images) == len(paths):
            return paths
        log.info("%s: left out, as masks by their names: %d files", root, len(paths) - len(images))
        return images

    def _is_mask(self, path: str, stems: Collection[str]) -> bool:
        stem = _base_stem(path)
        by_suffix = bool(self.suffix) and stem.endswith(self.suffix) and stem.removesuffix(self.suffix) in stems
        return by_suffix or (bool(self.folder) and self.folder in path.split("/")[:-1])


def _files_below(folder: str, prefix: str, follow_links: bool) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not entry.is_dir():
                    yield prefix + entry.name
                elif not entry.is_symlink() or (follow_links and not _leads_back(entry, folder)):
                    yield from _files_below(entry.path, f"{prefix}{entry.name}/", follow_links)
    except OSError as error:
        raise unreadable(folder, error, "folder") from error


def _leads_back(entry: os.DirEntry[str], folder: str) -> bool:
    """Whether a folder is a link to a folder that contains it, which would be searched for ever."""
    return Path(folder).resolve().is_relative_to(Path(entry.path).resolve())


def _base_stem(path: str) -> str:
    return stem_and_extension(path.rpartition("/")[2])[0]


def _without_partner(path: Path, folders: tuple[Path, Path], suffixes: tuple[str, str]) -> Mistake:
    side = 0 if path.is_relative_to(folders[0]) else 1
    stem = stem_and_extension(path.relative_to(folders[side]).as_posix())[0].removesuffix(suffixes[side])
    return Mistake(
        f"the file has no partner '{stem}{suffixes[1 - side]}.*' in {folders[1 - side]}",
        where=str(path),
        fix="add the partner, remove the file, or set `unmatched: skip`",
    )
