"""What is foreseen beyond one computer: arithmetic on what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import scaling
from bench import beyond, results

_NODE: dict[str, Any] = {
    "images": 1000, "dim": 1024, "bytes_per_image": 4096.0, "insert_per_s": 500.0, "p50_ms": 2.0,
}  # fmt: skip


def test_memory_decides_how_many_nodes_there_are() -> None:
    assumed = beyond.Assumed(node_gib=10, usable=0.5, node_cores=4, segment_mib=512)
    need = beyond.needed(2**20 * 10, _NODE, assumed)  # 40 GiB, 5 of which a node holds
    assert (need.memory_gib, need.nodes) == (40, 8)
    assert need.segments == 10  # 5 GiB by 512 MiB
    assert need.query_ms == 3 * 2.0  # 4 at once
    assert need.fill_hours == pytest.approx(2**20 * 10 / 500 / 3600)


def test_a_second_copy_takes_as_much_again() -> None:
    one, two = (beyond.needed(10**9, _NODE, beyond.Assumed(copies=copies)) for copies in (1, 2))
    assert two.memory_gib == 2 * one.memory_gib
    assert two.nodes in (2 * one.nodes - 1, 2 * one.nodes)
    assert two.query_ms == pytest.approx(one.query_ms, rel=0.1)


def test_few_pictures_take_one_node_at_the_measured_time() -> None:
    need = beyond.needed(1000, _NODE)
    assert (need.nodes, need.segments, need.query_ms) == (1, 1, 2.0)


def test_the_command_prints_the_tables_of_the_document_and_others(tmp_path: Path) -> None:
    told = scaling.told([])
    assert beyond.vectors(results.read()).strip() in told
    assert scaling.told(["--node-gib", "128"]) != told
    (tmp_path / "indexing.json").write_text(json.dumps({"figures": {}, "machine": {}}))
    with pytest.raises(SystemExit, match="nothing was measured"):
        scaling.told(["--results", str(tmp_path)])
