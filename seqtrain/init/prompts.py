"""Gets the answers that the data does not give: from the command line, from prompts, or from the suggestions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import typer

from seqtrain.errors import ConfigError, did_you_mean, one_of
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.kinds import KINDS
from seqtrain.init.recipe import Size, size_text
from seqtrain.init.recognise import detection_for

_MOST_EDGE = 4096

T = TypeVar("T")


@dataclass(frozen=True)
class InitOptions:
    """The options on the command line.

    Args:
        task: A task or a kind.
        target: The column to predict.
        image_size: Such as "64" or "64x48".
        takes_suggestions: Whether to accept the suggestions without asking.
    """

    task: str | None = None
    target: str | None = None
    image_size: str | None = None
    takes_suggestions: bool = False


def choose_detection(detections: Sequence[Detection], options: InitOptions) -> tuple[Detection, Answers]:
    """Chooses one of the detections, and gets the answers that its config needs.

    Raises:
        ConfigError: when an option does not fit, or a question must be asked and there is no terminal.
        DataError: when nothing in the folder fits the task.
    """
    size = None if options.image_size is None else parse_size(options.image_size)
    detection = detection_for(detections, options.task) if options.task else detections[0]
    if not options.takes_suggestions and not options.task and len(detections) > 1:
        detection = _ask_detection(detections)
    _check(detection, options)
    target, image_size = options.target or detection.suggested.target, size or detection.suggested.image_size
    if not options.takes_suggestions:
        if len(detection.targets) > 1 and options.target is None:
            target = _ask("--target", f"Which column is predicted ({', '.join(detection.targets)})", target or "", str)
        if image_size is not None and size is None:
            image_size = _ask(
                "--image-size", "Image size in a batch, height x width", size_text(image_size), parse_size
            )
    _check(detection, replace(options, target=target if detection.targets else options.target))
    return detection, Answers(target if detection.targets else None, image_size)


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


def _check(detection: Detection, options: InitOptions) -> None:
    if options.target is not None and options.target not in detection.targets:
        raise ConfigError(
            f"--target: '{options.target}' cannot be predicted here",
            expected=one_of(detection.targets)
            if detection.targets
            else f"no target: {detection.kind} has none to choose",
            fix=did_you_mean(options.target, detection.targets) or "name another --task, or leave --target out",
        )
    if options.image_size is not None and detection.suggested.image_size is None:
        raise ConfigError(f"--image-size: {detection.kind} has no size to choose", fix="leave it out")


def _ask_detection(detections: Sequence[Detection]) -> Detection:
    _require_terminal("--task")
    for number, detection in enumerate(detections, start=1):
        typer.echo(f"  {number}  {detection.kind:22}{KINDS[detection.kind].about}", err=True)
    by_answer = {str(number): detection for number, detection in enumerate(detections, start=1)}
    by_answer |= {detection.kind: detection for detection in detections}
    while True:
        answer = typer.prompt("Which of these is it", default="1", err=True)
        if answer in by_answer:
            return by_answer[answer]
        typer.echo(f"a number from 1 to {len(detections)}, or a name", err=True)


def _ask(flag: str, question: str, suggestion: str, parse: Callable[[str], T]) -> T:
    _require_terminal(flag)
    while True:
        try:
            return parse(typer.prompt(question, default=suggestion, err=True))
        except ConfigError as error:
            typer.echo(str(error), err=True)


def _require_terminal(flag: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            "something must be asked, and this is no terminal",
            fix=f"answer with {flag}, or take the suggestions with --yes",
        )
