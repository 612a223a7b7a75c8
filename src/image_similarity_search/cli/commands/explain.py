"""``iss explain``."""

from __future__ import annotations

import os
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.query_options import file_or_id
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.cli.targets import check_target, written
from image_similarity_search.errors import ConfigError

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.explaining.explanation import (
        ExplainMethod,
        Explanation,
    )
    from image_similarity_search.encoders.devices import Device
    from image_similarity_search.encoders.spec import EncoderSpec
    from image_similarity_search.types import FloatArray, Region

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_IN_WORDS = {
    "places": "what each place adds to the similarity",
    "occlusion": "how much the similarity falls when a place is covered",
}


@click.command(
    "explain",
    epilog="""\b
Examples:
  iss explain query.jpg ~/Pictures/beach.jpg
  iss explain query.jpg ~/Pictures/beach.jpg --to why.png
  iss explain id:17 id:23 --html why.html
  iss explain query.jpg id:23 --region 0.5,0,0.5,1 --json
""",
)
@click.argument("query", type=click.Path(allow_dash=True, readable=False))
@click.argument("hit", type=click.Path(readable=False))
@options.region
@click.option(
    "--method",
    type=click.Choice(["places", "occlusion"]),
    help="places: what each place adds to the similarity; occlusion: how much it falls when the"
    " place is covered [default: places, if the model allows it].",
)
@click.option(
    "--to",
    metavar="FILE",
    type=click.Path(),
    help="Also draw the explanation to FILE, a .png, .jpg or .webp.",
)
@click.option("--html", metavar="FILE", type=click.Path(), help="Also write an HTML page.")
@options.force
@options.index_dir
@options.encoder_again
@options.device
@options.as_json
def command(
    query: str,
    hit: str,
    region: Region | None,
    method: ExplainMethod | None,
    to: str | None,
    html: str | None,
    force: bool,
    index_dir: str,
    encoder: EncoderSpec | None,
    device: Device | None,
    as_json: bool,
) -> None:
    """Show which parts of two pictures make them similar.

    QUERY and HIT are files, or id:N for images of the collection; '-' reads QUERY from standard
    input. Files need not be in the collection.
    """
    if to and os.path.splitext(to)[1].lower() not in _FORMATS:
        raise ConfigError("to", to, f"a file name that ends in {', '.join(_FORMATS)}")
    given = sys.stdin.buffer.read() if query == "-" else file_or_id(query)
    found = file_or_id(hit)
    from image_similarity_search.collection import Collection

    with (
        Collection.open(index_dir, encoder=encoder, device=device or "auto") as collection,
        codecs_silenced(),
    ):
        for file in (to, html):
            check_target(file, collection, index_dir, force=force)
        explanation = collection.explain(given, found, region=region, method=method)
        paths = _path(collection, given), _path(collection, found)
    if as_json:
        output.write_json(explanation_as_json(explanation, *paths))
    elif not to and not html:
        _tell(explanation, paths)
    if to:
        with written(to) as out:
            out.write(_encoded(explanation, _FORMATS[os.path.splitext(to)[1].lower()]))
        output.say(f"drawing written to {to}")
    if html:
        _write_page(html, explanation, paths)


def _path(collection: Collection, given: bytes | str | int) -> str:
    if isinstance(given, bytes):
        return "-"
    return collection.get(given).path if isinstance(given, int) else given


def explanation_as_json(explanation: Explanation, query: str, hit: str) -> dict[str, Any]:
    """What was found, as ``--json`` prints it."""
    compared = explanation.compared
    return {
        "method": compared.method,
        "metric": compared.metric,
        "similarity": compared.similarity,
        "score": compared.score,
        "distance": compared.distance,
        "query": _side(query, explanation.query.part, compared.query),
        "hit": _side(hit, explanation.hit.part, compared.hit),
        "matches": [
            {"query": list(match.query), "hit": list(match.hit), "part": match.part}
            for match in compared.matches
        ],
    }


def _side(path: str, seen: Region, parts: FloatArray) -> dict[str, Any]:
    return {
        "path": path,
        "seen": [round(value, 6) for value in (seen.x, seen.y, seen.w, seen.h)],
        "parts": [[round(float(value), 6) for value in row] for row in parts],
    }


def _tell(explanation: Explanation, paths: tuple[str, str]) -> None:
    compared = explanation.compared
    name = compared.metric if compared.metric in ("cosine", "ip") else "score"
    output.write(f"score {compared.score:.4f}, {name} {compared.similarity:.4f}")
    for path, parts in zip(paths, (compared.query, compared.hit), strict=True):
        output.write(f"{path}: {_IN_WORDS[compared.method]}, in thousandths")
        for row in parts:
            output.write("".join(f"{1000 * value:6.0f}" for value in row))


def _write_page(file: str, explanation: Explanation, paths: tuple[str, str]) -> None:
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.page import write_page
    from image_similarity_search.types import Hit, ImageRecord

    compared, (query, hit) = explanation.compared, paths
    record = ImageRecord(0, os.path.abspath(hit), 0, 0, None, None, None, "indexed")
    name = "Standard input" if query == "-" else query
    note = f"Brightness: {_IN_WORDS[compared.method]}. Equal numbers: similar places."
    section = GalleryQuery(
        name,
        [Hit(record, compared.distance, compared.score)],
        _encoded(explanation, "JPEG"),
        "" if query == "-" else query,
        note if compared.matches else note.partition(" Equal")[0],
        label="Why",
        heading="The hit",
    )
    write_page(file, [section], title="Why they are similar", summary=f"score {compared.score:.4f}")
    output.say(f"page written to {file}")


def _encoded(explanation: Explanation, kind: str) -> bytes:
    out = BytesIO()
    explanation.draw().save(out, kind, quality=90)
    return out.getvalue()
