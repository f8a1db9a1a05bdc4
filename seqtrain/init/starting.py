"""The command `init`: look, settle, write, and try what was written."""

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
    """What a folder was found to be.

    Args:
        place: The folder, or a file.
        finds: Likeliest first.
    """

    place: Path
    finds: Sequence[Detection]

    def text(self, find: Detection, with_others: bool = True) -> str:
        """One of the finds at a glance, and what else it could be."""
        width = max(len(name) for name, _ in find.seen)
        lines = [f"{self.place}: {KINDS[find.kind].about}"]
        lines += [f"  {name:{width}}  {words}" for name, words in find.seen]
        lines += [f"note: {note}" for note in find.notes]
        others = [other for other in self.finds if other is not find and with_others]
        lines += ["This could also be (choose with --task):"] if others else []
        return "\n".join([*lines, *(f"  {other.kind:22}{KINDS[other.kind].about}" for other in others)])


@dataclass(frozen=True)
class Start:
    """A config that was written.

    Args:
        path: The config.
        kind: Of its data.
        find: What it was written for; None for a template.
        others: What the folder could also be.
        answers: What was settled.
        tried: What its data gives: samples of both sides, and the fields of a batch; empty for a template.
    """

    path: Path
    kind: str
    find: Detection | None = None
    others: Sequence[Detection] = ()
    answers: Answers = Answers()
    tried: dict[str, Any] | None = None

    def text(self) -> str:
        """For a person: what there is, and what comes next."""
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
        """For scripts."""
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
        """For a person."""
        return "\n".join(f"{name:22}{kind.task:16}{kind.about}" for name, kind in KINDS.items())

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {name: kind._asdict() for name, kind in KINDS.items()}


def begin(
    place: Path, wishes: InitOptions, template_name: str | None, config: Path, force: bool, tell: Callable[[str], None]
) -> Start | KindList:
    """What the command does.

    Args:
        place: The folder.
        wishes: About its data.
        template_name: A kind, or "list"; None to look at the folder.
        config: To be written.
        force: Whether to overwrite it.
        tell: Shows what was seen to a person, before something is asked.

    Raises:
        ConfigError: when the command line asks for what cannot be, or the config is there already.
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
    """Writes the config of a folder, and opens its data as `fit` will.

    Raises:
        ConfigError: when a wish does not fit the folder, or the config is there already.
        DataError: when the data cannot be used; the config is written all the same.
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
    """Writes the config of a kind, for data that is not there yet.

    Raises:
        ConfigError: when there is no such kind, or the config is there already.
    """
    if kind not in KINDS:
        raise ConfigError(
            f"--template: there is no '{kind}'", expected=one_of(KINDS), fix=did_you_mean(kind, KINDS) or "choose one"
        )
    check_free(config, force)
    write_text(config, template(kind).to_yaml(f"seqtrain init --template {kind}"))
    return Start(config, kind)


def check_free(config: Path, force: bool) -> None:
    """Refuses to write over a config, and where there is no folder.

    Raises:
        ConfigError: in both cases.
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
