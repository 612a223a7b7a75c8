"""``iss join``."""

from __future__ import annotations

import click

from image_similarity_search.cli import options, output


@click.command(
    "join",
    epilog="""\b
Examples:
  iss join postgresql://photos@db.example/photos
  iss join 'postgresql://photos@db.example/photos?schema=archive' --index-dir archive
""",
)
@click.argument("url")
@options.index_dir
@options.as_json
def command(url: str, index_dir: str, as_json: bool) -> None:
    """Use a shared collection from this computer.

    URL is the address of its catalog. The index folder stores URL and this computer's own files,
    such as its search index.
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir, catalog=url) as collection:
        info = collection.info()
    if as_json:
        output.write_json({"catalog": info.catalog, "indexed": info.indexed})
        return
    output.write(f"joined: {output.count(info.indexed, 'image')}")
