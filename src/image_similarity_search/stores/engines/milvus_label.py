"""What is written on a collection in Milvus: whose it is, and how far.

Kept in its properties, which change all at once. Words, so that a person can read them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from image_similarity_search.stores.engines.base import Filled, Label
from image_similarity_search.types import NEW, Moment

_PREFIX = "iss."


@dataclass(frozen=True, slots=True)
class Written:
    """A label with how far the store is: of which moment, or how far it is filled."""

    label: Label
    moment: Moment = NEW
    filled: Filled | None = None

    def properties(self) -> dict[str, str]:
        """As Milvus keeps it."""
        filled = ""
        if self.filled:
            filled = ":".join(map(str, (*self.filled.began, self.filled.last)))
        values = asdict(self.label) | self.moment._asdict() | {"filled": filled}
        return {_PREFIX + key: str(value) for key, value in values.items()}


def read(properties: Mapping[str, Any]) -> Written | None:
    """What is written in a collection's properties; None where this package did not write it."""
    values = {
        key.removeprefix(_PREFIX): str(value)
        for key, value in properties.items()
        if key.startswith(_PREFIX)
    }
    try:
        label = Label(
            identity=values["identity"],
            encoder=values["encoder"],
            dim=int(values["dim"]),
            metric=values["metric"],  # type: ignore[arg-type]  # it is compared, whatever it is
            kind=values["kind"],
        )
        moment = Moment(int(values["generation"]), int(values.get("mark", 0)))
        return Written(label, moment, _filled(values["filled"]))
    except (KeyError, ValueError, TypeError):
        return None


def _filled(text: str) -> Filled | None:
    """How far a store is filled; before there were marks, the text had no second number."""
    if not text:
        return None
    *began, last = map(int, text.split(":"))
    return Filled(Moment(*began), last)
