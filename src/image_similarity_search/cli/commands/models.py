"""``iss models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli import options, output

if TYPE_CHECKING:
    from image_similarity_search.encoders.table import EncoderRow


@click.command(
    "models",
    epilog="""\b
Examples:
  iss models
  iss models --fetch resnet50
  iss index ~/Pictures --model resnet50
""",
)
@click.option(
    "--fetch",
    "names",
    multiple=True,
    metavar="NAME",
    help="Download the weights of this model now, so that it works offline; repeatable.",
)
@click.option(
    "--text", is_flag=True, help="With --fetch: also download what searching by text needs."
)
@options.as_json
def command(names: tuple[str, ...], text: bool, as_json: bool) -> None:
    """List the built-in models; download their weights.

    Other models are given as an .onnx file, or as timm:NAME.
    """
    from image_similarity_search.encoders import registry
    from image_similarity_search.encoders.table import ENCODERS

    if text and not names:
        raise click.UsageError("--text says what to fetch: say --fetch NAME too")
    for name in names:
        path = registry.fetch(name, text=text)
        output.say(f"{name}: {path or 'has no weights'}")
    rows = [row_as_json(row) for row in ENCODERS.values()]
    if as_json:
        output.write_json(rows)
        return
    wide = max(len(row["name"]) for row in rows)
    output.write(_LINE.format("name", "dim", "size", "licence", "here", "from", wide=wide))
    for row in rows:
        size = f"{row['bytes'] / 1e6:,.0f} MB" if row["bytes"] else "-"
        cells = (size, row["licence"], "yes" if row["here"] else "no", row["source"])
        output.write(_LINE.format(row["name"], row["dim"], *cells, wide=wide))
        output.write(f"    {row['summary']}")


_LINE = "{:<{wide}}  {:>5}  {:>7}  {:<12}  {:<4}  {}"


def row_as_json(row: EncoderRow) -> dict[str, Any]:
    """A line of the table as ``--json`` prints it."""
    from image_similarity_search.encoders import registry
    from image_similarity_search.encoders.hub import HubFile

    on_hub = row.weights if isinstance(row.weights, HubFile) else None
    return {
        "name": row.name,
        "dim": row.dim,
        "bytes": registry.size_of(row),
        "licence": row.licence,
        "source": f"huggingface.co/{on_hub.repo}" if on_hub else "included",
        "file": on_hub.path if on_hub else None,
        "revision": on_hub.revision if on_hub else None,
        "sha256": on_hub.sha256 if on_hub else None,
        "here": registry.is_here(row),
        "resize": row.preprocessing.resize,
        "crop": row.preprocessing.crop,
        "interpolation": row.preprocessing.interpolation,
        "fit": row.preprocessing.fit,
        "text": row.text is not None,
        "summary": row.summary,
    }
