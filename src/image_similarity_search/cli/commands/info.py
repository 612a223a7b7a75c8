"""``iss info``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.away import folders_away, say_away
from image_similarity_search.cli.output import tuning_in_words
from image_similarity_search.types import UNKNOWN_ENCODER

if TYPE_CHECKING:
    from image_similarity_search.reports import CollectionInfo, RecallReport
    from image_similarity_search.types import ImageRecord


@click.command(
    "info",
    epilog="""\b
Examples:
  iss info
  iss info --skipped
  iss info --skipped --paths -0 | xargs -0 ls -l
  iss info --measure-recall -k 5
  iss info --json
""",
)
@click.option("--skipped", is_flag=True, help="List the skipped files and why they were skipped.")
@click.option(
    "--measure-recall",
    "recall",
    is_flag=True,
    help="Measure recall against exact search, with 200 images as queries.",
)
@click.option(
    "-k",
    "k",
    type=int,
    default=10,
    show_default=True,
    metavar="K",
    help="Number of hits per query that --measure-recall compares.",
)
@options.index_dir
@options.as_json
@options.paths
@options.null
@options.exit_code
def command(
    skipped: bool,
    recall: bool,
    k: int,
    index_dir: str,
    as_json: bool,
    paths: bool,
    null: bool,
    exit_code: bool,
) -> int:
    """Show what the collection holds and how it was made.

    --paths, -0 and --exit-code apply to the files that --skipped lists.
    """
    from image_similarity_search.collection import Collection

    if (paths or null or exit_code) and not skipped:
        raise click.UsageError("--paths, -0 and --exit-code need --skipped")
    k_given = click.get_current_context().get_parameter_source("k") is ParameterSource.COMMANDLINE
    if k_given and not recall:
        raise click.UsageError("-k needs --measure-recall")
    with Collection.open(index_dir) as collection:
        if skipped:
            bad = list(collection.skipped())
            _list_skipped(bad, as_json=as_json, paths=paths, null=null)
            return exits.FOUND if exit_code and bad else exits.OK
        measured = collection.measure_recall(k) if recall else None
        info = collection.info()
        say_away(collection, folders_away(collection))
    if as_json:
        fields = asdict(info)
        if measured:
            fields["recall"] = asdict(measured)
        output.write_json(fields)
        return exits.OK
    words = _in_words(info)
    if measured:
        words["recall"] = _recall_in_words(measured)
    for name, value in words.items():
        output.write(f"{name + ':':<10} {value}")
    return exits.OK


def _list_skipped(bad: list[ImageRecord], *, as_json: bool, paths: bool, null: bool) -> None:
    if as_json:
        output.write_json([output.record_as_json(record) for record in bad])
    elif paths or null:
        output.write_paths((record.path for record in bad), null=null)
    else:
        for record in bad:
            output.write(f"{record.path}: {record.reason}")


def _recall_in_words(measured: RecallReport) -> str:
    return (
        f"{measured.recall:.3f} ({measured.queries} queries, k {measured.k});"
        f" {measured.seconds * 1e3:.2f} ms per search, exact"
        f" {measured.exact_seconds * 1e3:.2f} ms"
    )


def _scores_in_words(info: CollectionInfo) -> str:
    if info.thresholds is None:
        return "not calibrated for this model, metric and preprocessing"
    return ", ".join(f"{word} from {score:g}" for word, score in info.thresholds.items())


def _in_words(info: CollectionInfo) -> dict[str, str]:
    taken_over = "" if info.fingerprint else " (to be checked when it is first used)"
    if info.encoder == UNKNOWN_ENCODER:
        taken_over = " (give --model NAME, or encoder= in Python, to search by new pictures)"
    sizes = {"catalog": info.catalog_bytes, "store": info.store_bytes}
    sizes |= {"thumbnails": info.thumbnail_bytes} if info.thumbnail_bytes else {}
    return {
        "collection": info.index_dir,
        **({"catalog": info.catalog} if info.catalog else {}),
        "images": f"{info.indexed:,} indexed, {info.skipped:,} skipped",
        "folders": ", ".join(info.roots) or "none",
        "model": f"{info.encoder}, {info.dim} dimensions{taken_over}",
        "metric": info.metric,
        "scores": _scores_in_words(info),
        "store": info.store,
        **({"why": info.why} if info.why else {}),
        **({"tuned": tuning_in_words(info.tuning, info.indexed)} if info.tuning else {}),
        "in memory": f"{info.memory_bytes / 1e6:.1f} MB store",
        "on disk": ", ".join(f"{size / 1e6:.1f} MB {name}" for name, size in sizes.items()),
    }
