"""Checks the arguments of a component against its signature, before it is called.

The annotations of a signature become a pydantic model, so that a component's argument is checked as strictly as a key
of the config itself; paths become absolute, relative to the file that names them.
"""

from __future__ import annotations

import functools
import json
import os
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PydanticSchemaGenerationError,
    TypeAdapter,
    ValidationError,
    create_model,
)

from seqtrain.config.mistakes import mistakes_of
from seqtrain.config.node import Key, Node
from seqtrain.config.schema import Switch
from seqtrain.errors import MISSING_FILE, Mistake, did_you_mean, one_of
from seqtrain.signature import REQUIRED, Parameter, Signature


def check_arguments(
    title: str,
    signature: Signature,
    arguments: Mapping[str, Any],
    root: Node,
    path: tuple[Key, ...],
    supplied: Iterable[str] = (),
) -> tuple[dict[str, Any], list[Mistake]]:
    """The validated arguments with defaults filled in, and the mistakes in them.

    Args:
        title: What messages call the component: "model 'cnn'".
        signature: The parameters that the YAML may set; if it has `**kwargs`, unknown names are passed on.
        arguments: As read from the YAML.
        root: The config's tree, for `file:line:column`.
        path: The keys that lead to the arguments in the tree.
        supplied: Names that the run supplies, for a better message.
    """
    mistakes = []
    known = {}
    for name, value in arguments.items():
        if name in signature.parameters or signature.takes_any_keyword:
            known[name] = value
        else:
            mistakes.append(_unknown(title, name, signature.parameters, root, path, supplied))
    model = arguments_model(title, signature)
    try:
        validated = model.model_validate_json(json.dumps(known))
    except ValidationError as error:
        return {}, mistakes + mistakes_of(error, root, path, title)
    values = {
        name: getattr(validated, _field(name))
        for name, parameter in signature.parameters.items()
        if name in known or not callable(parameter.default) or isinstance(parameter.default, type)
    }  # a function as a default is left to the component: a config cannot hold it
    values |= validated.model_extra or {}
    return {name: absolute(value, root.find((*path, name))) for name, value in values.items()}, mistakes


def arguments_model(title: str, signature: Signature) -> type[BaseModel]:
    """A pydantic model with one field for each argument."""
    fields = {}
    for name, parameter in signature.parameters.items():
        default = ... if parameter.default is REQUIRED else parameter.default
        # The field is renamed because pydantic reserves names (copy, json, model_*) that arguments may have.
        field = Field(default, alias=name, description=parameter.meaning or None)
        fields[_field(name)] = (_checkable(parameter.annotation), field)
    config = ConfigDict(
        extra="allow" if signature.takes_any_keyword else "forbid",
        strict=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )
    return cast(type[BaseModel], create_model(title, __config__=config, **cast(Any, fields)))


def _field(name: str) -> str:
    return f"argument_{name}"


def _unknown(
    title: str,
    name: str,
    parameters: Mapping[str, Parameter],
    root: Node,
    path: tuple[Key, ...],
    supplied: Iterable[str],
) -> Mistake:
    place = root.key_place((*path, name))
    dotted = ".".join(map(str, (*path, name)))
    if name in supplied:
        return Mistake(
            f"{dotted}: the run itself supplies '{name}' to {title}",
            place,
            fix="remove this line",
            code="supplied_argument",
        )
    return Mistake(
        f"{dotted}: unknown argument of {title}",
        place,
        expected=one_of(parameters) if parameters else "no arguments",
        fix=did_you_mean(name, parameters) or "remove this line",
        code="unknown_argument",
    )


def _checkable(annotation: Any) -> Any:
    """The annotation that pydantic checks: a bool accepts yes and no; a type unknown to pydantic is `Any`."""
    if annotation is bool:
        return Switch
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return functools.reduce(lambda a, b: a | b, map(_checkable, typing.get_args(annotation)))
    try:
        TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, TypeError, NameError):
        return Any
    return annotation


def absolute(value: Any, node: Node) -> Any:
    """The value with absolute paths: a relative path starts at the folder of the file that contains it."""
    if isinstance(value, Path):
        return Path(os.path.normpath(Path(node.folder, value.expanduser())))
    if isinstance(value, dict):
        return {key: absolute(item, node.find([key])) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(absolute(item, node.find([index])) for index, item in enumerate(value))
    return value


def missing_paths(arguments: Mapping[str, Any], root: Node, path: tuple[Key, ...]) -> list[Mistake]:
    """A mistake for each path argument whose file or folder does not exist."""
    mistakes = []
    for name, value in arguments.items():
        if isinstance(value, Path) and not value.exists():
            parent = value.parent
            near = did_you_mean(value.name, (file.name for file in parent.iterdir())) if parent.is_dir() else None
            node = root.find((*path, name))
            mistakes.append(
                Mistake(
                    f"{'.'.join(map(str, path))}.{name}: no such file or folder",
                    node.place,
                    received=str(value),
                    fix=near or f"relative paths start from {node.folder} here",
                    code=MISSING_FILE,
                )
            )
    return mistakes
