"""The command line, ``iss``."""

from __future__ import annotations


def main() -> None:
    """Run the command line on the process's arguments; ends the process."""
    from image_similarity_search.cli.app import run

    run()
