"""What is written on a collection in Milvus: whose it is, and how far.

Kept in its properties, which change all at once. Words, so that a person can read them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from image_similarity_search.stores.engines.base import Filled, Label

_PREFIX = "iss."


@dataclass(frozen=True, slots=True)
class Written:
    """A label with how far the store is: a generation, or how far it is filled."""

    label: Label
    generation: int = 0
    filled: Filled | None = None

    def properties(self) -> dict[str, str]:
        """As Milvus keeps it."""
        filled = f"{self.filled.generation}:{self.filled.last}" if self.filled else ""
        values = asdict(self.label) | {"generation": self.generation, "filled": filled}
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
        began, _, last = values["filled"].partition(":")
        filled = Filled(int(began), int(last)) if began else None
        return Written(label, int(values["generation"]), filled)
    except (KeyError, ValueError):
        return None
