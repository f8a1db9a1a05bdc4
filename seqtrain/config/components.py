"""Resolves the components that a config names: the registered ones, and Keras's optimizers, losses and metrics."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from seqtrain import keras_api
from seqtrain.config.arguments import check_arguments, missing_paths
from seqtrain.config.node import Key, Node
from seqtrain.config.samples import mistakes_of_class, mistakes_of_samples, name_missing
from seqtrain.config.schema import ComponentConfig, FineTuneConfig, RunConfig
from seqtrain.errors import Mistake, did_you_mean, one_of
from seqtrain.registry import FAMILIES, Registry
from seqtrain.signature import Signature

C = TypeVar("C", bound=ComponentConfig)
Path = tuple[Key, ...]


def resolve_components(
    config: RunConfig, root: Node, mistakes: list[Mistake], missing: Container[str] = ()
) -> RunConfig:
    """The config, in which the arguments of every component are checked and the defaults filled in.

    Args:
        config: A config that is already checked against the schema.
        root: The tree that it was made from.
        mistakes: Mistakes are added to this list.
        missing: Sections that are invalid themselves, and are skipped.
    """
    check = _Check(root, mistakes)
    registered = {
        family.singular: check.registered(getattr(config, family.singular), (family.singular,), family)
        for family in (FAMILIES["sources"], FAMILIES["sequences"], FAMILIES["models"])
        if family.singular not in missing
    }
    callbacks = [
        check.registered(callback, ("callbacks", index), FAMILIES["callbacks"])
        for index, callback in enumerate(config.callbacks)
    ]
    if "sequence" not in missing and config.sequence.name in FAMILIES["sequences"]:
        check.samples(config, validates="split" not in missing and config.split.validation_share > 0)
    if config.compile is not None:
        check.of_keras(config.compile.optimizer, "optimizer", ("compile", "optimizer"))
        check.all_of_keras(config.compile.loss, "loss", ("compile", "loss"))
        check.all_of_keras(config.compile.metrics, "metric", ("compile", "metrics"))
        check.all_of_keras(config.compile.weighted_metrics, "metric", ("compile", "weighted_metrics"))
    if config.fine_tune is not None:
        check.fine_tuning(config, config.fine_tune)
    return config.model_copy(update={**registered, "callbacks": callbacks})


def arguments_path(root: Node, path: Path, name: str) -> Path:
    """The keys that lead to a component's arguments in the tree: beside its name, or below it."""
    node = root.find(path)
    return (*path, name) if node.is_mapping and "name" not in node.value else path


