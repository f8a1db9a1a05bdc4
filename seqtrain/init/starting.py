"""The command `init`: recognises the data, asks questions, writes the config, and tries to open the data with it."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.config import load_config
from seqtrain.errors import ConfigError, SeqtrainError, did_you_mean, one_of
from seqtrain.files import write_text
from seqtrain.init.detection import Answers, Detection
from seqtrain.init.kinds import KINDS, template
from seqtrain.init.listing import listing_of
from seqtrain.init.prompts import InitOptions, choose_detection
from seqtrain.init.recognise import detection_for, recognise
from seqtrain.loading.pipeline import first_batch, open_data

log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class Survey:
    """The detections in a folder.

    Args:
        place: The folder, or a file.
        detections: The detections, the most likely first.
    """

    place: Path
    detections: Sequence[Detection]

    def text(self, detection: Detection, with_others: bool = True) -> str:
        """A summary of a detection, followed by the other kinds that the folder may hold."""
        width = max(len(name) for name, _ in detection.seen)
        lines = [f"{self.place}: {KINDS[detection.kind].about}"]
        lines += [f"  {name:{width}}  {words}" for name, words in detection.seen]
        lines += [f"note: {note}" for note in detection.notes]
        others = [other for other in self.detections if other is not detection and with_others]
        lines += ["This could also be (choose with --task):"] if others else []
        return "\n".join([*lines, *(f"  {other.kind:22}{KINDS[other.kind].about}" for other in others)])


@dataclass(frozen=True)
class InitResult:
    """The result of `init`: a config that was written.

    Args:
        path: The config.
        kind: The kind of its data.
        detection: The detection that it was written for; None for a template.
        others: The other kinds of data that the folder may hold.
        answers: The answers that were used.
        data: The numbers of training and validation samples, and the arrays of a batch; None for a template.
    """

    path: Path
    kind: str
    detection: Detection | None = None
    others: Sequence[Detection] = ()
    answers: Answers = Answers()
    data: dict[str, Any] | None = None

    def text(self) -> str:
        """The text for the terminal: what was written, and the next commands to run."""
        config = shlex.quote(str(self.path))
        if self.data is None:
            has_paths = self.kind != "synthetic_sum"
            return f"wrote {self.path}{': put your paths into `source`, then' * has_paths}\n  seqtrain check {config}"
        samples = self.data["samples"]
        fields = self.data["batch"].items()
        batch = ", ".join(f"{name} {'x'.join(map(str, field['shape']))} {field['dtype']}" for name, field in fields)
        others = [name for name in (self.detection.targets if self.detection else ()) if name != self.answers.target]
        choice = (
            f"{self.answers.target} is predicted; for another column: --target {' | '.join(others)}\n" if others else ""
        )
        return (
            f"wrote {self.path}: {samples['train']:,} samples train, {samples['val']:,} validate; a batch is {batch}\n"
            f"{choice}next:\n  seqtrain inspect-batches {config}\n  seqtrain check {config} --data\n"
            f"  seqtrain fit {config}"
        )

    def to_json(self) -> dict[str, Any]:
        """The facts as a JSON document."""
        document = {"status": "ok", "config": str(self.path), "kind": self.kind, "task": KINDS[self.kind].task}
        if self.detection is None:
            return document
        return {
            **document,
            **self.detection.to_json(),
            "target": self.answers.target,
            "image_size": self.answers.image_size,
            "could_also_be": [{"kind": other.kind, "task": other.task} for other in self.others],
            **(self.data or {}),
        }


@dataclass(frozen=True)
class KindList:
    """The kinds of data, for `--template list`."""

    def text(self) -> str:
        """The text for the terminal."""
        return "\n".join(f"{name:22}{kind.task:16}{kind.about}" for name, kind in KINDS.items())

    def to_json(self) -> dict[str, Any]:
        """The facts as a JSON document."""
        return {name: kind._asdict() for name, kind in KINDS.items()}


def run_init(
    place: Path, options: InitOptions, template_name: str | None, config: Path, force: bool, show: Callable[[str], None]
) -> InitResult | KindList:
    """Runs the command.

    Args:
        place: The folder.
        options: The options about its data.
        template_name: A kind, or "list"; None to recognise the data in the folder.
        config: The config to write.
        force: Whether to overwrite the config.
        show: Prints what was detected, before questions are asked.

    Raises:
        ConfigError: when the options do not fit, or the config exists already.
        DataError: when nothing is recognised, or the data cannot be read.
    """
    if template_name is None:
        check_free(config, force)
        found = Survey(place, recognise(listing_of(place, config.parent)))
        return write_config(found, options, config, force, show)
    if options != InitOptions(takes_suggestions=options.takes_suggestions) or place != Path():
        raise ConfigError(
            "--template is for data that is not there yet", fix="leave out the folder and what is said of it"
        )
    return KindList() if template_name == "list" else write_template(template_name, config, force)


def write_config(
    found: Survey, options: InitOptions, config: Path, force: bool, show: Callable[[str], None]
) -> InitResult:
    """Writes the config for a folder, and reads a first batch as `fit` will.

    Raises:
        ConfigError: when an option does not fit the folder, or the config exists already.
        DataError: when the data cannot be read; the config is written nevertheless.
    """
    check_free(config, force)
    likely = detection_for(found.detections, options.task) if options.task else found.detections[0]
    is_asked = not options.task and not options.takes_suggestions
    show(found.text(likely, with_others=not is_asked))
    detection, answers = choose_detection(found.detections, options)
    if detection is not likely:
        show(found.text(detection, with_others=False))
    write_text(config, detection.recipe(answers).to_yaml(f"seqtrain init {found.place}"))
    others = [other for other in found.detections if other is not detection]
    return InitResult(config, detection.kind, detection, others, answers, _data_summary(config))


def write_template(kind: str, config: Path, force: bool) -> InitResult:
    """Writes the config for a kind of data, with placeholder paths.

    Raises:
        ConfigError: when there is no such kind, or the config exists already.
    """
    if kind not in KINDS:
        raise ConfigError(
            f"--template: there is no '{kind}'", expected=one_of(KINDS), fix=did_you_mean(kind, KINDS) or "choose one"
        )
    check_free(config, force)
    write_text(config, template(kind).to_yaml(f"seqtrain init --template {kind}"))
    return InitResult(config, kind)


def check_free(config: Path, force: bool) -> None:
    """Checks that the config does not exist yet, unless `force`, and that its folder exists.

    Raises:
        ConfigError: when the config exists, or its folder does not.
    """
    if config.exists() and not force:
        raise ConfigError(
            "the file is there already", where=config, fix="name another with --out, or overwrite it with --force"
        )
    if not config.parent.is_dir():
        raise ConfigError("no such folder", where=config.parent, fix="make it, or name another with --out")


def _data_summary(config: Path) -> dict[str, Any]:
    try:
        data = open_data(load_config(config))
        batch = first_batch(data.train)
    except SeqtrainError:
        log.warning("%s is written, but its data cannot be used as it is", config)
        raise
    sides = {"train": len(data.split.train), "val": len(data.split.val)}
    return {"samples": sides, "batch": dict(_fields(dict(zip("xyw", batch, strict=False))))}


def _fields(value: Any, name: str = "") -> list[tuple[str, dict[str, Any]]]:
    """The name, shape and dtype of each array of a batch."""
    if isinstance(value, dict):
        parts = [_fields(item, f"{name}.{key}" if name else str(key)) for key, item in value.items()]
        return [field for part in parts for field in part]
    if isinstance(value, tuple):
        return _fields(dict(enumerate(value)), name)
    return [(name, {"shape": list(value.shape), "dtype": str(value.dtype)})]
