"""What a filter may be made of."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from image_similarity_search import Filter
from image_similarity_search.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("folder", ""),
        ("folder", 3),
        ("folder", "a\0b"),
        ("name", ""),
        ("formats", 3),
        ("formats", [""]),
        ("formats", [3]),
        ("min_width", -1),
        ("max_width", 2.5),
        ("min_height", True),
        ("max_height", "100"),
        ("orientation", "upright"),
        ("min_aspect", -0.5),
        ("max_aspect", float("nan")),
        ("min_size", "2M"),
        ("modified_after", "yesterday"),
        ("modified_after", 2024),
        ("modified_before", "2024-13"),
        ("modified_before", "24-1"),
        ("modified_before", ""),
    ],
)
def test_a_wrong_value_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Filter(**{name: value})
    assert caught.value.name == name
    told = value[0] if isinstance(value, list) else value  # of several, the one that is wrong
    assert caught.value.value == told or told != told


@pytest.mark.parametrize(
    ("least", "most"),
    [
        ({"min_width": 2}, {"max_width": 1}),
        ({"min_height": 2}, {"max_height": 1}),
        ({"min_aspect": 2}, {"max_aspect": 1.5}),
        ({"min_size": 2}, {"max_size": 1}),
        ({"modified_after": "2024"}, {"modified_before": "2024"}),
    ],
)
def test_conditions_that_nothing_can_meet_are_refused(
    least: dict[str, Any], most: dict[str, Any]
) -> None:
    assert Filter(**least)
    assert Filter(**most)
    with pytest.raises(ConfigError) as caught:
        Filter(**least, **most)
    assert caught.value.name == next(iter(most))


def test_equal_filters_are_equal_however_they_are_written(tmp_path: Path) -> None:
    one = Filter(folder=tmp_path, formats=["JPEG", ".png"], modified_after="2024-05")
    other = Filter(
        folder=f"{tmp_path}/x/../", formats=("png", "jpeg"), modified_after=date(2024, 5, 1)
    )
    assert one == other
    assert hash(one) == hash(other)
    assert Filter(formats="jpeg") == Filter(formats=["jpeg"])


@pytest.mark.parametrize(
    ("moment", "in_utc"),
    [
        ("2024", datetime(2023, 12, 31, 22, tzinfo=UTC)),
        ("2024-07", datetime(2024, 6, 30, 21, tzinfo=UTC)),
        ("2024-07-01", datetime(2024, 6, 30, 21, tzinfo=UTC)),
        (date(2024, 7, 1), datetime(2024, 6, 30, 21, tzinfo=UTC)),
        (datetime(2024, 7, 1, 12), datetime(2024, 7, 1, 9, tzinfo=UTC)),
        ("2024-07-01T12:00:00.5", datetime(2024, 7, 1, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-07-01T12:00Z", datetime(2024, 7, 1, 12, tzinfo=UTC)),
        ("1969-12-31T23:59:59Z", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_moments_without_a_time_zone_are_local(
    moment: Any, in_utc: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "TZ", "Europe/Helsinki")
    time.tzset()
    try:
        found = Filter(modified_after=moment)
        assert found.modified_after == in_utc
        assert found.after_ns == round(in_utc.timestamp() * 10) * 10**8
        assert found.before_ns is None
    finally:
        monkeypatch.undo()
        time.tzset()
