"""``iss duplicates``."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.duplicate_groups import (
    PAIRS,
    left_in_words,
    pairs_of,
    report_as_json,
    sum_up,
    tell,
    write_groups,
)
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.cli.tables import check_table, write_table
from image_similarity_search.cli.targets import check_target
from image_similarity_search.duplicates import (
    DUPLICATE_ACTIONS,
    DUPLICATE_LEVELS,
    ActionReport,
    Deed,
    DuplicateAction,
    DuplicateLevel,
)
from image_similarity_search.errors import ImageError

if TYPE_CHECKING:
    from image_similarity_search.filters import Filter

_WITH_ALL = ("--index-dir", "--wait", "--json")  # what goes with --undo and --dismiss


@click.command(
    "duplicates",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss duplicates
  iss duplicates --level exact --json
  iss duplicates --in ~/Pictures/2024 --html duplicates.html
  iss duplicates --reference ~/Pictures/best
  iss duplicates --between ~/Pictures /media/camera
  iss duplicates --between train val --pairs leaks.csv --exit-code
  iss duplicates --dismiss a.jpg --dismiss b.jpg
  iss duplicates --level same --action trash
  iss duplicates --level same --action trash --yes
  iss duplicates --undo
""",
)
@click.option(
    "--level",
    type=click.Choice(DUPLICATE_LEVELS),
    help="Lowest level of similarity to report [default: near; with --action: same].",
)
@click.option(
    "--likeness",
    type=float,
    metavar="N",
    help="Lowest pixel similarity for level near [default: 0.93].",
)
@click.option(
    "--score",
    type=float,
    metavar="N",
    help="Lowest embedding score for level similar [default: 0.75].",
)
@click.option(
    "--thorough",
    is_flag=True,
    help="Read every file, to find rotated, tiny and blurred copies too.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(),
    help="Always keep images in FOLDER, and don't compare them with each other; repeatable.",
)
@click.option(
    "--between",
    nargs=2,
    multiple=True,
    callback=options.once("to compare more than two folders, run the command once for each pair"),
    metavar="FOLDER FOLDER",
    type=click.Path(),
    help="Only compare images of one folder with images of the other.",
)
@filtered
@click.option(
    "--dismiss",
    "dismissed",
    multiple=True,
    metavar="IMAGE",
    type=click.Path(),
    help="Mark these images as not duplicates (give two or more) and exit.",
)
@click.option(
    "--action",
    type=click.Choice(["report", *DUPLICATE_ACTIONS]),
    default="report",
    show_default=True,
    help="What to do with removable files; without --yes this is a dry run. trash needs the"
    " extra [trash].",
)
@click.option(
    "--to", metavar="FOLDER", type=click.Path(), help="Folder that --action move moves files to."
)
@click.option("--yes", is_flag=True, help="Carry out the --action.")
@click.option("--undo", is_flag=True, help="Undo the last --action and exit.")
@options.index_dir
@options.time_limit
@options.wait
@options.as_json
@click.option(
    "--html", metavar="FILE", type=click.Path(), help="Also write an HTML page of the groups."
)
@click.option(
    "--pairs",
    "table",
    metavar="FILE",
    type=click.Path(),
    help="Also write a table with a row for each pair to FILE, a .csv or .parquet.",
)
@options.force
@options.exit_code
@options.preview
def command(
    level: DuplicateLevel | None,
    likeness: float | None,
    score: float | None,
    thorough: bool,
    references: tuple[str, ...],
    between: tuple[str, str] | None,
    where: Filter | None,
    dismissed: tuple[str, ...],
    action: DuplicateAction | Literal["report"],
    to: str | None,
    yes: bool,
    undo: bool,
    index_dir: str,
    time_limit: float,
    wait: float,
    as_json: bool,
    html: str | None,
    table: str | None,
    force: bool,
    exit_code: bool,
    preview: bool,
) -> int:
    """Find duplicates, and suggest which to keep.

    Nothing is changed unless you give --action and --yes. The first line of each group is the
    image to keep.

    An --action leaves altered copies alone unless you give --level near: it cannot know which of
    two is the original.
    """
    if undo:
        _check_alone("--undo")
    if dismissed:
        _check_alone("--dismiss")
    if len(dismissed) == 1:
        raise click.UsageError("--dismiss needs two or more images: --dismiss A --dismiss B")
    if action != "report" and exit_code:
        raise click.UsageError(f"--exit-code can't be combined with --action {action}")
    if action == "report" and (yes or to):
        choices = f"{', '.join(DUPLICATE_ACTIONS[:-1])} or {DUPLICATE_ACTIONS[-1]}"
        raise click.UsageError(f"--yes and --to need --action: {choices}")
    if action == "move" and not to:
        raise click.UsageError("--action move needs --to FOLDER")
    if action != "move" and to:
        raise click.UsageError(f"--to is for --action move only, not {action}")
    only_same = level is None and action != "report"
    level = level or ("same" if only_same else "near")
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.duplicates.levels import NEAR_LIKENESS, SIMILAR_SCORE

    with Collection.open(index_dir, wait=wait) as collection, codecs_silenced():
        if dismissed:
            count = collection.dismiss_duplicates(*dismissed)
            if as_json:
                output.write_json({"remembered": count})
            output.say(f"{output.count(count, 'pair')} marked as not duplicates")
            return exits.OK
        if undo:
            undone = collection.undo_duplicates()
            status = _tell_of_deeds(undone, "restored", as_json=as_json)
            if undone.done:
                output.say("run 'iss index' to make the restored files searchable again")
            return status
        check_target(html, collection, index_dir, force=force)
        check_table(table, collection, index_dir, force=force)
        if action != "report":  # what it lacks is said before the long work
            collection.resolve_duplicates([], action, level=level, to=to)
        with ProgressBar() as progress:
            report = collection.duplicates(
                level,
                likeness=likeness,
                score=score,
                where=where,
                references=references,
                between=between,
                thorough=thorough,
                time_limit=time_limit,
                progress=progress,
            )
        asked = {
            "level": level,
            "likeness": NEAR_LIKENESS if likeness is None else likeness,
            "score": SIMILAR_SCORE if score is None else score,
            "thorough": thorough,
            "references": [os.path.abspath(folder) for folder in references],
            "between": [os.path.abspath(folder) for folder in between or ()],
            "folder": where.folder if where else None,
            "model": collection.info().encoder,
        }
        as_said = report_as_json(report, asked) if as_json else {}
        if table:
            write_table(table, PAIRS, pairs_of(report))
            output.say(f"table written to {table}")
        if as_json and action == "report":
            output.write_json(as_said)
        elif not as_json:
            with output.read_or_not(yes):
                tell(collection, report.groups, preview=preview)
        sum_up(report)
        if only_same:
            output.say("altered copies are not included; use --level near for them")
        if html:
            try:
                write_groups(html, report)
            except ImageError:
                if as_json and action != "report":  # it is not done without its page
                    output.write_json(as_said)
                raise
        if action == "report":
            return exits.FOUND if exit_code and report.groups else exits.OK
        deeds = collection.resolve_duplicates(
            report.copies, action, level=level, to=to, dry_run=not yes
        )
    if as_json:
        output.write_json(as_said | {"deeds": _deeds_as_json(deeds)})
    elif not yes:
        for deed in deeds.done:
            output.say(f"would {_in_words(deed, to)}")
    return _tell_of_deeds(deeds, "done" if yes else "dry run", as_json=False)


