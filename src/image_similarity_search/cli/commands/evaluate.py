"""``iss evaluate``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.evaluation_report import (
    TABLE,
    comparison_as_json,
    hint_at_names,
    report_as_json,
    say_of_all,
    say_what_is_left_out,
    table_rows,
    tell,
    tell_compared,
)
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.tables import check_table, write_table
from image_similarity_search.cli.targets import check_target
from image_similarity_search.errors import ConfigError

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.evaluation import EvaluationComparison, EvaluationReport
    from image_similarity_search.filters import Filter

_FOLDERS = "folders"


@click.command(
    "evaluate",
    epilog="""\b
Examples:
  iss evaluate --truth folders
  iss evaluate --truth groups.csv -k 1 -k 20
  iss evaluate --truth groups.csv --html worst.html
  iss evaluate --truth groups.csv --index-dir one --against other
  iss evaluate --truth groups.csv --depth 10
  iss evaluate --truth folders --table images.csv
  iss evaluate --truth folders --paths -0 | iss tag add check -0 --files-from -
""",
)
@click.option(
    "--truth",
    required=True,
    metavar="FILE",
    help="Which images belong together: a CSV or Parquet file of paths and groups; 'folders';"
    " 'folder-names', which takes train/cat and test/cat as one group; or 'column:NAME' for"
    " images in Parquet files.",
)
@click.option(
    "--relative-to",
    metavar="DIR",
    type=click.Path(),
    help="Base folder of relative paths in FILE [default: the folder of FILE].",
)
@click.option(
    "-k",
    "ks",
    type=int,
    multiple=True,
    default=(1, 5, 10),
    show_default=True,
    metavar="K",
    help="Cut-off for precision and recall; repeatable.",
)
@click.option(
    "--against",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Index folder of a collection to compare with.",
)
@click.option(
    "--depth",
    type=int,
    metavar="N",
    help="Evaluate the top N hits of searches in the index; without it, all images are ranked"
    " exactly.",
)
@click.option(
    "--sample", type=int, metavar="N", help="Use a random sample of at most N images as queries."
)
@filtered
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="List the N worst groups and the N worst queries.",
)
@options.index_dir
@options.as_json
@click.option(
    "--paths", is_flag=True, help="Print only the paths of images that may be mislabelled."
)
@options.null
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(),
    help="Also write an HTML page of the worst queries.",
)
@click.option(
    "--table",
    metavar="FILE",
    type=click.Path(),
    help="Also write a table with a row for each image to FILE, a .csv or .parquet.",
)
@options.force
@options.exit_code
def command(
    truth: str,
    relative_to: str | None,
    ks: tuple[int, ...],
    against: str | None,
    depth: int | None,
    sample: int | None,
    where: Filter | None,
    worst: int,
    index_dir: str,
    as_json: bool,
    paths: bool,
    null: bool,
    html: str | None,
    table: str | None,
    force: bool,
    exit_code: bool,
) -> int:
    """Measure search quality on images that belong together.

    Each of them is used as a query. With --against, also show how much better or worse another
    collection of the same images does.
    """
    from image_similarity_search.collection import Collection

    def measured(collection: Collection) -> EvaluationReport:
        with ProgressBar() as progress:
            return collection.evaluate(
                truth,
                relative_to=relative_to,
                k=ks,
                depth=depth,
                sample=sample,
                where=where,
                progress=progress,
            )

    with Collection.open(index_dir) as collection:
        check_target(html, collection, index_dir, force=force)
        check_table(table, collection, index_dir, force=force)
        report = measured(collection)
        if truth == _FOLDERS:
            hint_at_names(report)
        say_what_is_left_out(report, worst)
        compared = _compared(report, against, measured) if against else None
        if as_json:
            both = {"against": comparison_as_json(compared)} if compared else {}
            output.write_json(report_as_json(report, worst) | both)
        elif paths or null:
            output.write_paths((one.image.path for one in report.mislabelled()), null=null)
        elif compared:
            tell_compared(compared, index_dir, str(against))
        else:
            tell(report, worst)
        if html:
            from image_similarity_search.cli.evaluation_page import write_worst

            write_worst(html, collection, report, worst, where)
        if table:
            write_table(table, TABLE, table_rows(report))
            output.say(f"table written to {table}")
    if not compared:
        say_of_all(report)
    return exits.FOUND if exit_code and report.mislabelled() else exits.OK


def _compared(
    report: EvaluationReport, against: str, measured: Callable[[Collection], EvaluationReport]
) -> EvaluationComparison:
    """The report beside that of another collection."""
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.evaluation.comparing import compare_evaluations

    with Collection.open(against) as other:
        try:
            return compare_evaluations(report, measured(other))
        except ConfigError as error:
            what = error.said or f"{error.value}; expected {error.expected}"
            said = f"{against} (--against): {what}"
            raise ConfigError(error.name, error.value, error.expected, said) from error
