"""The command `init`: recognises the data, asks, writes the config, and checks it."""

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
from seqtrain.init.prompts import InitOptions, settle
from seqtrain.init.recognise import chosen, recognise
from seqtrain.loading.pipeline import first_batch, open_data

log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class Survey:
    """The detections in a folder.

    Args:
        place: The folder, or a file.
        finds: The detections, the most likely first.
    """

    place: Path
    finds: Sequence[Detection]

    def text(self, find: Detection, with_others: bool = True) -> str:
        """A summary of a detection, and the other kinds that the folder may hold."""
        width = max(len(name) for name, _ in find.seen)
        lines = [f"{self.place}: {KINDS[find.kind].about}"]
        lines += [f"  {name:{width}}  {words}" for name, words in find.seen]
        lines += [f"note: {note}" for note in find.notes]
        others = [other for other in self.finds if other is not find and with_others]
        lines += ["This could also be (choose with --task):"] if others else []
        return "\n".join([*lines, *(f"  {other.kind:22}{KINDS[other.kind].about}" for other in others)])


@dataclass(frozen=True)
class Start:
    """The result of `init`: a config that was written.

    Args:
        path: The config.
        kind: The kind of its data.
        find: The detection that it was written for; None for a template.
        others: The other kinds of data that the folder may hold.
        answers: The answers that were used.
        tried: The samples of both sides and the fields of a batch, from opening the data; empty for a template.
    """

    path: Path
    kind: str
    find: Detection | None = None
    others: Sequence[Detection] = ()
    answers: Answers = Answers()
    tried: dict[str, Any] | None = None

    def text(self) -> str:
        """The text for the terminal: what was written, and the next command to run."""
        config = shlex.quote(str(self.path))
        if self.tried is None:
            has_paths = self.kind != "synthetic_sum"
            return f"wrote {self.path}{': put your paths into `source`, then' * has_paths}\n  seqtrain check {config}"
        samples = self.tried["samples"]
        fields = self.tried["batch"].items()
        batch = ", ".join(f"{name} {'x'.join(map(str, field['shape']))} {field['dtype']}" for name, field in fields)
        others = [name for name in (self.find.targets if self.find else ()) if name != self.answers.target]
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
        if self.find is None:
            return document
        return {
            **document,
            **self.find.to_json(),
            "target": self.answers.target,
            "image_size": self.answers.image_size,
            "could_also_be": [{"kind": other.kind, "task": other.task} for other in self.others],
            **(self.tried or {}),
        }


@dataclass(frozen=True)
class KindList:
    """The kinds, for `--template list`."""

    def text(self) -> str:
        """The text for the terminal."""
        return "\n".join(f"{name:22}{kind.task:16}{kind.about}" for name, kind in KINDS.items())

    def to_json(self) -> dict[str, Any]:
        """The facts as a JSON document."""
        return {name: kind._asdict() for name, kind in KINDS.items()}


def begin(
    place: Path, wishes: InitOptions, template_name: str | None, config: Path, force: bool, tell: Callable[[str], None]
) -> Start | KindList:
    """Runs the command.

    Args:
        place: The folder.
        wishes: The options about its data.
        template_name: A kind, or "list"; None to recognise the folder's data.
        config: The config to write.
        force: Whether to overwrite it.
        tell: Prints the findings before questions are asked.

    Raises:
        ConfigError: when the options do not fit, or the config exists already.
        DataError: when nothing is recognised, or the data cannot be used.
    """
    if template_name is None:
        check_free(config, force)
        found = Survey(place, recognise(listing_of(place, config.parent)))
        return start(found, wishes, config, force, tell)
    if wishes != InitOptions(takes_suggestions=wishes.takes_suggestions) or place != Path():
        raise ConfigError(
            "--template is for data that is not there yet", fix="leave out the folder and what is said of it"
        )
    return KindList() if template_name == "list" else start_template(template_name, config, force)


def start(found: Survey, wishes: InitOptions, config: Path, force: bool, tell: Callable[[str], None]) -> Start:
    """Writes the config for a folder, and opens its data as `fit` will.

    Raises:
        ConfigError: when an option does not fit the folder, or the config exists already.
        DataError: when the data cannot be used; the config is written nevertheless.
    """
    check_free(config, force)
    likely = chosen(found.finds, wishes.task) if wishes.task else found.finds[0]
    is_asked = not wishes.task and not wishes.takes_suggestions
    tell(found.text(likely, with_others=not is_asked))
    find, answers = settle(found.finds, wishes)
    if find is not likely:
        tell(found.text(find, with_others=False))
    write_text(config, find.recipe(answers).to_yaml(f"seqtrain init {found.place}"))
    others = [other for other in found.finds if other is not find]
    return Start(config, find.kind, find, others, answers, _tried(config))


def start_template(kind: str, config: Path, force: bool) -> Start:
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
    return Start(config, kind)


def check_free(config: Path, force: bool) -> None:
    """Checks that the config does not exist yet, unless `force`, and that its folder exists.

    Raises:
        ConfigError: when one of these is not so.
    """
    if config.exists() and not force:
        raise ConfigError(
            "the file is there already", where=config, fix="name another with --out, or overwrite it with --force"
        )
    if not config.parent.is_dir():
        raise ConfigError("no such folder", where=config.parent, fix="make it, or name another with --out")


def _tried(config: Path) -> dict[str, Any]:
    try:
        data = open_data(load_config(config))
        batch = first_batch(data.train)
    except SeqtrainError:
        log.warning("%s is written, but its data cannot be used as it is", config)
        raise
    sides = {"train": len(data.split.train), "val": len(data.split.val)}
    return {"samples": sides, "batch": dict(_fields(dict(zip("xyw", batch, strict=False))))}


def _fields(value: Any, name: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Name, shape and dtype of each array of a batch."""
    if isinstance(value, dict):
        parts = [_fields(item, f"{name}.{key}" if name else str(key)) for key, item in value.items()]
        return [field for part in parts for field in part]
    if isinstance(value, tuple):
        return _fields(dict(enumerate(value)), name)
    return [(name, {"shape": list(value.shape), "dtype": str(value.dtype)})]
