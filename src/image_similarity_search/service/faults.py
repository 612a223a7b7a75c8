"""What is wrong with the values of a request: where, which value, and what was expected.

In our words, by what the OpenAPI document says of parameters and of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from fastapi import Request

from image_similarity_search.service.parameters import UNKNOWN, json_of, parameters_of

_MOST_FAULTS = 10  # told of one request
_MOST_LETTERS = 200  # of each value

_Schema: TypeAlias = Mapping[str, Any]
_Steps: TypeAlias = Sequence[str | int]


def faults(request: Request, found: Sequence[Any]) -> list[dict[str, str]]:
    """``where`` and ``what`` of the first things that validation ``found``.

    A value that may be one thing or another is told once, and not by each of them.
    """
    parameters = {(one["in"], one["name"]): one["schema"] for one in parameters_of(request)}
    told: dict[str, str] = {}
    for fault in found:
        if len(told) == _MOST_FAULTS:
            break
        place = tuple(fault["loc"][:2])
        if fault["type"] == UNKNOWN:
            told.setdefault(_cut(".".join(place)), f"unknown parameter; {fault['msg']}")
        elif place in parameters:
            told.setdefault(".".join(place), _parameter_fault(fault, parameters[place]))
        else:
            where, what = _json_fault(fault, json_of(request))
            told.setdefault(where, what)
    return [{"where": where, "what": what} for where, what in told.items()]


def _parameter_fault(fault: Any, schema: _Schema) -> str:
    if fault["type"] == "missing":
        return f"missing; expected {expected(schema)}"
    return f"{_cut(repr(fault['input']))} is not allowed; expected {expected(schema)}"


def _json_fault(fault: Any, whole: _Schema) -> tuple[str, str]:
    """Where in a body something is wrong, and what."""
    steps = fault["loc"][1:]
    known, schema = _followed(whole, steps)
    where = ".".join(["body", *map(str, known)])
    match fault["type"]:
        case "json_invalid":
            at = f", at character {steps[0] + 1:,}" if steps else ""
            error = f"{fault['ctx']['error']}{at}"
            return "body", f"not valid JSON ({error}); expected {expected(whole)}"
        case "extra_forbidden":
            return f"{where}.{_cut(str(steps[-1]))}", f"unknown field; {_fields(schema)}"
        case "missing":
            return where, f"missing; expected {expected(schema)}"
        case "too_many_fields":
            return where, f"too many fields; {_fields(schema)}"
    value = "this value" if schema.get("writeOnly") else _shown(fault["input"])
    return where, f"{value} is not allowed; expected {expected(schema)}"


def _followed(schema: _Schema, steps: _Steps) -> tuple[_Steps, _Schema]:
    """As many steps into a body as its schema knows of, and the schema of what is there."""
    for number, step in enumerate(steps):
        listed = isinstance(step, int) and schema.get("items")
        inner = listed or schema.get("properties", {}).get(step)
        if not inner:
            return steps[:number], schema
        schema = inner
    return steps, schema


def _shown(value: Any) -> str:
    """A value as it came in JSON; of one that holds others, which are not its fault, its kind."""
    match value:
        case dict():
            return "an object"
        case list():
            return f"a list of {len(value):,}"
        case bytes():
            return "a body of another type than application/json"
        case str():
            return json.dumps(_cut(value), ensure_ascii=False)
    return _cut(json.dumps(value))


def expected(schema: _Schema) -> str:
    """What a value may be, by its schema."""
    if "anyOf" in schema:
        return ", or ".join(expected(one) for one in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    match schema.get("type"):
        case "object":
            return f"an object; {_fields(schema)}"
        case "boolean":
            return "true or false"
        case "array":
            count = _range(schema.get("minItems"), schema.get("maxItems"))
            values = f"{count} values" if count else "a list of values"
            return f"{values}, each {expected(schema['items'])}"
        case "string":
            letters = _range(schema.get("minLength"), schema.get("maxLength"))
            return f"text of {letters} characters" if letters else "text"
        case kind:
            number = "a whole number" if kind == "integer" else "a number"
            bounds = _bounds(schema)
            return f"{number}, {bounds}" if bounds else number


def _fields(schema: _Schema) -> str:
    return f"its fields are {', '.join(schema['properties'])}"


def _bounds(schema: _Schema) -> str:
    """Within what a number is to be; empty where that is said of none."""
    bounds = [
        f"more than {schema['exclusiveMinimum']:,}" if "exclusiveMinimum" in schema else "",
        _range(schema.get("minimum"), schema.get("maximum")),
        "not 0" if schema.get("not") == {"const": 0} else "",
        f"less than {schema['exclusiveMaximum']:,}" if "exclusiveMaximum" in schema else "",
    ]
    return " and ".join(filter(None, bounds))


def _range(least: float | None, most: float | None) -> str:
    """A range in words; empty where there is none."""
    if most is None:
        return "" if least is None else f"{least:,} or more"
    if least is None:
        return f"at most {most:,}"
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else text[:_MOST_LETTERS] + "…"