def _check_alone(option: str) -> None:
    """Refuse what was typed beside an option that does something else than to compare."""
    context = click.get_current_context()
    for parameter in context.command.params:
        typed = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        name = max(parameter.opts, key=len)
        if typed and name not in (option, *_WITH_ALL):
            raise click.UsageError(f"{option} can't be combined with {name}")


def _in_words(deed: Deed, to: str | None) -> str:
    """What is to be done with a file."""
    words = {
        "trash": f"move {deed.path} to the trash",
        "move": f"move {deed.path} to {to}",
        "delete": f"delete {deed.path}",
    }
    return words.get(deed.action, f"make {deed.path} a {deed.action} to {deed.kept}")


def _tell_of_deeds(report: ActionReport, words: str, *, as_json: bool) -> int:
    """What was done, or would be, in such ``words``; the exit status."""
    if as_json:
        output.write_json({"deeds": _deeds_as_json(report)})
    for line in left_in_words(report.left):
        output.say(line)
    size = sum(deed.size for deed in report.done)
    output.say(f"{words}: {output.count(len(report.done), 'file')} ({output.size_in_words(size)})")
    if report.dry_run:
        output.say("nothing was changed; add --yes to apply")
    return exits.OK if report.dry_run or not report.left else exits.BAD_IMAGE


def _deeds_as_json(report: ActionReport) -> list[dict[str, Any]]:
    return [asdict(deed) | {"done": not (deed.problem or report.dry_run)} for deed in report.deeds]
