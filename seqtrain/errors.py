"""The exceptions as one tree; each has the exit code that scripts rely on.

    SeqtrainError                1  (never raised itself)
    ├── ConfigError              2  a mistake in the config or on the command line
    ├── DataError                3  a file, a row or a sample that cannot be used
    ├── CheckpointError          4
    ├── WorkerError              5
    ├── ResourceError            6  out of memory or disk
    ├── DivergedError            7  a NaN or infinite loss
    ├── RunFolderBusyError      75
    ├── InterruptedRunError    129, 130 or 143: 128 and the signal's number
    └── OutOfTimeError         124  --max-time is over

The command line catches `SeqtrainError` in one place and prints it. Any other exception is a bug of ours, and keeps its
traceback.
"""

from __future__ import annotations

import difflib
import itertools
import re
import signal
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

IMPORT_FAILED, MISSING_FILE, UNKNOWN_COMPONENT = "import_failed", "missing_file", "unknown_component"
"""Codes of mistakes that are ignored in a config that is only shown or compared, not trained."""

MOST_SHOWN = 10
"""The largest number of mistakes to collect in one file if each takes time to find."""

MOST_LISTED = 10_000
"""The largest number to collect if finding them is fast; users are shown some of them, scripts get all."""

_LINE = re.compile(r":([0-9]+)$")


@dataclass(frozen=True)
class Mistake:
    """One mistake, with all that a user needs to fix it.

    Args:
        message: What is wrong.
        where: Its location: `file:line:column`, `file`, `file:row`, or the override on the command line.
        expected: What would be right; printed after the word "expected".
        received: What was found instead; printed after the word "received".
        fix: How to fix it.
        code: The kind of mistake, for scripts: `unknown_key`, `missing_file`. Default: the kind of the error that
            contains it.
    """

    message: str
    where: str | None = None
    expected: str | None = None
    received: str | None = None
    fix: str | None = None
    code: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}  {self.message}" if self.where else self.message]
        if self.expected:
            lines.append(f"  expected {self.expected}")
        if self.received:
            lines.append(f"  received {self.received}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class SeqtrainError(Exception):
    """Base of all errors that are printed as a message, without a traceback.

    Args:
        message: What is wrong; or a list of mistakes that are reported together.
        where: See `Mistake`.
        expected: See `Mistake`.
        received: See `Mistake`.
        fix: See `Mistake`.
        code: See `Mistake`.
    """

    exit_code = 1
    code = "bug"

    def __init__(
        self,
        message: str | Iterable[Mistake],
        *,
        where: object = None,
        expected: str | None = None,
        received: str | None = None,
        fix: str | None = None,
        code: str = "",
    ) -> None:
        place = None if where is None else str(where)
        mistakes = [Mistake(message, place, expected, received, fix, code)] if isinstance(message, str) else message
        self.mistakes = tuple(each if each.code else replace(each, code=self.code) for each in mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))

    def __reduce__(self) -> tuple[type[SeqtrainError], tuple[tuple[Mistake, ...]]]:
        # Errors are pickled when a worker process sends them to the main process.
        return (type(self), (self.mistakes,))


class ConfigError(SeqtrainError):
    """A mistake in the config or on the command line."""

    exit_code = 2
    code = "config"


class DataError(SeqtrainError):
    """A file, a row or a sample that cannot be used."""

    exit_code = 3
    code = "data"


class GatheredErrors:
    """Collects the errors in the rows of one file, to raise them together, sorted by line."""

    def __init__(self) -> None:
        self._mistakes: list[Mistake] = []

    def add(self, error: DataError) -> None:
        """Adds an error.

        Raises:
            DataError: with all errors so far, when the limit is reached.
        """
        self._mistakes += error.mistakes
        if len(self._mistakes) >= MOST_LISTED:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raises the collected errors, if there are any.

        Raises:
            DataError: with all collected errors.
        """
        if self._mistakes:
            raise DataError(sorted(self._mistakes, key=_line)[:MOST_LISTED])


def without_repeats(mistakes: Sequence[Mistake], num_rows: int) -> list[Mistake]:
    """The mistakes in the rows of a file; if every row is wrong, the commonest mistake is listed only once.

    In that case the whole column has the wrong content, which its first cell shows well enough.

    Args:
        mistakes: At least one for each wrong row.
        num_rows: The number of rows that were read.
    """
    if len(mistakes) < num_rows:
        return list(mistakes)
    (commonest, _), *_ = Counter(mistake.message for mistake in mistakes).most_common(1)
    first = next(mistake for mistake in mistakes if mistake.message == commonest)
    return [mistake for mistake in mistakes if mistake is first or mistake.message != commonest]


def _line(mistake: Mistake) -> int:
    """The line number of a mistake; 0 without one."""
    found = _LINE.search(mistake.where or "")
    return int(found[1]) if found else 0


class CheckpointError(SeqtrainError):
    """A checkpoint or a run folder that cannot be used."""

    exit_code = 4
    code = "checkpoint"


class WorkerError(SeqtrainError):
    """Loading failed for a reason that is not the data: a worker died, hung, or broke its contract."""

    exit_code = 5
    code = "worker"


class ResourceError(SeqtrainError):
    """Out of memory or disk."""

    exit_code = 6
    code = "resource"


class DivergedError(SeqtrainError):
    """The loss became NaN or infinite."""

    exit_code = 7
    code = "diverged"


class RunFolderBusyError(SeqtrainError):
    """Another process uses the run folder."""

    exit_code = 75
    code = "in_use"


class InterruptedRunError(SeqtrainError):
    """A signal ended the run.

    Args:
        signal_number: SIGHUP (1), SIGINT (2) or SIGTERM (15).
    """

    status = code = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class OutOfTimeError(SeqtrainError):
    """The time limit of `--max-time` was reached."""

    exit_code = 124
    status = code = "max_time"

    def __init__(self) -> None:
        super().__init__("--max-time is over")


def first_of(mistakes: Iterable[Mistake], count: int, what: str) -> list[Mistake]:
    """The first few of `count` mistakes, and one that says how many more of `what` there are."""
    first = list(itertools.islice(mistakes, MOST_SHOWN))
    return first + [Mistake(f"and {count - len(first)} more {what}")] * (count > len(first))


def unreadable(
    path: object, error: OSError, what: str = "file", expected: str | None = None, fix: str | None = None
) -> DataError:
    """The error for a file or folder that cannot be opened.

    Args:
        path: The file or folder.
        error: The exception that opening it raised.
        what: What the message calls it: "file", "folder" or "image file".
        expected: See `Mistake`.
        fix: See `Mistake`.
    """
    if isinstance(error, FileNotFoundError):
        message = f"no such {what}"
    elif isinstance(error, NotADirectoryError):
        message = f"not a {what}"
    else:
        message = f"the {what} cannot be read: {error.strerror or error}"
    return DataError(message, where=path, expected=expected, fix=fix)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that is most similar to `name`; None if no name is similar."""
    by_folded = {known.lower(): known for known in names}
    matches = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """A line for `fix` that suggests the nearest name, or None."""
    suggestion = nearest(name, names)
    return f"did you mean '{suggestion}'?" if suggestion else None


def one_of(names: Iterable[str]) -> str:
    """A line for `expected` that lists the valid names."""
    return "one of: " + ", ".join(names)
