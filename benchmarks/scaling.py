"""What 10 million to 10 billion pictures would take, by what one node was measured to do.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --node-gib 256 --node-cores 32 --copies 2 --gpu-per-s 3000

Prints the tables of ``docs/scaling.md``, with other assumptions if you have any. What was
measured comes from ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from bench import beyond, results


def told(arguments: Sequence[str] | None = None) -> str:
    """The tables, as text.

    Raises:
        SystemExit: the command line makes no sense, or nothing was measured.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", default=str(results.FOLDER), help="a folder of results")
    for one in fields(beyond.Assumed):
        kind = type(one.default)
        name = "--" + one.name.replace("_", "-")
        parser.add_argument(name, type=kind, default=one.default, help=f"{one.default:g}")
    options = vars(parser.parse_args(arguments))
    found = results.read(Path(options.pop("results")))
    assumed = beyond.Assumed(**options)
    if not beyond.vectors(found, assumed) or not beyond.pictures(found, assumed):
        raise SystemExit("nothing was measured: python benchmarks/run.py --only 'engine-*'")
    parts = [
        beyond.vectors(found, assumed),
        beyond.pictures(found, assumed),
        beyond.catalog(found),
    ]
    return "\n\n".join(part.strip() for part in parts)


if __name__ == "__main__":
    print(told())