class _Check:
    """Checks components, and collects their mistakes.

    Args:
        root: The config's tree, for `file:line:column`.
        mistakes: Mistakes are added to this list.
    """

    def __init__(self, root: Node, mistakes: list[Mistake]) -> None:
        self._root = root
        self._mistakes = mistakes

    def registered(self, component: C, path: Path, registry: Registry) -> C:
        """Checks a registered component; returns it with its validated arguments."""
        if component.name not in registry:
            unknown = registry.unknown(component.name)
            where = self._place_of_name(path, component.name)
            self._mistakes.append(replace(unknown, message=f"{_dotted(path)}: {unknown.message}", where=where))
            return component
        known = registry.get(component.name)
        inner = arguments_path(self._root, path, component.name)
        title = f"{known.family} '{known.name}'"
        settings = known.settings_of(component.arguments)
        values = self._arguments(title, settings, component.arguments, inner, known.supplied | known.roles.keys())
        if known.family != "callback":  # the path arguments of callbacks are mostly outputs
            self._mistakes += missing_paths(values, self._root, inner)
        return component.model_copy(update={"arguments": values})

    def samples(self, config: RunConfig, validates: bool) -> None:
        """Checks that the sequence takes samples, in a form that the source gives."""
        component, path = config.sequence, ("sequence",)
        place = self._place_of_name(path, component.name)
        inner = _dotted(arguments_path(self._root, path, component.name))
        source = FAMILIES["sources"].get(config.source.name) if config.source.name in FAMILIES["sources"] else None
        known = FAMILIES["sequences"].get(component.name)
        name_missing(self._mistakes, known, component.arguments, inner)
        self._mistakes += mistakes_of_class(known, place)
        self._mistakes += mistakes_of_samples(known, component.arguments, source, validates, place)

    def all_of_keras(self, part: Any, kind: keras_api.Kind, path: Path) -> None:
        """Checks a component, or each of a mapping or list of them."""
        if isinstance(part, ComponentConfig):
            self.of_keras(part, kind, path)
            return
        for key, item in part.items() if isinstance(part, Mapping) else enumerate(part):
            self.all_of_keras(item, kind, (*path, key))

    def of_keras(self, component: ComponentConfig, kind: keras_api.Kind, path: Path) -> None:
        """Checks a loss, metric, optimizer or schedule: a registered one, Keras's, or a custom object."""
        own = FAMILIES["losses"] if kind == "loss" else FAMILIES["metrics"] if kind == "metric" else None
        if own is not None and component.name in own:
            self.registered(component, path, own)
            return
        offer = keras_api.find(kind, component.name)
        if offer is None:
            if not is_custom_object(component.name):
                self._unknown(kind, component.name, path, keras_api.names(kind) + (own.names() if own else []))
            return
        inner = arguments_path(self._root, path, component.name)
        self._arguments(f"{kind} '{component.name}'", offer.signature, component.arguments, inner)
        if kind == "optimizer":
            self._schedule(component.arguments.get("learning_rate"), (*inner, "learning_rate"))

    def fine_tuning(self, config: RunConfig, later: FineTuneConfig) -> None:
        """Checks the arguments of the model and the optimizer that the second phase changes."""
        models = FAMILIES["models"]
        if config.model.name not in models:
            return  # reported elsewhere
        place = self._root.find(("fine_tune",)).place
        parameters = models.get(config.model.name).settings.parameters
        if "trainable" not in parameters:
            message = f"fine_tune: the model '{config.model.name}' has no argument 'trainable'"
            fix = "use a model that has one, such as backbone, or remove fine_tune"
            self._mistakes.append(Mistake(message, place, fix=fix))
            return
        only = Signature({"trainable": parameters["trainable"]})
        self._arguments("fine_tune", only, {"trainable": later.trainable}, ("fine_tune",))
        if config.compile is None:
            self._mistakes.append(Mistake("fine_tune needs `compile:`", place, fix="name optimizer and loss there"))
        self._schedule(later.learning_rate, ("fine_tune", "learning_rate"))

    def _schedule(self, learning_rate: Any, path: Path) -> None:
        if not isinstance(learning_rate, dict):
            return
        if not isinstance(learning_rate.get("name"), str):
            message, place = f"{_dotted(path)}: a schedule needs a name", self._root.find(path).place
            self._mistakes.append(Mistake(message, place, fix="add `name: cosine_decay`"))
            return
        arguments = {key: value for key, value in learning_rate.items() if key != "name"}
        self.of_keras(ComponentConfig.of(learning_rate["name"], arguments), "schedule", path)

    def _arguments(
        self,
        title: str,
        signature: Signature,
        arguments: Mapping[str, Any],
        path: Path,
        supplied: Iterable[str] = (),
    ) -> dict[str, Any]:
        values, found = check_arguments(title, signature, arguments, self._root, path, supplied)
        self._mistakes += found
        return values

    def _unknown(self, kind: str, name: str, path: Path, names: list[str]) -> None:
        self._mistakes.append(
            Mistake(
                f"{_dotted(path)}: unknown {kind} '{name}'",
                self._place_of_name(path, name),
                expected=one_of(names),
                fix=did_you_mean(name, names),
                code="unknown_in_keras",
            )
        )

    def _place_of_name(self, path: Path, name: str) -> str:
        node = self._root.find(path)
        if node.is_mapping and name in node.key_places and "name" not in node.value:
            return node.key_places[name]
        return node.find(["name"]).place


def is_custom_object(name: str) -> bool:
    """Whether an imported file has registered `name` with `keras.saving.register_keras_serializable`."""
    if "keras" not in sys.modules:
        return False
    registered = sys.modules["keras"].saving.get_custom_objects()
    return any(key == name or key.endswith(f">{name}") for key in registered)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
