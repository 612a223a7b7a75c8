"""What the log says of a file."""

from __future__ import annotations


def shown(path: str) -> str:
    """A path that any log can take: bytes that are no text are escaped, and so are newlines."""
    return path.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
