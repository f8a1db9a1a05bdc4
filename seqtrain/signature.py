"""Signatures of classes and functions: their parameters, and the parameters' descriptions from the docstring.

Related arguments may be grouped in one value, to keep signatures short:

    @argument_group
    @dataclass(frozen=True)
    class ImageFormat:
        image_size: ImageSize
        color: Color = "rgb"

    class MySequence:
        def __init__(self, image_format: ImageFormat, ...): ...

Here the parameters of `MySequence` are `image_size` and `color`: the fields replace the parameter `image_format`.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

C = TypeVar("C", bound=type[Any])

REQUIRED: Any = inspect.Parameter.empty

_argument_groups: set[type[Any]] = set()


def argument_group(group: C) -> C:
    """Marks a class, such as a frozen dataclass, whose fields are arguments of components with such a parameter.

    A description of a field in the component's docstring overrides the group's, and the parameter's default overrides
    the defaults of the fields.
    """
    _argument_groups.add(group)
    return group


@dataclass(frozen=True)
class Parameter:
    """One argument.

    Args:
        name: Its name, which is the key in the YAML.
        annotation: Its type; `Any` without an annotation.
        default: Its default, or `REQUIRED`.
        meaning: Its description in the docstring.
    """

    name: str
    annotation: Any
    default: Any
    meaning: str = ""


@dataclass(frozen=True)
class Signature:
    """The signature of a class or function.

    Args:
        parameters: By name; an argument group is replaced by its fields.
        takes_any_keyword: Whether it has `**kwargs`.
        docstring: Its docstring.
        groups: The argument groups by the names of the parameters that take them.
    """

    parameters: Mapping[str, Parameter]
    takes_any_keyword: bool = False
    docstring: str = ""
    groups: Mapping[str, type[Any]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.docstring.strip().partition("\n")[0].strip()

    def without(self, names: frozenset[str]) -> Signature:
        """The signature without some of the parameters."""
        return replace(self, parameters={name: p for name, p in self.parameters.items() if name not in names})

    def grouped(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Converts arguments by key to those of the class or function: the fields of a group become one value."""
        values = dict(arguments)
        for name, group in self.groups.items():
            values[name] = group(**{own: values.pop(own) for own in _python_parameters(group) if own in values})
        return values


def signature_of(target: Callable[..., Any]) -> Signature:
    """The signature of a class or function.

    Annotations that cannot be evaluated count as `Any`.
    """
    hints = _hints(target)
    meanings = _meanings(target)
    groups: dict[str, type[Any]] = {}
    parameters: dict[str, Parameter] = {}
    takes_any_keyword = False
    for name, parameter in _python_parameters(target).items():
        annotation = hints.get(name, Any)
        group = typing.get_origin(annotation) or annotation
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_any_keyword = True
        elif isinstance(group, type) and group in _argument_groups:
            groups[name] = group
            for own in signature_of(group).parameters.values():
                default = own.default if parameter.default is REQUIRED else getattr(parameter.default, own.name)
                meaning = meanings.get(own.name, own.meaning)
                parameters[own.name] = Parameter(own.name, own.annotation, default, meaning)
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            parameters[name] = Parameter(name, annotation, parameter.default, meanings.get(name, ""))
    return Signature(parameters, takes_any_keyword, inspect.getdoc(target) or "", groups)


def docstring_section(docstring: str | None, title: str) -> str:
    """The text below `Args:`, `Shapes:` or another title of a docstring; "" if it has no such section."""
    found = re.search(rf"^{title}:\n(.*?)(?=^\S|\Z)", inspect.cleandoc(docstring or ""), re.MULTILINE | re.DOTALL)
    return inspect.cleandoc("\n" + found[1]) if found else ""


def argument_meanings(docstring: str | None) -> dict[str, str]:
    """The description of each argument in the `Args:` section of a docstring."""
    meanings: dict[str, str] = {}
    name = ""
    for line in docstring_section(docstring, "Args").splitlines():
        start = re.match(r"`{0,2}(\w+)`{0,2}(?: \([^)]*\))?:\s*(.*)", line)
        if start:
            name, meanings[start.group(1)] = start.group(1), start.group(2)
        elif name and line.strip():
            meanings[name] = f"{meanings[name]} {line.strip()}".strip()
    return meanings


def _meanings(target: Callable[..., Any]) -> dict[str, str]:
    """The description of each argument in the docstring of a class, or else in that of a base class."""
    described = reversed(target.__mro__) if inspect.isclass(target) else (target,)
    return {name: meaning for each in described for name, meaning in argument_meanings(each.__doc__).items()}


def _python_parameters(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    if not inspect.isclass(target) or target in _argument_groups:
        return inspect.signature(target).parameters
    if target.__init__ is object.__init__:
        return {}
    return dict(list(inspect.signature(target.__init__).parameters.items())[1:])


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) and target not in _argument_groups else target
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}


def annotation_name(annotation: Any) -> str:
    """A type as text: `int`, `list[int]`, `'crop' | 'pad'`."""
    if annotation is Any:
        return "any"
    if annotation is type(None):
        return "null"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return annotation_name(arguments[0])
    if origin is typing.Literal:
        return " | ".join(str(argument) for argument in arguments)
    if origin is typing.Union or type(annotation).__name__ == "UnionType":
        return " | ".join(annotation_name(argument) for argument in arguments)
    if origin is not None:
        inner = ", ".join("..." if argument is Ellipsis else annotation_name(argument) for argument in arguments)
        return f"{origin.__name__}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))
