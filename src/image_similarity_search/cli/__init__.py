"""The command line, ``iss``."""

from __future__ import annotations


def main() -> None:
    """Run the command line on the process's arguments; ends the process."""
    import sys

    try:
        from image_similarity_search.cli.app import run

        run()
    except KeyboardInterrupt:  # before or after the command itself, which says more
        sys.exit(130)
