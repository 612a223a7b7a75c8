"""Names and pictures as HTML that is safe, whatever is in them, and needs nothing else."""

from __future__ import annotations

import base64
import re
from html import escape

# Halves of undecodable bytes can't be written as UTF-8; control characters are no text.
_UNPRINTABLE = re.compile(r"[\ud800-\udfff\x00-\x1f\x7f-\x9f]")
_BREAKS = re.compile(r"(?<=[/\\_-])")
_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"RIFF", "image/webp"))


def plain(given: str) -> str:
    """Text that can be written as UTF-8 and shown; what can't is replaced."""
    return _UNPRINTABLE.sub("\ufffd", given)


def text(given: str) -> str:
    """Text made safe for HTML, also between quotes, and for UTF-8."""
    return escape(plain(given))


def name(given: str) -> str:
    """A file name or path with places to break a line, which copying leaves out."""
    return f"<bdi>{'<wbr>'.join(map(text, _BREAKS.split(given)))}</bdi>"


def data_uri(picture: bytes) -> str:
    """The address that a JPEG, PNG or WebP is its own content of."""
    kind = next((kind for start, kind in _SIGNATURES if picture.startswith(start)), "image/jpeg")
    return f"data:{kind};base64,{base64.b64encode(picture).decode('ascii')}"
