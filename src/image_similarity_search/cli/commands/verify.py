"""``iss verify``."""

from __future__ import annotations

import os

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.reports import Part, RepairReport, VerifyReport

_PARTS: tuple[Part, ...] = ("catalog", "store", "notes", "files")
_SHOWN = 20  # problems of each part; --json has more


@click.command(
    "verify",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss verify
  iss verify --files
  iss verify --repair
""",
)
@click.option(
    "--files", is_flag=True, help="Also check that the image files are still as they were indexed."
)
@click.option("--repair", is_flag=True, help="Repair what can be repaired.")
@options.index_dir
@options.wait
@options.as_json
def command(files: bool, repair: bool, index_dir: str, wait: float, as_json: bool) -> int:
    """Check the collection for damage.

    The exit status is 0 if the collection is intact or was repaired, 4 if it is damaged, and 3 if
    it is intact but image files are missing or changed.
    """
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.verify import verified

    report = verified(os.path.realpath(index_dir), files=files)
    saved = None
    if repair and report.damaged:
        saved = Collection.repair(index_dir, wait=wait)
    if as_json:
        output.write_json(output.verify_as_json(report, saved))
    else:
        _tell(report, saved)
    if report.counts["notes"] or (report.damaged and saved is None):
        return exits.DAMAGED
    return exits.BAD_IMAGE if report.counts["files"] else exits.OK


def _tell(report: VerifyReport, saved: RepairReport | None) -> None:
    for part in _PARTS:
        looked_at = _looked_at(part, report.checked)
        count = report.counts[part]
        if looked_at or count:
            verdict = f"{count:,} problem{'s' if count > 1 else ''}" if count else "no problems"
            if part == "store" and not count and _lacks_store(report.checked):
                verdict = "the index file is missing and will be rebuilt"
            output.write(f"{part + ':':<9}{', '.join([*looked_at, verdict])}")
        problems = [problem.text for problem in report.problems if problem.part == part]
        for text in problems[:_SHOWN]:
            output.write(f"  {text}")
        if count > _SHOWN:
            output.write(f"  and {count - _SHOWN:,} more")
    if saved:
        _tell_of_repair(saved)
    elif report.damaged:
        output.say("run 'iss verify --repair' to save what can be saved")
    elif report.counts["files"]:
        output.say("run 'iss index FOLDER' to update the collection")


def _lacks_store(checked: dict[str, int]) -> bool:
    return checked.get("vectors") == 0 < checked.get("embeddings", 0)


def _looked_at(part: Part, checked: dict[str, int]) -> list[str]:
    names = {
        "catalog": ("pages", "roots", "folders", "images", "embeddings"),
        "store": ("vectors",),
        "notes": ("lines",),
        "files": ("files",),
    }[part]
    return [
        f"{checked[name]:,} {name if checked[name] != 1 else name.removesuffix('s')}"
        for name in names
        if name in checked
    ]


def _tell_of_repair(saved: RepairReport) -> None:
    if saved.kept_as:
        output.write(
            f"repaired: {output.count(saved.images, 'image')} saved, {saved.reencoded:,} to be"
            f" encoded again, {output.count(saved.skipped, 'bad file')};"
            f" lost {output.count(saved.lost, 'image')}"
        )
        if saved.misplaced:
            output.write(
                f"  {output.count(saved.misplaced, 'image')} whose folder is unknown: in"
                " lost+found until 'iss index' finds the files"
            )
        output.say(f"the damaged catalog was kept as {saved.kept_as}")
        output.say("run 'iss index' on each folder to finish")
    else:
        output.write("repaired: the search index was rebuilt")
