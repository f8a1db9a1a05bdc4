"""Writes a config as YAML that our reader and any other YAML reader read as the same config."""

from __future__ import annotations

from typing import Any

import yaml

from seqtrain.config.reader import scalar
from seqtrain.config.schema import RunConfig


class _Dumper(yaml.SafeDumper):
    """Writes flat lists on one line, and quotes text that YAML 1.1 or 1.2 would read as another type."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    quoted = None if isinstance(scalar(value), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=quoted)


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    flat = not any(isinstance(item, (dict, list)) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flat)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def dump(config: RunConfig) -> str:
    """The resolved config as YAML: defaults filled in, paths absolute."""
    return yaml.dump(config.to_yaml(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
