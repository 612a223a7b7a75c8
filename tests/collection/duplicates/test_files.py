"""What a killed move left is cleared away, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image_similarity_search.collection.duplicates.leavings import (
    drop_copy,
    drop_leavings,
    drop_part,
)
from image_similarity_search.collection.duplicates.undo_log import Entry


@pytest.mark.parametrize("half", [b"", b"the fir"])
def test_the_beginning_of_a_file_is_dropped(
    tmp_path: Path, half: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    part, whole = tmp_path / "part", tmp_path / "whole"
    part.write_bytes(half)
    whole.write_bytes(b"the first and the last")
    drop_part(str(part), str(whole), 22)
    assert not part.exists()
    assert whole.read_bytes() == b"the first and the last"
    assert f"deleted {part}: " in caplog.text


@pytest.mark.parametrize("content", [b"two", b"one and more", b"none"])
def test_a_whole_copy_is_dropped_only_where_it_has_the_same_bytes(
    tmp_path: Path, content: bytes
) -> None:
    copy, whole = tmp_path / "copy", tmp_path / "whole"
    copy.write_bytes(b"one")
    for expected, there in ((True, content), (False, b"one")):
        whole.write_bytes(there)
        drop_part(str(copy), str(whole), 3)
        assert copy.exists()
        assert drop_copy(str(copy), str(whole)) != expected
        assert copy.exists() == expected


def test_a_file_is_no_beginning_of_itself(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    only = tmp_path / "kept" / "a.jpg"
    only.write_bytes(b"made smaller by the user")
    (tmp_path / "linked").symlink_to(tmp_path / "kept")
    os.link(only, tmp_path / "b.jpg")
    for other in (tmp_path / "linked" / "a.jpg", tmp_path / "b.jpg", only):
        drop_part(str(only), str(other), 1000)
        assert not drop_copy(str(only), str(other))
        assert only.read_bytes() == b"made smaller by the user"


def test_a_copy_that_somebody_made_of_what_was_moved_leaves_that_where_it_is(
    tmp_path: Path,
) -> None:
    entries = []
    for name in ("first", "old", "last"):
        path, to = tmp_path / name, tmp_path / f"{name} moved"
        path.write_bytes(b"the same")
        to.write_bytes(b"the same")
        run = "before" if name == "old" else "a run"
        entries.append(Entry(run, "move", str(path), str(to), size=8))
    os.utime(tmp_path / "old moved", (0, 1e9))  # as it was; what was copied back is of now
    drop_leavings(entries)
    names = sorted(os.listdir(tmp_path))
    assert names == ["first", "first moved", "last", "old", "old moved"]
