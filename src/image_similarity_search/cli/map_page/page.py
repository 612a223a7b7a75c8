"""Puts the map together: template, style, script, positions, names and sheets in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import IO

import numpy as np

from image_similarity_search.cli.map_page.sheets import Sheets, Thumbnail, along_curve
from image_similarity_search.markup import plain
from image_similarity_search.types import FloatArray, IdArray

_HERE = "image_similarity_search.cli.map_page"
_SPAN = 65535


def write_map(
    out: IO[str],
    ids: IdArray,
    positions: FloatArray,
    paths: Sequence[str],
    thumbnail: Thumbnail,
    *,
    title: str,
) -> None:
    """Write the page of a map to ``out``.

    Args:
        out: a text file, as UTF-8.
        ids: of the images.
        positions: where each lies, ``(n, 2)`` of 0..1.
        paths: of each.
        thumbnail: turns an id into a small JPEG, or None where there is none.
        title: what the page is called.
    """
    order = along_curve(positions)
    sheets = Sheets(len(ids))
    drawn = list(_scripts(sheets.draw(ids[order], thumbnail)))
    places = np.rint(positions[order] * _SPAN).astype("<u2")
    data = {
        "tile": sheets.tile,
        "across": sheets.across,
        "positions": _base64(places.tobytes()),
        "colours": _base64(sheets.colours.tobytes()),
        **_names([paths[at] for at in order.tolist()]),
    }
    style, script = _text_of("page.css"), _text_of("page.js")
    out.write(
        Template(_text_of("page.html")).substitute(
            title=escape(title),
            summary=f"{len(ids):,} pictures; similar ones are close together",
            style=style,
            style_hash=_sha256(style),
            script=script,
            script_hash=_sha256(script),
            data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
            sheets="\n".join(drawn),
        )
    )


def _scripts(sheets: Iterator[bytes]) -> Iterator[str]:
    """Each sheet as data within the page, which is decoded when it is in sight."""
    for number, sheet in enumerate(sheets):
        yield f'<script type="text/plain" id="sheet-{number}">{_base64(sheet)}</script>'


def _names(paths: Sequence[str]) -> dict[str, object]:
    """Names, and the folders that they are in, each once."""
    folders: dict[str, int] = {}
    names, folder = [], []
    for path in paths:
        head, tail = os.path.split(path)
        names.append(plain(tail))
        folder.append(folders.setdefault(head, len(folders)))
    shown = [{"path": plain(head), "url": _url(head)} for head in folders]
    return {"names": names, "folder": folder, "folders": shown}


def _url(folder: str) -> str:
    """The address of a local folder; empty for one in object storage, which no browser opens."""
    try:
        return Path(folder).as_uri().rstrip("/") + "/"
    except ValueError:
        return ""


def _text_of(name: str) -> str:
    return files(_HERE).joinpath(name).read_text("utf-8")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _sha256(text: str) -> str:
    return _base64(hashlib.sha256(text.encode()).digest())
