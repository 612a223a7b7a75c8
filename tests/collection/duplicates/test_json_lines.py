"""What people did with duplicates is read as it was written, or said to be damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from image_similarity_search import Collection
from image_similarity_search.collection.duplicates import dismissals, undo_log
from image_similarity_search.collection.duplicates.undo_log import Entry, UndoLog
from image_similarity_search.collection.verify import verified
from image_similarity_search.errors import CollectionUnavailableError

_ENTRIES = [
    Entry(
        "run", "move", "/p/a\xe4\udcff.jpg", "/to/a.jpg", "/p/b.jpg", "0f" * 16, 7, 8, 0o644, ["x"]
    ),
    Entry("run", "undone", "/p/c.jpg"),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with two entries."""
    for entry in _ENTRIES:
        UndoLog(str(tmp_path)).write(entry)
    return tmp_path / undo_log.FILE_NAME


def test_a_bit_that_turns_is_never_believed(log: Path) -> None:
    """Every bit of the file: what is read is what was written, or something is damaged."""
    whole = log.read_bytes()
    for at in range(8 * len(whole)):
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        log.write_bytes(data)
        values, damaged = undo_log.lines_of(str(log.parent)).read()
        entries = [Entry(**value) for value in values]
        assert all(entry in _ENTRIES for entry in entries), at
        assert entries == _ENTRIES or damaged, at


def test_a_line_that_was_cut_short_is_no_damage(log: Path) -> None:
    whole = log.read_bytes()
    for end in range(len(whole)):
        log.write_bytes(whole[:end])
        values, damaged = undo_log.lines_of(str(log.parent)).read()
        assert not damaged
        assert [Entry(**value) for value in values] == _ENTRIES[: len(values)]
        UndoLog(str(log.parent)).write(_ENTRIES[1])
        assert undo_log.lines_of(str(log.parent)).read()[0][-1]["action"] == "undone"


def test_lines_of_former_versions_are_read(tmp_path: Path) -> None:
    line = json.dumps({"run": "r", "action": "delete", "path": "/p/a", "kept": "/p/b"})
    (tmp_path / undo_log.FILE_NAME).write_text(f"\n{line}\n")
    (tmp_path / dismissals.FILE_NAME).write_text('\n["a", "b"]\n')
    assert UndoLog(str(tmp_path)).last_run() == [Entry("r", "delete", "/p/a", kept="/p/b")]
    assert ("b", "a") in dismissals.Dismissals(str(tmp_path))


@pytest.mark.parametrize(
    "line",
    [
        "[" * 200_000,
        '{"run": 1, "action": 5, "path": [], "to": 7}',
        '{"run": "r", "action": "move", "tags": [1]}',
        '{"run": "r", "action": "move", "tags": "x", "handed": 5}',
        '{"action": "move"}',
        '{"run": "r", "action": "move", "more": "x"}',
        "7",
    ],
)
def test_what_is_no_entry_is_named_and_passed_over(
    log: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    with log.open("a") as file:
        file.write(f"{line}\n")
    assert UndoLog(str(log.parent)).last_run() == _ENTRIES[:1]
    number = log.read_text().count("\n")
    assert [record.getMessage() for record in caplog.records] == [
        f"{log}: line {number} is damaged; what it says is passed over"
    ]


@pytest.mark.unix
def test_a_pipe_is_no_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / undo_log.FILE_NAME)
    with pytest.raises(CollectionUnavailableError, match="no file"):
        UndoLog(str(tmp_path)).last_run()


def test_verify_reads_the_notes(tmp_path: Path, collection: Collection) -> None:
    folder = collection.info().index_dir
    UndoLog(folder).write(_ENTRIES[0])
    dismissals.Dismissals(folder).add(["0f" * 16, "f0" * 16])
    report = verified(folder)
    assert (report.problems, report.checked["lines"]) == ([], 2)
    for name in (undo_log.FILE_NAME, dismissals.FILE_NAME):
        path = Path(folder) / name
        path.write_bytes(path.read_bytes().replace(b"0f", b"0e", 1))
    report = verified(folder)
    assert [(one.part, "line 2 is damaged" in one.text) for one in report.problems] == [
        ("notes", True)
    ] * 2
    assert not report.damaged  # a repair would not help
