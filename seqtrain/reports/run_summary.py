"""One run told whole: how it stands, what came out, what it was made from, and the command that goes on with it."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqtrain.config.load import load_config
from seqtrain.config.non_default import non_default
from seqtrain.errors import ConfigError
from seqtrain.reports.run_record import RunRecord
from seqtrain.reports.run_state import log_end
from seqtrain.reports.runs_table import status_color
from seqtrain.reports.terminal_style import DIM, styled
from seqtrain.text import ago, file_size, number, short_duration

_IN_GOOD_ORDER = ("completed", "early_stopped", "training")
_LOG_LINES = 12
_LABEL = 15
_SAID = re.compile(r"^\d{4}-\d\d-\d\d \S+ (?!DEBUG saved ).*(?:\n  (?! ).*)*", re.MULTILINE)
_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax")


def summary(run: RunRecord) -> dict[str, Any]:
    """All of it, for scripts."""
    meta = run.meta
    last_start = (meta.get("resumed") or [meta])[-1]
    config, flaw = _config(run.path)
    return {
        **run.to_json(),
        "config": config,
        "config_flaw": flaw,
        "data": _data(run.path),
        "machine": {
            **{key: meta.get(key) for key in ("hostname", "cpus", "platform", "python", "seqtrain", "packages")},
            **{key: last_start.get(key) for key in ("backend", "devices")},
        },
        "git_commit": meta.get("git_commit"),
        "command": shlex.join(["seqtrain", *meta.get("argv", ("",))[1:]]),
        "resumed": [_resumption(each) for each in meta.get("resumed", ())],
        "checkpoints": _checkpoints(run.path / "checkpoints"),
        "log": [] if run.state.status in _IN_GOOD_ORDER else _last_lines(run.path),
        "go_on": _go_on(run),
    }


def summary_text(run: RunRecord, told: Mapping[str, Any], width: int) -> str:
    """The same for people.

    Args:
        run: The run.
        told: Its summary.
        width: Of the terminal.
    """
    lines = [str(run.path), *_outcome(run, told, width)]
    for name, text in _facts(told):
        lines += _labelled(name, text, width)
    lines += ["", styled("what is not the default:", DIM), *_config_lines(told, width)]
    if told["log"]:
        lines += ["", styled(f"the end of {run.path / 'train.log'}:", DIM), *(f"  {line}" for line in told["log"])]
    if told["go_on"]:
        lines += ["", styled("go on with:", DIM), f"  {told['go_on']}"]
    return "\n".join(lines)


def _outcome(run: RunRecord, told: Mapping[str, Any], width: int) -> Iterator[str]:
    planned = f" of {run.planned_epochs}" if run.planned_epochs else ""
    trained = f" in {short_duration(run.duration_s)}" if run.duration_s is not None else ""
    when = ago((datetime.now(UTC) - run.starts[-1]).total_seconds())
    epochs = f"{len(run.rows)}{planned} epoch{'' if (run.planned_epochs or len(run.rows)) == 1 else 's'}"
    status = f"{run.state.words} after {epochs}{trained}, started {when}"
    first, *rest = _labelled("status", status, width)
    yield first.replace(run.state.words, styled(run.state.words, status_color(run.state)), 1)
    yield from rest
    message, _, fix = run.state.told.partition("\n  fix: ")
    for name, text in (("by" if run.state.status == "training" else "why", message), ("fix", fix)):
        yield from _labelled(name, text, width) if text else ()
    if run.best:
        yield from _labelled("best", f"{run.best.monitor} {run.best.value:.4g} in epoch {run.best.epoch + 1}", width)
    if told["metrics"]:
        metrics = [f"{name} {number(value, none='none')}" for name, value in told["metrics"].items()]
        yield from _labelled("last epoch", ", ".join(metrics), width)


def _facts(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    machine = told["machine"]
    if told["data"]:
        yield "data", _data_words(told["data"])
    versions = [f"{name} {version}" for name, version in (machine["packages"] or {}).items() if name in _PACKAGES]
    own = [f"seqtrain {machine['seqtrain']}", f"Python {machine['python']}"]
    yield "machine", f"{machine['hostname']}, {machine['cpus']} CPUs; {', '.join(machine['devices'] or ['no device'])}"
    yield "versions", ", ".join([*own, *versions])
    if told["git_commit"]:
        yield "commit", told["git_commit"]
    yield "command", told["command"]
    for each in told["resumed"]:
        changed = f"; changed: {'; '.join(each['changed'])}" if each["changed"] else ""
        yield "resumed", f"{each['time'].replace('T', ' ').replace('+00:00', ' UTC')}{changed}"
    for each in told["checkpoints"]:
        links = f" ({', '.join(each['links'])})" if each["links"] else ""
        yield "checkpoint", f"{each['name']}{links}, {file_size(each['bytes'])}"


def _labelled(name: str, text: str, width: int) -> list[str]:
    """A line with its name in front, wrapped below itself."""
    indent = " " * _LABEL
    return textwrap.wrap(
        text.replace("\n", " "),
        max(width, 40),
        initial_indent=f"  {name:<{_LABEL - 2}}",
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _config_lines(told: Mapping[str, Any], width: int) -> Iterator[str]:
    if told["config_flaw"]:
        yield from textwrap.wrap(told["config_flaw"], width, initial_indent="  ", subsequent_indent="  ")
    widest = max((len(each["key"]) for each in told["config"]), default=0)
    for each in told["config"]:
        key, value = each["key"], each["value"]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"  {key:<{widest}}  {'' if key.endswith(f'.{text}') else text}".rstrip()


def _config(folder: Path) -> tuple[list[dict[str, Any]], str | None]:
    """What of the config is not the default; and why it cannot be told, where an older or own version wrote it."""
    try:
        found = non_default(load_config(folder / "config.yaml", needs_files=False))
    except ConfigError as error:
        return [], f"config.yaml is not one of this version: {error.mistakes[0].message}"
    return [{"key": value.key, "value": value.value} for value in found], None


def _data(folder: Path) -> dict[str, Any]:
    """What split.json counts; nothing where it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads((folder / "split.json").read_bytes())
        return {key: kept[key] for key in ("num_samples", "num_train", "num_val", "data_sha256") if key in kept}
    return {}


def _data_words(data: Mapping[str, Any]) -> str:
    val = f"{data['num_val']} to validate" if data.get("num_val") else "no validation"
    return f"{data.get('num_train')} samples to train, {val}"


def _resumption(each: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "time": each["time"],
        "command": shlex.join(["seqtrain", *each["argv"][1:]]),
        "changed": each.get("changed", []),
    }


def _checkpoints(folder: Path) -> list[dict[str, Any]]:
    """Each checkpoint with its size and the links to it."""
    found: list[dict[str, Any]] = []
    links = {name: (folder / name).resolve() for name in ("best", "last")}
    for path in sorted(folder.glob("*step-*")):
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        own = [name for name, target in links.items() if target == path.resolve()]
        found.append({"name": path.name, "bytes": size, "links": own})
    return found


def _last_lines(folder: Path) -> list[str]:
    """The end of the log: what was said, without the model's layers, libraries' chatter and tracebacks."""
    lines = [line for said in _SAID.findall(log_end(folder)) for line in said.splitlines()]
    return lines[-_LOG_LINES:]


def _go_on(run: RunRecord) -> str | None:
    """The command, which works in any folder: the run's own config has absolute paths. None where there is no more."""
    if run.state.status in _IN_GOOD_ORDER:
        return None
    folder = str(run.path.resolve())
    return shlex.join(["seqtrain", "fit", f"{folder}/config.yaml", "--run-dir", folder])
