"""The result of a check: a line of text, and the command that fixes the problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from seqtrain.errors import ResourceError
from seqtrain.reports.terminal import columns, styled
from seqtrain.text import counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

Status = Literal["ok", "warning", "problem"]

_ORDER: tuple[Status, ...] = ("ok", "warning", "problem")
_STYLES: dict[Status, str] = {"ok": "green", "warning": "yellow", "problem": "red"}
_WIDTHS = (9, 17, 0)  # of the columns, so that all findings are aligned


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        group: The group of the check, such as "disk".
        name: What was checked.
        status: "ok"; "warning": a run works, but not as well as it could; "problem": a run fails, or ignores a setting.
        message: What was found.
        fix: The command that fixes the problem, or another advice; None if there is no problem.
    """

    group: str
    name: str
    status: Status
    message: str
    fix: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """The finding as a JSON document."""
        fields = asdict(self)
        return {"told" if name == "message" else name: value for name, value in fields.items()}

    def parts(self, after: Finding | None = None) -> list[RenderableType]:
        """The finding as lines for the terminal.

        Args:
            after: The previous finding; the first finding of a group gets the group's name.
        """
        heading = [self.group] if after is None else ["", self.group] if after.group != self.group else []
        status = styled(f"  {self.status}", _STYLES[self.status])
        rows: list[tuple[str | Text, str, str]] = [(status, self.name, self.message)]
        rows += [("", "", f"fix: {self.fix}")] if self.fix else []
        return [*heading, columns(rows, ("", "", ""), min_widths=_WIDTHS)]


def finding_of(
    group: str, name: str, message: str, fix: str | None = None, *, problem: bool = False, warning: bool = False
) -> Finding:
    """A finding with the status problem, warning or ok; without the fix if it is ok."""
    status: Status = "problem" if problem else "warning" if warning else "ok"
    return Finding(group, name, status, message, None if status == "ok" else fix)


def to_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """All findings as a JSON document."""
    return {"status": worst(findings), "findings": [finding.to_json() for finding in findings]}


def worst(findings: Iterable[Finding]) -> Status:
    """The worst status of all findings."""
    return max((finding.status for finding in findings), key=_ORDER.index, default="ok")


def exit_code(findings: Iterable[Finding]) -> int:
    """0 if there is no problem (warnings do not count), else 6, the code of `ResourceError`."""
    return ResourceError.exit_code if worst(findings) == "problem" else 0


def summary(findings: Sequence[Finding]) -> str:
    """The last line that is printed: the number of problems and warnings."""
    statuses = [finding.status for finding in findings]
    problems, warnings = statuses.count("problem"), statuses.count("warning")
    counts = [counted(problems, "problem", none="no"), counted(warnings, "warning", none="no")]
    return f"{', '.join(counts)}, {statuses.count('ok')} ok"
