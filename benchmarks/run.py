"""Measure this project beside others, keep the figures, and show them.

    python benchmarks/run.py [--full] [--photos DIR ...] [--only PATTERN ...]
    python benchmarks/run.py --list
    python benchmarks/run.py --page
    python benchmarks/run.py --guard

Each measurement replaces its file in ``benchmarks/results``; the tables and plots of
``docs/performance.md`` and the table of ``README.md`` are made of these files. Every ratio is to a
baseline measured in the same minutes. Without ``--photos`` the photographs of the demo serve.
``--guard`` keeps nothing: it measures again what has a guard, and fails where a ratio became worse.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from bench import page, results
from bench.child import ChildFailedError
from bench.guard import GUARDS, compared
from bench.machine import machine
from bench.registry import Figures, Measurement, Setting


def main() -> None:
    """Do what the command line asks for."""
    options = _options()
    kept = Path(options.results)
    if options.page:
        page.write_all(results.read(kept))
        return
    from bench.catalogue import measurements

    chosen = [one for one in measurements() if _is_wanted(one, options)]
    if options.list:
        for one in chosen:
            print(f"{one.name:<28} {one.measures}")
    elif options.guard:
        sys.exit(_guard(chosen, options))
    else:
        made = set()
        for one, here, figures in _measured(chosen, options):
            made.add(one.name)
            results.write(kept, one.name, one.measures, here, figures)
        page.write_all(results.read(kept))
        sys.exit(0 if len(made) == len(chosen) else "something could not be measured: see above")


def _is_wanted(one: Measurement, options: argparse.Namespace) -> bool:
    if options.guard:
        return one.name in {guard.measurement for guard in GUARDS}
    if options.only:
        return any(fnmatchcase(one.name, pattern) for pattern in options.only)
    return options.full or options.list or not one.full


def _measured(
    chosen: Sequence[Measurement], options: argparse.Namespace
) -> Iterator[tuple[Measurement, Figures, Figures]]:
    """Each measurement, the machine as it was, and the figures, which are printed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        scratch = Path(folder)
        cache = Path(options.cache) if options.cache else scratch / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        pictures = tuple(options.photos) or (_demo(cache),)
        for one in chosen:
            kept = results.read(Path(options.results))
            earlier = {name: result["figures"] for name, result in kept.items()}
            inner = scratch / one.name
            inner.mkdir()
            setting = Setting(pictures, options.ukbench, inner, cache, earlier)
            here, began = machine(), time.perf_counter()
            here["pictures"] = _described(options, pictures)
            try:
                figures = one.run(setting)
            except (ChildFailedError, subprocess.CalledProcessError) as error:
                print(f"\n{one.name}: FAILED, nothing is kept: {error}")
                continue
            finally:
                shutil.rmtree(inner)
            print(f"\n{one.name}: {one.measures} ({time.perf_counter() - began:.0f} s)")
            _print(figures)
            yield one, here, figures


def _guard(chosen: Sequence[Measurement], options: argparse.Namespace) -> int:
    """Measure again, compare with what was kept, and give the exit status."""
    kept = {name: result["figures"] for name, result in results.read(Path(options.results)).items()}
    now = {one.name: figures for one, _, figures in _measured(chosen, options)}
    print()
    worse = 0
    for guard, value, before in compared(now, kept):
        holds = guard.holds(value, before)
        worse += not holds
        word = "holds " if holds else "WORSE "
        print(f"{word} {guard.measurement}: {guard.ratio} is {value:.3g}, was {before:.3g}")
    return 0 if now.keys() == {one.name for one in chosen} and not worse else 1


def _described(options: argparse.Namespace, pictures: Sequence[str]) -> str:
    count = sum(path.is_file() for folder in pictures for path in Path(folder).rglob("*"))
    return f"{count:,} files" if options.photos else f"{count:,} files of the demo"


def _demo(cache: Path) -> str:
    from photographs import demo_photographs

    return demo_photographs(cache / "demo")


def _print(figures: Figures, indent: str = "  ") -> None:
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            _print(value, indent + "  ")
        elif isinstance(value, list):
            for item in value:
                print(f"{indent}{name}: " + ", ".join(f"{k} {_word(v)}" for k, v in item.items()))
        else:
            print(f"{indent}{name:<28} {_word(value)}")


def _word(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure this project beside others.")
    parser.add_argument("--full", action="store_true", help="everything: takes an hour or two")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="PATTERN", help="such as 'peers-*'"
    )
    parser.add_argument("--photos", nargs="+", default=[], metavar="DIR", help="your photographs")
    parser.add_argument("--ukbench", metavar="DIR", help="a folder of UKBench, for the quality")
    parser.add_argument("--cache", metavar="DIR", help="keep the embeddings that were grown there")
    parser.add_argument(
        "--results", default=results.FOLDER, metavar="DIR", help="where the figures are kept"
    )
    parser.add_argument("--list", action="store_true", help="say what there is to measure")
    parser.add_argument("--guard", action="store_true", help="fail where a ratio became worse")
    parser.add_argument("--page", action="store_true", help="only make tables and plots anew")
    options = parser.parse_args()
    for folder in [*options.photos, *([options.ukbench] if options.ukbench else [])]:
        if not os.path.isdir(folder):
            parser.error(f"{folder}: no such folder")
    return options


if __name__ == "__main__":
    main()
