"""What can go wrong, as one tree; each branch has the exit code that scripts rely on.

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

The command line catches `SeqtrainError` once and prints it; anything else is a bug of ours and keeps its traceback.
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
"""Codes of mistakes that a config which is only looked at, and not trained, may have."""

MOST_TOLD = 10
"""How many mistakes of one file are looked for, where looking takes its time."""

MOST_LISTED = 10_000
"""How many are looked for where it takes none; a person is shown some, and scripts all."""

_LINE = re.compile(r":([0-9]+)$")


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong, in the words that a person needs to mend it.

    Args:
        message: What is wrong.
        where: The place: `file:line:column`, `file`, `file:row`, or the override of the command line.
        expected: What would have been right; follows the word "expected".
        received: What was found instead; follows the word "received".
        fix: What to do.
        code: What kind of mistake it is, for programs: `unknown_key`, `missing_file`; by default the kind of the error
            that tells it.
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
    """Base of every error that is told to the user in words, without a traceback.

    Args:
        message: What is wrong, or a list of mistakes that are told in one go.
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
        # Errors travel from worker processes to the main one.
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
    """What is wrong with the rows of one file, told in one go and in the order of its lines."""

    def __init__(self) -> None:
        self._mistakes: list[Mistake] = []

    def add(self, error: DataError) -> None:
        """Keeps an error.

        Raises:
            DataError: when there are so many that no more are looked for: with these.
        """
        self._mistakes += error.mistakes
        if len(self._mistakes) >= MOST_LISTED:
            self.tell()

    def tell(self) -> None:
        """Does nothing where nothing is wrong.

        Raises:
            DataError: with all that was kept.
        """
        if self._mistakes:
            raise DataError(sorted(self._mistakes, key=_line)[:MOST_LISTED])


def without_repeats(mistakes: Sequence[Mistake], num_rows: int) -> list[Mistake]:
    """What is wrong with some rows of a file; where none of them is right, the commonest of it once.

    Then a column holds something else throughout, which its first cell says as well as all of them.

    Args:
        mistakes: At least one for each wrong row.
        num_rows: That were looked at.
    """
    if len(mistakes) < num_rows:
        return list(mistakes)
    (commonest, _), *_ = Counter(mistake.message for mistake in mistakes).most_common(1)
    first = next(mistake for mistake in mistakes if mistake.message == commonest)
    return [mistake for mistake in mistakes if mistake is first or mistake.message != commonest]


def _line(mistake: Mistake) -> int:
    """The number that its place ends in; 0 without one."""
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
    """The time that `--max-time` gave a run is over."""

    exit_code = 124
    status = code = "max_time"

    def __init__(self) -> None:
        super().__init__("--max-time is over")


def first_of(mistakes: Iterable[Mistake], count: int, what: str) -> list[Mistake]:
    """The first of `count` mistakes of a kind, and how many more there are of `what`."""
    first = list(itertools.islice(mistakes, MOST_TOLD))
    return first + [Mistake(f"and {count - len(first)} more {what}")] * (count > len(first))


def unreadable(
    path: object, error: OSError, what: str = "file", expected: str | None = None, fix: str | None = None
) -> DataError:
    """What is wrong with a file or a folder that cannot be opened.

    Args:
        path: Of it.
        error: That opening it raised.
        what: "file" or "folder", perhaps with a word before.
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
    """The name most like `name`, or None where none is close."""
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
