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
    help="What belongs together: a CSV or Parquet file of paths and groups; 'folders';"
    " 'folder-names', where train/cat and test/cat are one; or 'column:NAME', of images in Parquet"
    " files.",
)
@click.option(
    "--relative-to",
    metavar="DIR",
    type=click.Path(),
    help="The folder that relative paths in FILE start from [default: that of FILE].",
)
@click.option(
    "-k",
    "ks",
    type=int,
    multiple=True,
    default=(1, 5, 10),
    show_default=True,
    help="Precision and recall among the first so many; may be given more than once.",
)
@click.option(
    "--against",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Compare with the collection that is kept there.",
)
@click.option(
    "--depth",
    type=int,
    metavar="N",
    help="Look at so many hits of real searches; without it all images are ranked exactly.",
)
@click.option("--sample", type=int, metavar="N", help="Search by so many of the images at most.")
@filtered
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Name so many groups, and so many searches.",
)
@options.index_dir
@options.as_json
@click.option("--paths", is_flag=True, help="Print the paths of mislabelled images, no more.")
@options.null
@click.option("--html", metavar="FILE", type=click.Path(), help="Write a page of the worst, too.")
@click.option(
    "--table",
    metavar="FILE",
    type=click.Path(),
    help="Write a row for each image to FILE.csv or FILE.parquet, too.",
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
    """Measure how well images that belong together are found.

    Each of them is searched by. With --against, how much better or worse the other collection, of
    the same images, does it.
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
            output.say(f"the table is in {table}")
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
