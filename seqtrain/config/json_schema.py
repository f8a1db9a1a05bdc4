"""Creates a JSON Schema of the config, so that editors complete keys and mark mistakes.

It is the schema of `RunConfig`, plus one schema for each registered component and for each optimizer, loss, metric and
schedule of Keras, with its arguments.

Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

from typing import Any, get_args

from seqtrain import keras_api
from seqtrain.config.arguments import arguments_model
from seqtrain.config.schema import RunConfig
from seqtrain.registry import FAMILIES
from seqtrain.signature import Signature

_BARE = {  # sections that may be written as a single value, which is that of the given key
    "split": ("SplitConfig", "train"),
    "checkpoint": ("CheckpointConfig", "every"),
    "on_bad_sample": ("BadSampleConfig", "action"),
    "on_nan": ("NanConfig", "action"),
}
_LISTED = ("callback", "metric")  # written in lists, in which `{name: {arguments}}` is accepted too


def json_schema() -> dict[str, Any]:
    """The schema of a whole config, with the arguments of every component known now."""
    schema = RunConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "seqtrain config, version 1"
    definitions, properties = schema["$defs"], schema["properties"]
    definitions |= {kind: _choice(kind, forms) for kind, forms in _forms().items()}
    for family in ("source", "sequence", "model"):
        _replace(properties, family, _reference(family))
    properties["callbacks"]["items"] = _reference("callback")
    compiled = definitions["CompileConfig"]["properties"]
    _replace(compiled, "optimizer", _reference("optimizer"))
    _replace(compiled, "loss", _for_each_output(_reference("loss")))
    for name in ("metrics", "weighted_metrics"):
        _replace(compiled, name, _for_each_output({"type": "array", "items": _reference("metric")}))
    for name, (section, key) in _BARE.items():
        bare = definitions[section]["properties"][key]
        _replace(properties, name, {"anyOf": [bare, _reference(section)]})
    properties["extends"] = {"type": "string", "description": "Another config, which this one is laid on."}
    schema["required"] = []  # missing keys may come from `extends`
    for name in ("ComponentConfig", "ListedComponentConfig"):
        definitions.pop(name, None)
    return schema


def _replace(properties: dict[str, Any], name: str, new: dict[str, Any]) -> None:
    """Replaces the schema of a key, but keeps its description."""
    old = properties[name]
    properties[name] = {**new, **({"description": old["description"]} if "description" in old else {})}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _for_each_output(part: dict[str, Any]) -> dict[str, Any]:
    """A schema that accepts the part itself, or a mapping with one part for each output."""
    return {"anyOf": [part, {"type": "object", "additionalProperties": part}]}


def _forms() -> dict[str, list[_Form]]:
    forms = {
        registry.singular: [_Form([name], registry.get(name).possible_settings) for name in registry.names()]
        for registry in FAMILIES.values()
    }
    for kind in get_args(keras_api.Kind):
        if kind != "callback":  # registered, like the project's own
            forms.setdefault(kind, []).extend(_of_keras(kind, name) for name in keras_api.names(kind))
    return forms


class _Form:
    """One component: its names, its description, and the schema of its arguments."""

    def __init__(self, spellings: list[str], signature: Signature) -> None:
        schema = arguments_model("arguments", signature).model_json_schema()
        self.spellings = spellings
        self.signature = signature
        self.arguments: dict[str, Any] = schema.get("properties", {})
        self.required: list[str] = schema.get("required", [])

    def beside_name(self) -> dict[str, Any]:
        """The schema of the form `{name: cnn, filters: [16]}`."""
        return self._object({**self.arguments, "name": {"enum": self.spellings}}, ["name", *self.required])

    def below_name(self) -> dict[str, Any]:
        """The schema of the form `{early_stopping: {patience: 3}}`."""
        arguments = {**self._object(self.arguments, self.required), "type": ["object", "null"]}
        return {
            "type": "object",
            "properties": dict.fromkeys(self.spellings, arguments),
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }

    def _object(self, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
        return {
            "type": "object",
            "description": self.signature.summary,
            "properties": properties,
            "required": required,
            "additionalProperties": self.signature.takes_any_keyword,
        }


def _choice(kind: str, forms: list[_Form]) -> dict[str, Any]:
    """A schema that accepts any of the components; a plain name is enough for one without required arguments."""
    bare = {"enum": [spelling for form in forms if not form.required for spelling in form.spellings]}
    listed = [form.below_name() for form in forms] if kind in _LISTED else []
    return {"anyOf": [bare, *(form.beside_name() for form in forms), *listed]}


def _of_keras(kind: keras_api.Kind, name: str) -> _Form:
    offer = keras_api.find(kind, name)
    if offer is None:
        raise KeyError(name)
    form = _Form(keras_api.spellings(kind, name), offer.signature)
    if kind == "optimizer":
        form.arguments["learning_rate"] = {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/schedule"}]}
    return form
