"""Resolves the components that a config names: the registered ones, and Keras's optimizers, losses and metrics."""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from seqtrain import keras_api
from seqtrain.config.arguments import check_arguments, missing_paths
from seqtrain.config.node import Key, Node
from seqtrain.config.schema import CompileConfig, ComponentConfig, FineTuneConfig, RunConfig
from seqtrain.errors import Mistake, did_you_mean, one_of
from seqtrain.registry import FAMILIES, Registry
from seqtrain.signature import Signature

C = TypeVar("C", bound=ComponentConfig)
Path = tuple[Key, ...]


def resolve_components(
    config: RunConfig, root: Node, mistakes: list[Mistake], missing: Container[str] = ()
) -> RunConfig:
    """The config with the arguments of every component checked and completed.

    Args:
        config: Checked by its schema.
        root: The tree that it was made from.
        mistakes: What is wrong is added here.
        missing: Sections that hold no component, as they are wrong themselves.
    """
    registered = {
        family.singular: _resolve(getattr(config, family.singular), root, (family.singular,), family, mistakes)
        for family in (FAMILIES["sources"], FAMILIES["sequences"], FAMILIES["models"])
        if family.singular not in missing
    }
    callbacks = [
        _resolve(callback, root, ("callbacks", index), FAMILIES["callbacks"], mistakes)
        for index, callback in enumerate(config.callbacks)
    ]
    if config.compile is not None:
        _check_compile(config.compile, root, mistakes)
    if config.fine_tune is not None:
        _check_fine_tune(config, config.fine_tune, root, mistakes)
    return config.model_copy(update={**registered, "callbacks": callbacks})


def arguments_path(root: Node, path: Path, name: str) -> Path:
    """Where a component's arguments stand in the tree: beside its name, or below it."""
    node = root.find(path)
    return (*path, name) if node.is_mapping and "name" not in node.value else path


def _resolve(component: C, root: Node, path: Path, registry: Registry, mistakes: list[Mistake]) -> C:
    if component.name not in registry:
        unknown = registry.unknown(component.name)
        where = _name_place(root, path, component.name)
        mistakes.append(replace(unknown, message=f"{_dotted(path)}: {unknown.message}", where=where))
        return component
    registered = registry.get(component.name)
    inner = arguments_path(root, path, component.name)
    values, found = check_arguments(
        f"{registered.family} '{registered.name}'",
        registered.settings,
        component.arguments,
        root,
        inner,
        registered.supplied,
    )
    mistakes.extend(found)
    if registered.family != "callback":  # a callback's paths are mostly what it writes
        mistakes.extend(missing_paths(values, root, inner))
    return component.model_copy(update={"arguments": values})


def _check_fine_tune(config: RunConfig, later: FineTuneConfig, root: Node, mistakes: list[Mistake]) -> None:
    """Checks what a second phase changes against what it is to be changed in."""
    models = FAMILIES["models"]
    if config.model.name not in models:
        return  # which is a mistake of its own
    parameters = models.get(config.model.name).settings.parameters
    if "trainable" not in parameters:
        mistakes.append(
            Mistake(
                f"fine_tune: the model '{config.model.name}' has no argument 'trainable'",
                root.find(("fine_tune",)).place,
                fix="use a model that has one, such as backbone, or remove fine_tune",
            )
        )
        return
    arguments = {"trainable": later.trainable}
    only = Signature({"trainable": parameters["trainable"]})
    mistakes.extend(check_arguments("fine_tune", only, arguments, root, ("fine_tune",))[1])
    if config.compile is None:
        mistakes.append(
            Mistake("fine_tune needs `compile:`", root.find(("fine_tune",)).place, fix="name optimizer and loss there")
        )
    if isinstance(later.learning_rate, dict):
        _check_schedule(later.learning_rate, root, ("fine_tune", "learning_rate"), mistakes)


def _check_compile(config: CompileConfig, root: Node, mistakes: list[Mistake]) -> None:
    _check_keras(config.optimizer, "optimizer", root, ("compile", "optimizer"), mistakes)
    _check_each(config.loss, "loss", root, ("compile", "loss"), mistakes)
    _check_each(config.metrics, "metric", root, ("compile", "metrics"), mistakes)
    _check_each(config.weighted_metrics, "metric", root, ("compile", "weighted_metrics"), mistakes)


def _check_each(part: Any, kind: keras_api.Kind, root: Node, path: Path, mistakes: list[Mistake]) -> None:
    if isinstance(part, ComponentConfig):
        _check_keras(part, kind, root, path, mistakes)
    elif isinstance(part, Mapping):
        for key, item in part.items():
            _check_each(item, kind, root, (*path, key), mistakes)
    else:
        for index, item in enumerate(part):
            _check_each(item, kind, root, (*path, index), mistakes)


def _check_keras(
    component: ComponentConfig, kind: keras_api.Kind, root: Node, path: Path, mistakes: list[Mistake]
) -> None:
    own = FAMILIES["losses"] if kind == "loss" else FAMILIES["metrics"] if kind == "metric" else None
    if own is not None and component.name in own:
        _resolve(component, root, path, own, mistakes)
        return
    offer = keras_api.find(kind, component.name)
    if offer is None:
        if not is_custom_object(component.name):
            names = keras_api.names(kind) + (own.names() if own else [])
            mistakes.append(
                Mistake(
                    f"{_dotted(path)}: unknown {kind} '{component.name}'",
                    _name_place(root, path, component.name),
                    expected=one_of(names),
                    fix=did_you_mean(component.name, names),
                    code="unknown_in_keras",
                )
            )
        return
    inner = arguments_path(root, path, component.name)
    _, found = check_arguments(
        f"{kind} '{component.name}'",
        offer.signature,
        component.arguments,
        root,
        inner,
    )
    mistakes.extend(found)
    schedule = component.arguments.get("learning_rate")
    if kind == "optimizer" and isinstance(schedule, dict):
        _check_schedule(schedule, root, (*inner, "learning_rate"), mistakes)


def _check_schedule(schedule: dict[str, Any], root: Node, path: Path, mistakes: list[Mistake]) -> None:
    if not isinstance(schedule.get("name"), str):
        place = root.find(path).place
        mistakes.append(Mistake(f"{_dotted(path)}: a schedule needs a name", place, fix="add `name: cosine_decay`"))
        return
    arguments = {key: value for key, value in schedule.items() if key != "name"}
    _check_keras(ComponentConfig.of(schedule["name"], arguments), "schedule", root, path, mistakes)


def is_custom_object(name: str) -> bool:
    """Whether an imported file has registered `name` with `keras.saving.register_keras_serializable`."""
    if "keras" not in sys.modules:
        return False
    registered = sys.modules["keras"].saving.get_custom_objects()
    return any(key == name or key.endswith(f">{name}") for key in registered)


def _name_place(root: Node, path: Path, name: str) -> str:
    node = root.find(path)
    if node.is_mapping and name in node.key_places and "name" not in node.value:
        return node.key_places[name]
    return node.find(["name"]).place


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
