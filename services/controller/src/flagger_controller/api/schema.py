"""From typed models to structural OpenAPI v3 schemas, the form that a CRD needs.

pydantic describes a model with references, alternatives with null and defaults; the API server
accepts none of these. What a model cannot say (texts, enumerations of strings, rules between
fields, the inside of free-form parts) is added from tables of facts, by path.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from flagger_controller.api.base import Object

Facts = Mapping[str, Mapping[str, Any] | None]
"""Path to keywords; None removes the field. `spec.metrics[].name`: of each item of a list."""

_KEPT: Final = ("type", "enum", "required")


def of(model: type[BaseModel]) -> Object:
    """The structural schema of a model."""
    schema = model.model_json_schema(by_alias=True)
    return _plain(schema, schema.get("$defs", {}))


def apply(schema: Object, facts: Facts) -> Object:
    """A copy of the schema with the facts added.

    Raises:
        KeyError: a fact about a field that the model does not have.
    """
    wanted = copy.deepcopy(schema)
    for path, keywords in facts.items():
        parent, name = _find(wanted, path)
        if keywords is None:
            del parent[name]
        elif "x-replace" in keywords:
            parent[name] = {key: value for key, value in keywords.items() if key != "x-replace"}
        else:
            parent[name] = parent[name] | keywords
    return wanted


def _find(schema: Object, path: str) -> tuple[Object, str]:
    """Where the schema at a path is kept: its holder and its key there."""
    holder, key = {"": schema}, ""
    for step in path.split("."):
        name, _, items = step.partition("[]")
        holder, key = holder[key]["properties"], name
        if name not in holder:
            raise KeyError(f"no field {path}")
        if items or step.endswith("[]"):
            holder, key = holder[key], "items"
    return holder, key


def _plain(schema: Object, definitions: Object) -> Object:
    """Resolve references, drop null and titles, all the way down."""
    if "$ref" in schema:
        return _plain(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return _alternatives([_plain(item, definitions) for item in schema["anyOf"]])
    plain: Object = {key: schema[key] for key in _KEPT if key in schema}
    if "const" in schema:
        plain |= {"type": "string", "enum": [schema["const"]]}
    if "properties" in schema:
        fields = schema["properties"].items()
        plain["properties"] = {name: _plain(field, definitions) for name, field in fields}
    if "items" in schema:
        plain["items"] = _plain(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        plain["additionalProperties"] = _plain(schema["additionalProperties"], definitions)
    return plain


def _alternatives(schemas: list[Object]) -> Object:
    """One schema for the alternatives that occur: optional, number or name, two enumerations."""
    given = [schema for schema in schemas if schema.get("type") != "null"]
    if len(given) == 1:
        return given[0]
    if [schema.get("type") for schema in given] == ["integer", "string"]:
        return {"x-kubernetes-int-or-string": True}
    if all(schema.get("type") == "string" and "enum" in schema for schema in given):
        return {"type": "string", "enum": [value for schema in given for value in schema["enum"]]}
    raise ValueError(f"no structural form for {schemas}")
