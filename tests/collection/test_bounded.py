"""Questions that may never be answered."""

from __future__ import annotations

import threading

import pytest

from image_similarity_search.collection.bounded import Bounded


def test_one_that_fails_is_not_waited_for_for_ever(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    asked = Bounded[int]()
    assert asked.ask(lambda: 1 // 0, 10) is None
    assert asked.ask(lambda: 1, 10) == 1
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        assert asked.ask(lambda: 2, 10) is None
    assert asked.ask(lambda: 3, 10) == 3
    assert "ZeroDivisionError" in caplog.text
    assert "can't start new thread" in caplog.text
