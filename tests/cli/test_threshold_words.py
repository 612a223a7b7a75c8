"""``--threshold`` in words, and ``iss info``, which says what they mean."""

from __future__ import annotations

from pathlib import Path

from command_line import Iss, lines

from image_similarity_search.cli import exits


def test_words_for_a_threshold(tmp_path: Path, photos: Path) -> None:
    iss = Iss(tmp_path)
    iss("index", photos)
    (told,) = (line for line in lines(iss("info")) if line.startswith("scores:"))
    assert told.split(maxsplit=1)[1] == (
        "same-picture from 0.93, same-object from 0.68, same-kind from 0.61"
    )
    query = photos / "picture 0.jpg"
    assert lines(iss("search", query, "--threshold", "same-picture")) == [f"1.0000  {query}"]
    by_number = lines(iss("search", query, "--threshold", "0.67"))
    assert lines(iss("search", query, "--threshold", "same-kind")) == by_number
    done = iss("search", query, "--threshold", "alike", status=exits.USAGE)
    assert b"'alike' is not a number or one of same-picture, same-object, same-kind" in done.stderr


def test_where_nobody_knows_what_they_mean(index_data: Path, photos: Path) -> None:
    iss = Iss(index_data.parent)
    (told,) = (line for line in lines(iss("info")) if line.startswith("scores:"))
    assert "not calibrated" in told
    query = photos / "picture 0.jpg"
    done = iss("search", query, "--threshold", "same-object", status=exits.USAGE)
    assert b"are not calibrated" in done.stderr
