"""``iss import-legacy``."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.reports import LegacyImportReport
from image_similarity_search.types import METRICS, Metric

if TYPE_CHECKING:
    from image_similarity_search.encoders.spec import EncoderSpec


@click.command(
    "import-legacy",
    epilog="""\b
Examples:
  iss import-legacy index_data
  iss import-legacy old_index --index-dir photos.index --relative-to ~/project
""",
)
@click.argument("old_dir", type=click.Path())
@options.index_dir
@click.option(
    "--relative-to",
    default=".",
    metavar="DIR",
    type=click.Path(),
    help="Base folder of relative paths [default: the current folder].",
)
@click.option(
    "--faiss",
    "faiss_file",
    metavar="FILE",
    type=click.Path(),
    help="The FAISS index [default: faiss.index, or the only one in OLD_DIR].",
)
@click.option(
    "--paths",
    "paths_file",
    metavar="FILE",
    type=click.Path(),
    help="The list of its paths [default: image_paths.pkl, or the only list in OLD_DIR].",
)
@options.encoder_of_legacy
@click.option(
    "--metric",
    type=click.Choice(METRICS),
    help="Distance measure [default: that of the old index].",
)
@options.as_json
def command(
    old_dir: str,
    index_dir: str,
    relative_to: str,
    faiss_file: str | None,
    paths_file: str | None,
    encoder: EncoderSpec | None,
    metric: Metric | None,
    as_json: bool,
) -> int:
    """Import an index made by the ResNet-50 + FAISS tutorial.

    OLD_DIR holds faiss.index and image_paths.pkl, or one index and one list with other names. No
    picture is encoded, and the model is not needed. If OLD_DIR is the index folder, the old files
    are kept under other names.
    """
    from image_similarity_search.collection.interchange.legacy import RECIPE_MODEL, import_legacy

    try:
        with codecs_silenced(), ProgressBar() as progress:
            report = import_legacy(
                old_dir,
                index_dir,
                model=encoder or RECIPE_MODEL,
                metric=metric,
                relative_to=relative_to,
                faiss_file=faiss_file,
                paths_file=paths_file,
                progress=progress,
            )
    except KeyboardInterrupt:
        output.say("interrupted; nothing was imported, run the command again")
        return exits.INTERRUPTED
    if as_json:
        output.write_json(asdict(report))
    else:
        _tell(report)
    if os.path.realpath(old_dir) == os.path.realpath(index_dir):
        output.say(
            "the old files were kept, those in the way as faiss.index.legacy and"
            " image_paths.pkl.legacy"
        )
    model = (encoder and encoder.model) or RECIPE_MODEL
    output.say(f"{model} is checked against the embeddings when it is first used")
    return exits.OK


def _tell(report: LegacyImportReport) -> None:
    counts = ("missing", "to_encode", "repeated", "not_finite")
    others = ", ".join(f"{name.replace('_', ' ')} {getattr(report, name):,}" for name in counts)
    line = f"imported {report.taken_over:,}, {others}"
    output.write(f"{line} in {report.seconds:.1f} s (metric {report.metric})")
    if report.missing:
        output.say("missing: the picture files are gone; 'iss index FOLDER' drops them")
    if report.to_encode:
        output.say(
            "to encode: changed since, or rotated or transparent, which the tutorial"
            " ignores; 'iss index FOLDER' encodes them"
        )
