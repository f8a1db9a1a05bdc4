"""Gets the answers that the data does not give: from the command line, from prompts, or as suggested."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import typer

from seqtrain.errors import ConfigError, did_you_mean, one_of
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.kinds import KINDS
from seqtrain.init.recipe import Size
from seqtrain.init.recognise import chosen

_MOST_EDGE = 4096

T = TypeVar("T")


@dataclass(frozen=True)
class InitOptions:
    """The options on the command line.

    Args:
        task: A task or a kind.
        target: A column.
        image_size: Such as "64" or "64x48".
        takes_suggestions: Whether to accept the suggestions without asking.
    """

    task: str | None = None
    target: str | None = None
    image_size: str | None = None
    takes_suggestions: bool = False


def settle(finds: Sequence[Detection], wishes: InitOptions) -> tuple[Detection, Answers]:
    """Chooses one of the detections, and gets the answers that its config needs.

    Raises:
        ConfigError: when an option does not fit, or a question must be asked and there is no terminal.
        DataError: when nothing in the folder fits the task.
    """
    size = None if wishes.image_size is None else parse_size(wishes.image_size)
    find = chosen(finds, wishes.task) if wishes.task else finds[0]
    if not wishes.takes_suggestions and not wishes.task and len(finds) > 1:
        find = _ask_find(finds)
    _check(find, wishes)
    target, image_size = wishes.target or find.suggested.target, size or find.suggested.image_size
    if not wishes.takes_suggestions:
        if len(find.targets) > 1 and wishes.target is None:
            target = _asked("--target", f"Which column is predicted ({', '.join(find.targets)})", target or "", str)
        if image_size is not None and size is None:
            image_size = _asked("--image-size", "Image size in a batch, height x width", _x(image_size), parse_size)
    _check(find, replace(wishes, target=target if find.targets else wishes.target))
    return find, Answers(target if find.targets else None, image_size)


def parse_size(text: str) -> Size:
    """Height and width from "64" or "64x48".

    Raises:
        ConfigError: when the text has another form.
    """
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) in (1, 2) and all(part.strip().isdecimal() and 1 <= int(part) <= _MOST_EDGE for part in parts):
        return int(parts[0]), int(parts[-1])
    raise ConfigError(
        "--image-size: no size", expected="pixels, such as 64 or 48x64 (height x width)", received=f"'{text}'"
    )


def _check(find: Detection, wishes: InitOptions) -> None:
    if wishes.target is not None and wishes.target not in find.targets:
        raise ConfigError(
            f"--target: '{wishes.target}' cannot be predicted here",
            expected=one_of(find.targets) if find.targets else f"no target: {find.kind} has none to choose",
            fix=did_you_mean(wishes.target, find.targets) or "name another --task, or leave --target out",
        )
    if wishes.image_size is not None and find.suggested.image_size is None:
        raise ConfigError(f"--image-size: {find.kind} has no size to choose", fix="leave it out")


def _ask_find(finds: Sequence[Detection]) -> Detection:
    _need_terminal("--task")
    for number, find in enumerate(finds, start=1):
        typer.echo(f"  {number}  {find.kind:22}{KINDS[find.kind].about}", err=True)
    names = {str(number): find for number, find in enumerate(finds, start=1)} | {find.kind: find for find in finds}
    while True:
        answer = typer.prompt("Which of these is it", default="1", err=True)
        if answer in names:
            return names[answer]
        typer.echo(f"a number from 1 to {len(finds)}, or a name", err=True)


def _asked(flag: str, question: str, suggestion: str, parse: Callable[[str], T]) -> T:
    _need_terminal(flag)
    while True:
        try:
            return parse(typer.prompt(question, default=suggestion, err=True))
        except ConfigError as error:
            typer.echo(str(error), err=True)


def _need_terminal(flag: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            "something must be asked, and this is no terminal",
            fix=f"answer with {flag}, or take the suggestions with --yes",
        )


def _x(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
