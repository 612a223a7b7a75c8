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
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on.",
)
@click.option(
    "--port",
    default=8765,
    show_default=True,
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--index-dir",
    "index_dirs",
    multiple=True,
    default=["index_data"],
    show_default=True,
    metavar="[NAME=]DIR",
    help="Folder of a collection, and optionally its name in the service; repeatable.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    metavar="N",
    type=click.IntRange(1, 64),
    help="Number of processes that answer requests.",
)
@click.option(
    "--api-key-file",
    type=click.File("r", encoding="utf-8-sig", errors="replace"),
    metavar="FILE",
    help="File with API keys, one per line; the environment variable ISS_API_KEY may hold one"
    " more. Needed if other computers can reach the service.",
)
@click.option(
    "--allow-folder",
    "folders",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(),
    help="Also serve picture files from FOLDER, not only from indexed folders; repeatable.",
)
@click.option("--read-only", is_flag=True, help="Reject all changes.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Additional host name to accept, besides localhost and IP addresses; repeatable.",
)
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address or network of a trusted reverse proxy, whose X-Forwarded headers are believed;"
    " repeatable.",
)
@click.option(
    "--rate-limit",
    "rate",
    default=0.0,
    metavar="N",
    type=click.FloatRange(min=0),
    help="Maximum requests per second and client [default: unlimited].",
)
@click.option(
    "--max-upload",
    "mebibytes",
    default=32,
    show_default=True,
    metavar="MIB",
    type=click.IntRange(1, 1024),
    help="Largest request body, in MiB.",
)
@click.option(
    "--max-pixels",
    "megapixels",
    default=100,
    show_default=True,
    metavar="MEGAPIXELS",
    type=click.IntRange(1, 1024),
    help="Largest picture to decode, in megapixels.",
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
    """Serve the collection over HTTP: a web page and an API.

    Ctrl-C or SIGTERM stops the service after the requests in progress.
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
