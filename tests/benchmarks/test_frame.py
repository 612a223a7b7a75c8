"""The frame of the benchmarks: the page tells what the results say, and peers can be measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from bench import child, guard, page, plots, points, results, scale, tables
from bench.catalogue import measurements
from bench.registry import Setting
from peers import data, measure

RESULTS = results.read()


@pytest.mark.parametrize("document", page.DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_show_the_results(document: Path) -> None:
    text = document.read_text("utf-8")
    assert "<!-- bench: " in text
    assert page.filled(text, RESULTS) == text, "run 'make bench-page'"


def test_every_table_has_its_place() -> None:
    text = "".join(document.read_text("utf-8") for document in page.DOCUMENTS)
    assert set(re.findall(r"<!-- bench: ([\w-]+) -->", text)) == set(tables.TABLES)


@pytest.mark.parametrize("path", sorted(plots.FOLDER.glob("*.svg")), ids=lambda path: path.name)
def test_the_plots_show_the_results(path: Path) -> None:
    size = path.stem.removeprefix("peers-")
    assert f"figures {plots.digest(RESULTS, size)}" in path.read_text("utf-8"), "run 'make bench'"


def test_every_result_is_of_a_measurement_that_there_is() -> None:
    names = [one.name for one in measurements()]
    assert len(set(names)) == len(names)
    assert set(RESULTS) <= set(names)


def test_no_result_names_a_place_of_a_machine() -> None:
    for name, result in RESULTS.items():
        assert not re.search(r'"/|~', json.dumps(result)), name


@pytest.mark.slow
def test_a_peer_and_ours_are_measured_alike(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    rng = np.random.default_rng(0)
    base = rng.normal(size=(400, 1280)).astype(np.float32)
    asked = base[:40] + 0.1 * rng.normal(size=(40, 1280)).astype(np.float32)
    np.savez(cache / "real.npz", base=base, queries=asked)  # as if pictures had been encoded
    setting = Setting((), None, tmp_path, cache, {})
    for name in ("ours-auto", "faiss-hnsw"):
        figures = measure.measure(setting, name, 600)
        assert figures["count"] == 600
        assert figures["points"][-1]["recall"] > 0.98
        assert figures["disk_mb"] > 600 * 1280 * 2 / 1e6
        assert figures["flat_p50_ms"] > 0
        assert all(point["p50_ms"] <= point["p99_ms"] for point in figures["points"])


def test_recall_counts_what_is_as_near_as_the_tenth_and_nothing_twice() -> None:
    rows = np.eye(16, dtype=np.float32)
    query = np.linspace(1, 0.1, 16, dtype=np.float32)
    right = data.Data(rows, query[None], np.array([np.sort(query)[-10]]))
    assert measure._recall(right, [list(range(10))]) == 1
    assert measure._recall(right, [[*range(9), 15]]) == 0.9
    assert measure._recall(right, [[0] * 10]) == 0.1
    assert measure._recall(right, [[-1] * 10]) == 0


def test_a_build_that_would_take_too_long_is_foreseen(tmp_path: Path) -> None:
    earlier = {
        "peers-20k-hnswlib": {"count": 20_000, "build_s": 10.0},
        "peers-100k-hnswlib": {"count": 100_000, "build_s": 60.0},
    }
    setting = Setting((), None, tmp_path, tmp_path, earlier)
    foreseen = measure._foreseen(setting, "hnswlib", 1_000_000)
    assert foreseen is not None
    assert foreseen["build_s"] == pytest.approx(60 * 10 ** (np.log(6) / np.log(5)))
    assert measure._foreseen(setting, "hnswlib", 20_000) is None


def test_who_is_on_the_front() -> None:
    mine = points.Point("ours", "", 0.99, 2.0, 3.0, 100.0)
    quicker = points.Point("a", "", 0.99, 1.0, 3.0, 100.0)
    finds_less = points.Point("b", "", 0.98, 1.0, 3.0, 100.0)
    slower = points.Point("c", "", 1.0, 3.0, 3.0, 100.0)
    assert points.better(mine, [mine, quicker, finds_less, slower]) == [quicker]
    assert points.told([finds_less, mine, slower], 0.99) == mine
    assert points.told([finds_less], 0.99) == finds_less


def test_a_failing_child_is_told() -> None:
    with pytest.raises(child.ChildFailedError, match="status"):
        child.run("bench.child", "no_such_function")


def test_a_guard_notices_what_became_worse() -> None:
    kept = {name: result["figures"] for name, result in RESULTS.items()}
    kept |= {
        "indexing": {"cpu_of_parts_ratio": 0.9},
        "start-up": {"search_over_imports_cpu_ratio": 2.0},
        "peers-20k-ours-auto": {
            "flat_p50_ms": 8.0,
            "knob": "",
            "points": [{"value": 0, "recall": 0.99, "p50_ms": 2.0, "p99_ms": 3.0}],
        },
    }
    same = list(guard.compared(kept, kept))
    assert [one for one, _, _ in same] == list(guard.GUARDS)
    assert all(one.holds(now, before) for one, now, before in same)
    for one, value, _ in same:
        worse = value * one.worst * (1.01 if one.worst > 1 else 0.99)
        assert not one.holds(worse, value), one.ratio
    assert list(guard.compared({"indexing": {"skipped": "why"}}, kept)) == []


def test_what_is_foreseen_is_the_line_through_what_was_measured() -> None:
    def ours(count: int) -> dict[str, object]:
        point = {"value": 0, "recall": 1.0, "p50_ms": 2 + count / 1e5, "p99_ms": 9.0}
        halves = 644 * count / 2**20 if count == 100_000 else 0  # which a million has not
        figures = {
            "count": count,
            "knob": "",
            "points": [point],
            "rss_anon_mib": 1024 * (1 + count / 1e6) + halves,
            "disk_mb": count / 1e3,
            "store_s": count / 1e4,
        }
        return {"figures": figures}

    found = {"peers-100k-ours-auto": ours(100_000), "peers-1m-ours-auto": ours(1_000_000)}
    assert scale.foreseen(found) == ""
    found["indexing"] = {"figures": {"per_s": 1000.0}}
    row = "| 10,000,000 | 0.1 days | 11 GiB | 10 GB | 102 ms | 16.7 min |"
    assert row in scale.foreseen(found).splitlines()
    assert "| a query takes 1 s | 100 million |" in scale.limits(found).splitlines()
    assert "| indexing all of it takes a week | 605 million |" in scale.limits(found).splitlines()
