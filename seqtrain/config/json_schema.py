"""The config as a JSON Schema, so that an editor completes keys and marks mistakes while one types.

The schema of `RunConfig` gives the frame; each registered component and each of Keras's optimizers, losses, metrics and
schedules adds a form with its own arguments.

Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

from typing import Any

from seqtrain import keras_api
from seqtrain.config.arguments import arguments_model
from seqtrain.config.schema import RunConfig
from seqtrain.registry import FAMILIES, Component, Parameter


def json_schema() -> dict[str, Any]:
    """The schema of a whole config, with the arguments of every component known now."""
    schema = RunConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "seqtrain config, version 1"
    definitions = schema["$defs"]
    for family in FAMILIES.values():
        components = [family.get(name) for name in family.names()]
        definitions[family.singular] = _choice([_form(component) for component in components])
    definitions["callback"]["anyOf"] += [
        _keyed(form) for form in definitions["callback"]["anyOf"] if "required" in form
    ]
    for kind in ("optimizer", "loss", "metric", "schedule"):
        definitions[kind] = _choice(_keras_forms(kind))
    for listed in ("callback", "metric"):
        forms = definitions[listed]["anyOf"]
        forms += [_keyed(form) for form in forms if "required" in form]
    properties = schema["properties"]
    for family in ("source", "sequence", "model"):
        properties[family] = _described(properties[family], {"$ref": f"#/$defs/{family}"})
    properties["callbacks"]["items"] = {"$ref": "#/$defs/callback"}
    compile_properties = definitions["CompileConfig"]["properties"]
    compile_properties["optimizer"] = _described(compile_properties["optimizer"], {"$ref": "#/$defs/optimizer"})
    loss = {"$ref": "#/$defs/loss"}
    compile_properties["loss"] = _described(
        compile_properties["loss"], {"anyOf": [loss, {"type": "object", "additionalProperties": loss}]}
    )
    metrics = {"type": "array", "items": {"$ref": "#/$defs/metric"}}
    for name in ("metrics", "weighted_metrics"):
        compile_properties[name] = _described(
            compile_properties[name], {"anyOf": [metrics, {"type": "object", "additionalProperties": metrics}]}
        )
    split = schema["properties"]["split"]
    schema["properties"]["split"] = _described(split, {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/SplitConfig"}]})
    schema["properties"]["extends"] = {"type": "string", "description": "Another config, which this one is laid on."}
    schema["required"] = []  # what is missing here may come from `extends`
    for name in ("ComponentConfig", "ListedComponentConfig"):
        definitions.pop(name, None)
    return schema


def _described(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {**new, **({"description": old["description"]} if "description" in old else {})}


def _choice(forms: list[dict[str, Any]]) -> dict[str, Any]:
    names = [form["properties"]["name"]["const"] for form in forms if not form["required"][1:]]
    return {"anyOf": [{"enum": names}, *forms]}


def _keyed(form: dict[str, Any]) -> dict[str, Any]:
    """The same component as `{name: {arguments}}`."""
    name = form["properties"]["name"]["const"]
    arguments = {key: value for key, value in form["properties"].items() if key != "name"}
    inner = {**form, "type": ["object", "null"], "properties": arguments, "required": form["required"][1:]}
    return {"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False}


def _form(component: Component) -> dict[str, Any]:
    return _object(component.name, component.arguments, component.takes_any_keyword, component.summary)


def _keras_forms(kind: keras_api.Kind) -> list[dict[str, Any]]:
    forms = []
    for name in keras_api.names(kind):
        offer = keras_api.find(kind, name)
        if offer is not None:
            form = _object(name, offer.parameters, offer.takes_any_keyword, offer.summary)
            if kind == "optimizer":
                number_or_schedule = {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/schedule"}]}
                form["properties"]["learning_rate"] = number_or_schedule
            forms.append(form)
    return forms


def _object(name: str, parameters: dict[str, Parameter], takes_any_keyword: bool, summary: str) -> dict[str, Any]:
    schema = arguments_model(name, parameters, takes_any_keyword).model_json_schema()
    return {
        "type": "object",
        "description": summary,
        "properties": {"name": {"const": name}, **schema.get("properties", {})},
        "required": ["name", *schema.get("required", [])],
        "additionalProperties": takes_any_keyword,
    }
