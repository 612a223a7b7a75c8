"""Telling an agent how far long work is."""

from __future__ import annotations

import time
from typing import Any

import anyio.from_thread
from mcp.server.mcpserver import Context

from image_similarity_search.types import Progress, ProgressCallback

_EVERY = 1.0  # seconds


def reporter(context: Context[Any, Any]) -> ProgressCallback:
    """What a long job calls, in the thread of a tool; the agent is told once a second."""
    told = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal told
        if time.monotonic() - told < _EVERY:
            return
        told = time.monotonic()
        anyio.from_thread.run(
            context.report_progress, progress.done, progress.total, progress.phase
        )

    return report
