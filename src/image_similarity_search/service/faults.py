"""What is wrong with the values of a request: where, which value, and what was expected.

Of parameters in our words, by what the OpenAPI document says of them. Of a body, which may be of
any depth, in those of the validator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from image_similarity_search.service.parameters import parameters_of

_MOST_FAULTS = 10  # told of one request
_MOST_LETTERS = 200  # of each


def faults(request: Request, found: Sequence[Any]) -> list[dict[str, str]]:
    """``where`` and ``what`` of the first things that validation ``found``.

    A parameter that may be one thing or another is told once, and not by each of them.
    """
    schemas = {(one["in"], one["name"]): one["schema"] for one in parameters_of(request)}
    told: dict[str, str] = {}
    for fault in found:
        if len(told) == _MOST_FAULTS:
            break
        place = tuple(fault["loc"][:2])
        if place in schemas:
            told.setdefault(".".join(place), _parameter_fault(fault, schemas[place]))
        else:
            told[_cut(".".join(map(str, fault["loc"])))] = _cut(fault["msg"])
    return [{"where": where, "what": what} for where, what in told.items()]


def _parameter_fault(fault: Any, schema: Mapping[str, Any]) -> str:
    if fault["type"] == "missing":
        return f"it is missing; expected {expected(schema)}"
    return f"{_cut(repr(fault['input']))} is not allowed; expected {expected(schema)}"


def expected(schema: Mapping[str, Any]) -> str:
    """What a parameter may be, by its schema."""
    if "anyOf" in schema:
        ways = [expected(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return ", or ".join(ways)
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    match schema.get("type"):
        case "boolean":
            return "true or false"
        case "array":
            count = _range(schema.get("minItems"), schema.get("maxItems"))
            return f"{count} values, each {expected(schema['items'])}"
        case "string":
            letters = _range(schema.get("minLength"), schema.get("maxLength"))
            return f"text of {letters} characters" if letters else "text"
        case kind:
            number = "a whole number" if kind == "integer" else "a number"
            bounds = _range(schema.get("minimum"), schema.get("maximum"))
            return f"{number}, {bounds}" if bounds else number


def _range(least: int | None, most: int | None) -> str:
    """A range in words; empty where there is none."""
    if most is None:
        return "" if least is None else f"{least:,} or more"
    if least is None:
        return f"at most {most:,}"
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else text[:_MOST_LETTERS] + "…"
