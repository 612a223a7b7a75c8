"""``iss import``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.types import Metric

if TYPE_CHECKING:
    from image_similarity_search.encoders.spec import EncoderSpec
    from image_similarity_search.reports import ImportReport


@click.command(
    "import",
    epilog="""\b
Examples:
  iss import photos.parquet --index-dir photos.index
  iss import photos.npy --catalog postgresql://photos@db.example/photos
  iss import embeddings.npy --paths paths.txt --model clip-vit-b32
""",
)
@click.argument("file", type=click.Path())
@options.index_dir
@options.catalog
@click.option(
    "--paths",
    metavar="FILE",
    type=click.Path(),
    help="Paths of the pictures, in the order of the embeddings: text with one path per line,"
    " .json, .csv or .parquet.",
)
@click.option(
    "--relative-to",
    metavar="DIR",
    type=click.Path(),
    help="Base folder of relative paths [default: the folder of the file with the paths].",
)
@options.encoder_of_embeddings
@options.metric
@options.as_json
def command(file: str, index_dir: str, catalog: str | None, as_json: bool, **own: Any) -> int:
    """Make a collection from exported or existing embeddings.

    FILE was written by 'iss export': the new collection has the same ids and embeddings. Or FILE
    has embeddings of your own: X.npy, an array of shape (n, dim), with --paths; or X.parquet with
    the columns path and embedding. No picture is encoded, and the model is not needed. The index
    folder must not have a collection yet.
    """
    from image_similarity_search.collection.interchange.embedding_files import is_plain_table

    try:
        if own["paths"] is not None or is_plain_table(file):
            return _import_own(file, index_dir, catalog, as_json, **own)
        _refuse_what_an_export_says(own)
        return _import_export(file, index_dir, catalog, as_json)
    except KeyboardInterrupt:
        output.say("interrupted; nothing was imported, run the command again")
        return exits.INTERRUPTED


def _import_export(file: str, index_dir: str, catalog: str | None, as_json: bool) -> int:
    from image_similarity_search.collection.interchange.importing import import_collection

    with ProgressBar() as progress:
        count = import_collection(file, index_dir, catalog=catalog, progress=progress)
    if as_json:
        output.write_json({"imported": count})
    else:
        output.write(f"imported {count:,}")
    return exits.OK


def _import_own(
    file: str,
    index_dir: str,
    catalog: str | None,
    as_json: bool,
    *,
    paths: str | None,
    relative_to: str | None,
    encoder: EncoderSpec | None,
    metric: Metric | None,
) -> int:
    from image_similarity_search.collection.interchange.embeddings import import_embeddings

    with codecs_silenced(), ProgressBar() as progress:
        report = import_embeddings(
            file,
            index_dir,
            paths=paths,
            model=encoder,
            metric=metric,
            relative_to=relative_to,
            catalog=catalog,
            progress=progress,
        )
    counts = report_as_json(report)
    if as_json:
        output.write_json(counts)
    else:
        told = ("imported", "missing", "to_encode", "not_finite")
        line = ", ".join(f"{name.replace('_', ' ')} {counts[name]:,}" for name in told)
        output.write(f"{line} in {report.seconds:.1f} s (metric {report.metric})")
    _explain(report, encoder)
    return exits.OK


def report_as_json(report: ImportReport) -> dict[str, Any]:
    """What became of embeddings of one's own."""
    values = asdict(report)
    return {"imported": values.pop("taken_over"), **values}


def _explain(report: ImportReport, encoder: EncoderSpec | None) -> None:
    if report.missing:
        output.say(
            "missing: the picture files were not found; mount the disk, or import again"
            " with another --relative-to"
        )
    if report.to_encode:
        output.say("to encode: the embedding is zero, or the picture is in object storage")
    if encoder:
        output.say(f"{encoder.model} is checked against the embeddings when it is first used")
    else:
        output.say(
            "the model is unknown: you can search by --id N; give --model NAME, or encoder="
            " in Python, to search by new pictures"
        )


def _refuse_what_an_export_says(own: dict[str, Any]) -> None:
    given = {
        "--model (and the other options of the model)": own["encoder"],
        "--metric": own["metric"],
        "--relative-to": own["relative_to"],
    }
    for option, value in given.items():
        if value is not None:
            raise click.UsageError(
                f"{option} is for embeddings of your own, which need --paths FILE; an export"
                " names its own model"
            )
