"""What Prefect's form of a configuration shows: the help, the bounds and the site's value of every field."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from rnn_core.validators import rules_of
from tasks.config.options import descriptions

Schema = dict[str, Any]


class Form:
    """An annotation of a flow's parameter, which adds help and bounds to the schema of its configuration.

    config:  its class; an object of it with no arguments has the defaults.
    """

    def __init__(self, config: Callable[[], Any]) -> None:
        self._config = config

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> Schema:
        """Called by pydantic, which knows neither our docstrings nor our rules."""
        schema: Schema = handler(core_schema)
        _complete(schema, self._config(), handler.resolve_ref_schema)
        return schema


def set_values(definitions: Schema, config: Any) -> None:
    """Make a form, by the definitions of its schema, begin with the values of this configuration."""
    properties = definitions[type(config).__name__]["properties"]
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            set_values(definitions, value)
        else:
            properties[field.name]["default"] = as_json(value)


def _complete(schema: Schema, config: Any, resolve: Callable[[Schema], Schema]) -> None:
    for part in schema.get("anyOf", [schema]):
        if "$ref" in part:
            _complete_fields(resolve(part), config, resolve)


def _complete_fields(schema: Schema, config: Any, resolve: Callable[[Schema], Schema]) -> None:
    schema["description"] = schema.get("description", "").partition("\n\n")[0]
    texts, rules = descriptions(type(config)), rules_of(type(config))
    for field in fields(config):
        value, entry = getattr(config, field.name), schema["properties"][field.name]
        if is_dataclass(value):
            _complete(entry, value, resolve)
            continue
        rule = rules.get(field.name)
        sentences = [texts.get(field.name, ""), f"Must be {rule.words}." if rule else ""]
        if any(sentences):
            entry["description"] = " ".join(filter(None, sentences))
        for part in entry.get("anyOf", [entry]):
            if rule and part.get("type") in ("integer", "number"):
                part.update(rule.bounds)


def as_json(value: Any) -> Any:
    """A configuration, or a value of one, as JSON has it."""
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(part) for part in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
