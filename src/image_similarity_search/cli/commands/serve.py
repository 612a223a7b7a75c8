"""``iss serve``."""

from __future__ import annotations

import os
import tempfile
from typing import IO

import click

from image_similarity_search.cli.extras import extra

_MIB = 1024**2


@click.command(
    "serve",
    epilog="""\b
Examples:
  iss serve
  iss serve --index-dir photos=photos.index --index-dir scans=scans.index
  iss serve --host 0.0.0.0 --api-key-file keys.txt --read-only
""",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="The port."
)
@click.option(
    "--index-dir",
    "index_dirs",
    multiple=True,
    default=["index_data"],
    show_default=True,
    metavar="[NAME=]DIR",
    help="Where a collection is kept, and its name here; may be given several times.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Processes that answer requests.",
)
@click.option(
    "--api-key-file",
    type=click.File("r", encoding="utf-8-sig", errors="replace"),
    metavar="FILE",
    help="API keys, one a line; ISS_API_KEY in the environment is one, too. Needed where other"
    " machines can reach the service.",
)
@click.option(
    "--allow-folder",
    "folders",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(),
    help="Pictures in FOLDER are handed out too, beside those of the indexed folders; may be given"
    " several times.",
)
@click.option("--read-only", is_flag=True, help="Refuse all that changes a collection.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name by which the service may be called, beside localhost and addresses.",
)
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address or network of a proxy before the service, which is believed who asks, and whether"
    " by HTTPS.",
)
@click.option(
    "--rate-limit",
    "rate",
    default=0.0,
    metavar="N",
    type=click.FloatRange(min=0),
    help="Requests a second that a client may make [default: any number].",
)
@click.option(
    "--max-upload",
    "mebibytes",
    default=32,
    show_default=True,
    metavar="MIB",
    type=click.IntRange(1, 1024),
    help="Size of an upload.",
)
@click.option(
    "--max-pixels",
    "megapixels",
    default=100,
    show_default=True,
    metavar="MEGAPIXELS",
    type=click.IntRange(1, 1024),
    help="Millions of pixels that a picture may have that the service decodes.",
)
def command(
    host: str,
    port: int,
    index_dirs: tuple[str, ...],
    workers: int,
    api_key_file: IO[str] | None,
    folders: tuple[str, ...],
    read_only: bool,
    hosts: tuple[str, ...],
    proxies: tuple[str, ...],
    rate: float,
    mebibytes: int,
    megapixels: int,
) -> None:
    """Answer searches over HTTP: an API, and a page for people.

    Ends at Ctrl-C, or SIGTERM, when what is under way is done.
    """
    # systemd's RuntimeDirectory= is left alone by what cleans /tmp
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or None
    with tempfile.TemporaryDirectory(prefix="iss-serve-", dir=runtime) as state_dir:
        metrics_dir = None
        if workers > 1:  # prometheus_client looks there when it is imported
            metrics_dir = os.path.join(state_dir, "metrics")
            os.mkdir(metrics_dir)
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_dir
        with extra("serve", "iss serve"):
            from image_similarity_search.service.serving import serve
        from image_similarity_search.service.settings import Limits, Settings, named

        settings = Settings(
            collections=named(index_dirs),
            state_dir=state_dir,
            host=host,
            port=port,
            workers=workers,
            keys=_keys(api_key_file),
            folders=folders,
            read_only=read_only,
            allowed_hosts=hosts,
            trusted_proxies=proxies,
            limits=Limits(
                upload_bytes=mebibytes * _MIB, upload_pixels=megapixels * 1_000_000, rate=rate
            ),
        )
        serve(settings, shared_metrics=metrics_dir)


def _keys(file: IO[str] | None) -> tuple[str, ...]:
    from image_similarity_search.service.settings import check_key

    keys = []
    for number, line in enumerate(file or (), 1):
        key = line.strip()
        if key and not key.startswith("#"):
            check_key(key, f"API key of line {number}")
            keys.append(key)
    own = os.environ.get("ISS_API_KEY", "")
    return tuple(dict.fromkeys([*keys, own] if own else keys))
