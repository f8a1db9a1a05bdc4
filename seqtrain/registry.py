"""The registries: map the names in a config to classes and functions.

A component is registered beside its definition:

    from seqtrain.registry import sequences

    @sequences.register("my_sequence")
    class MySequence: ...

Its signature is its schema: parameters are the YAML keys, with their annotations, defaults, and descriptions in the
docstring's `Args:`. Arguments that the run supplies (the source, the batch size, the input shape) are declared like any
other parameter, but must not be in the YAML.

Related parameters may be grouped in one value, whose fields are the keys: see `argument_group` in `signature`.

The first look-up imports the family's package and then the entry points `seqtrain.<family>` of installed packages.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from seqtrain.errors import UNKNOWN_COMPONENT, ConfigError, Mistake, did_you_mean, one_of
from seqtrain.signature import Signature, signature_of

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Component:
    """A registered class or function.

    Args:
        family: The registry it belongs to, in the singular: "source", "sequence", "model" or "callback".
        name: The name in the YAML.
        load: Returns the class or function; imports it first if it was registered lazily.
        signature: Its parameters, including those that the run supplies.
        supplied: The names of the arguments that the run supplies to components of this family.
    """

    family: str
    name: str
    load: Callable[[], Callable[..., Any]]
    signature: Signature
    supplied: frozenset[str]

    @property
    def settings(self) -> Signature:
        """The parameters that a config may set."""
        return self.signature.without(self.supplied)

    def build(self, arguments: Mapping[str, Any], supplied: Mapping[str, Any]) -> Any:
        """Calls the component with the YAML's arguments and those supplied arguments that it declares."""
        declared = {name: value for name, value in supplied.items() if name in self.signature.parameters}
        return self.load()(**self.signature.grouped({**arguments, **declared}))


@dataclass
class Registry:
    """The components of one family by name.

    Args:
        family: The name of their package, in the plural: "sources".
        supplied: The names of the arguments that the run supplies.
    """

    family: str
    supplied: frozenset[str]
    _components: dict[str, Component] = field(default_factory=dict)
    _loaded: bool = False

    @property
    def singular(self) -> str:
        """The family's name as the config uses it: "source"."""
        return self.family.removesuffix("es" if self.family == "losses" else "s")

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that registers a class or a function.

        Args:
            name: The name that configs use, in snake_case.

        Raises:
            ConfigError: when the name is taken.
        """

        def decorate(target: T) -> T:
            self._add(Component(self.singular, name, lambda: target, signature_of(target), self.supplied))
            return target

        return decorate

    def register_lazy(self, name: str, target: str, signature: Signature) -> None:
        """Registers a component whose module is imported only when it is built.

        For classes that derive from Keras's classes: importing them takes seconds, and `check` and `list` need only
        their signatures.

        Args:
            name: The name that configs use.
            target: "module:attribute".
            signature: Its parameters.
        """

        def load() -> Callable[..., Any]:
            module, attribute = target.split(":")
            return typing.cast(Callable[..., Any], getattr(importlib.import_module(module), attribute))

        self._add(Component(self.singular, name, load, signature, self.supplied))

    def get(self, name: str) -> Component:
        """The component called `name`.

        Raises:
            ConfigError: when there is none; it lists the names and suggests the nearest.
        """
        self._load()
        if name not in self._components:
            raise ConfigError([self.unknown(name)])
        return self._components[name]

    def unregister(self, name: str) -> None:
        """Removes a component, so that the name can be registered again, as in a notebook."""
        self._load()
        del self._components[name]

    def unknown(self, name: str) -> Mistake:
        """The mistake for a name that is not registered."""
        names = self.names()
        return Mistake(
            f"unknown {self.singular} '{name}'",
            expected=one_of(names),
            fix=did_you_mean(name, names)
            or f"register your own in a file named under `imports:` (@{self.family}.register('{name}'))",
            code=UNKNOWN_COMPONENT,
        )

    def names(self) -> list[str]:
        """The registered names, sorted."""
        self._load()
        return sorted(self._components)

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._components

    def _add(self, component: Component) -> None:
        if component.name in self._components:
            raise ConfigError(
                f"the {self.singular} '{component.name}' is registered twice",
                fix="give one of them another name",
            )
        self._components[component.name] = component

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        importlib.import_module(f"seqtrain.{self.family}")
        for entry_point in importlib.metadata.entry_points(group=f"seqtrain.{self.family}"):
            entry_point.load()


sources = Registry("sources", frozenset({"seed"}))
sequences = Registry(
    "sequences",
    frozenset({"source", "indices", "training_indices", "batch_size", "seed", "training", "x_set", "y_set"}),
)
models = Registry(
    "models",
    frozenset({"input_shape", "input_dtype", "input_spec", "output_spec", "num_classes", "data_format", "seed"}),
)
losses = Registry("losses", frozenset({"num_classes", "class_names"}))
metrics = Registry("metrics", frozenset({"num_classes", "class_names"}))
callbacks = Registry(
    "callbacks",
    frozenset({"run_dir", "progress", "train_sequence", "val_sequence", "validation_steps", "watched_metric"}),
)

FAMILIES: Mapping[str, Registry] = {
    registry.family: registry for registry in (sources, sequences, models, losses, metrics, callbacks)
}
