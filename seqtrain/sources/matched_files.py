"""Files in two folders that belong together because they are called alike: images and masks, volumes and labels."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seqtrain.errors import MOST_TOLD, DataError, Mistake

log = logging.getLogger("seqtrain")

_DOUBLE_EXTENSIONS = (".nii.gz",)


@dataclass(frozen=True)
class MatchedFiles:
    """Pairs of files, by their stems in alphabetical order.

    Args:
        stems: Of the pairs: their paths below the folders without extension, such as "patient_01/scan".
        first: Their paths below the first folder.
        second: Their paths below the second folder.
        left_out: The files that have no partner, where that was allowed.
    """

    stems: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    left_out: tuple[Path, ...] = ()


def matched_by_stem(
    first: Path,
    second: Path,
    extensions: Collection[str],
    suffix: str = "",
    skip_unmatched: bool = False,
    first_suffix: str = "",
) -> MatchedFiles:
    """Finds the files of two folders, at any depth, that have the same stem.

    Args:
        first: A folder.
        second: The folder of the partners.
        extensions: Of the files to look at, in lower case, such as ".png"; others and hidden ones are passed over.
        suffix: What the stems of the second folder end in besides: "_mask" for `cat_mask.png` and `cat.jpg`. With it,
            both folders may be one.
        skip_unmatched: Leave out files without a partner, instead of refusing them.
        first_suffix: What the stems of the first folder end in besides; files without it are passed over.

    Raises:
        DataError: when a folder is missing or holds no such file, two of its files have one stem, or a file has no
            partner.
    """
    firsts, seconds = _by_stem(first, extensions, first_suffix), _by_stem(second, extensions, suffix)
    if suffix and first.resolve() == second.resolve():
        firsts = {stem: path for stem, path in firsts.items() if not stem.endswith(suffix)}
    stems = sorted(firsts.keys() & seconds.keys())
    alone = [first / firsts[stem] for stem in sorted(firsts.keys() - seconds.keys())]
    alone += [second / seconds[stem] for stem in sorted(seconds.keys() - firsts.keys())]
    if not stems or (alone and not skip_unmatched):
        raise DataError(
            [_without_partner(path, first, second, (first_suffix, suffix)) for path in alone[:MOST_TOLD]]
            + ([Mistake(f"and {len(alone) - MOST_TOLD} more files without a partner")] * (len(alone) > MOST_TOLD))
        )
    return MatchedFiles(tuple(stems), tuple(firsts[s] for s in stems), tuple(seconds[s] for s in stems), tuple(alone))


def tell_left_out(name: str, matched: MatchedFiles) -> None:
    """Says which files have no partner.

    Args:
        name: Of the source.
        matched: What it found.
    """
    alone = matched.left_out
    if alone:
        log.warning("%s: left out, for want of a partner: %d, such as %s", name, len(alone), alone[0])


class MaskNames(NamedTuple):
    """How masks are called, in a folder that holds images too.

    Args:
        folder: The name of the folder that they lie in; empty where it tells nothing.
        suffix: What their stems end in.
    """

    folder: str
    suffix: str = ""

    def images_of(self, root: Path, paths: list[str]) -> list[str]:
        """The paths that are no masks; all of them, where by their names all are.

        Args:
            root: The folder, for messages.
            paths: Below it.
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


def _base_stem(path: str) -> str:
    return stem_and_extension(path.rpartition("/")[2])[0]


def _by_stem(folder: Path, extensions: Collection[str], suffix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in files_below(folder):
        stem, extension = stem_and_extension(path)
        if extension not in extensions or not stem.endswith(suffix):
            continue
        stem = stem.removesuffix(suffix)
        if stem in found:
            raise DataError(
                f"two files are called '{stem}'",
                where=folder / path,
                received=f"{found[stem]} and {path}",
                fix="remove or rename one of them",
            )
        found[stem] = path
    if not found:
        ending = f"{suffix} and an extension" if suffix else "an extension"
        raise DataError(
            "the folder holds none of the files that are looked for",
            where=folder,
            expected=f"files that end in {ending} such as {', '.join(sorted(extensions)[:5])}",
        )
    return found


def files_below(folder: Path) -> list[str]:
    """The paths of all files at any depth, relative to the folder; hidden files and folders are passed over.

    Raises:
        DataError: when the folder is missing or cannot be read.
    """

    def refuse(error: OSError) -> None:
        missing = isinstance(error, FileNotFoundError)
        raise DataError(
            "no such folder" if missing else f"the folder cannot be read: {error.strerror}", where=folder
        ) from error

    if not folder.is_dir():
        raise DataError("not a folder" if folder.exists() else "no such folder", where=folder)
    found: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = Path(parent).relative_to(folder).as_posix()
        start = "" if prefix == "." else f"{prefix}/"
        found += (start + name for name in sorted(files) if not name.startswith("."))
    return found


def stem_and_extension(path: str) -> tuple[str, str]:
    """A path without its extension, and the extension in lower case: ("a/scan", ".nii.gz")."""
    lower = path.lower()
    for double in _DOUBLE_EXTENSIONS:
        if lower.endswith(double):
            return path[: -len(double)], double
    stem, extension = os.path.splitext(path)  # noqa: PTH122 - a Path for each of many files is slow
    return stem, extension.lower()


def _without_partner(path: Path, first: Path, second: Path, suffixes: tuple[str, str]) -> Mistake:
    folders = (first, second)
    own = 0 if path.is_relative_to(first) else 1
    stem = stem_and_extension(path.relative_to(folders[own]).as_posix())[0].removesuffix(suffixes[own])
    return Mistake(
        f"the file has no partner '{stem}{suffixes[1 - own]}.*' in {folders[1 - own]}",
        where=str(path),
        fix="add the partner, remove the file, or set `unmatched: skip`",
    )
