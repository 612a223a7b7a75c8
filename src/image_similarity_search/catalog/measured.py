"""What was measured of searches in this collection, kept in ``meta``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from image_similarity_search.catalog.meta import COSTS, TUNING, Meta
from image_similarity_search.reports import Tuning


class Measured:
    """How much searches are to look at, and what they cost, of one catalog."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    def tuning(self) -> Tuning | None:
        """How much searches are to look at; None where no recall was asked for."""
        text = self._meta.read().get(TUNING)
        return Tuning(**json.loads(text)) if text else None

    def set_tuning(self, tuning: Tuning | None) -> None:
        """Record how much searches are to look at; call within a transaction."""
        self._meta.write({TUNING: json.dumps(asdict(tuning)) if tuning else ""})

    def costs(self) -> dict[str, float]:
        """What searches cost when that was measured last, in ms and images; empty if never."""
        measured: dict[str, float] = json.loads(self._meta.read().get(COSTS, "{}"))
        return measured

    def set_costs(self, costs: Mapping[str, float]) -> None:
        """Record what searches cost; call within a transaction."""
        self._meta.write({COSTS: json.dumps(costs)})
