"""A page to look at: search results as one HTML file that needs nothing else.

The pictures are embedded, and a content security policy forbids every request, so the file can
be kept, mailed or opened offline. Decoding is the caller's: this module gets encoded thumbnails.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from image_similarity_search.cli.output import count
from image_similarity_search.galleries import size
from image_similarity_search.markup import data_uri, text
from image_similarity_search.markup import name as breakable
from image_similarity_search.types import Hit

_STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --mat: #f1efeb; --ink: #1d1c1a; --quiet: #6b6862; --line: #e4e1db;
  --accent: #2c6e68;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #151514; --mat: #201f1e; --ink: #edebe7; --quiet: #9d9992; --line: #32302e;
    --accent: #7cc0b7;
  }
}
* { box-sizing: border-box; margin: 0; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere;
}
body > header, section, body > footer {
  max-width: 84rem; margin-inline: auto; padding-inline: clamp(1.25rem, 5vw, 4rem);
}
body > header { padding-block: clamp(2rem, 5vw, 3.5rem) clamp(1.5rem, 3vw, 2.25rem); }
h1 { font-size: 1.0625rem; font-weight: 600; letter-spacing: -0.005em; }
.summary, .path, .note, .size, .rank, .empty, footer { color: var(--quiet); }
.summary { font-size: 0.9375rem; }
section { padding-bottom: clamp(3.5rem, 8vw, 6rem); }
section + section { border-top: 1px solid var(--line); padding-top: clamp(3rem, 6vw, 4.5rem); }
.query {
  display: grid; grid-template-columns: minmax(0, auto) minmax(16rem, 1fr);
  gap: clamp(1.5rem, 4vw, 3.5rem); align-items: end;
}
.query img {
  display: block; max-width: 100%; height: min(23rem, 60vh); border-radius: 6px;
  object-fit: contain; object-position: left bottom;
}
.query .missing { width: 24rem; aspect-ratio: 4 / 3; }
.label { font-size: 0.8125rem; color: var(--accent); font-weight: 600; }
h2 {
  font-size: clamp(1.375rem, 1.1rem + 1.4vw, 2rem); font-weight: 600; line-height: 1.15;
  letter-spacing: -0.02em; margin: 0.25rem 0 0.875rem; text-wrap: balance;
}
.query .path { font-size: 0.875rem; }
.note { font-size: 0.875rem; margin-top: 0.375rem; }
h3 {
  font-size: 0.9375rem; font-weight: 600; margin: clamp(2.5rem, 5vw, 3.75rem) 0 1.25rem;
}
ol {
  list-style: none; padding: 0; display: grid; gap: 2.5rem clamp(1.25rem, 2.4vw, 2rem);
  grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr));
}
.frame {
  display: block; aspect-ratio: 1; padding: 5%; background: var(--mat); border-radius: 6px;
}
.frame img { display: block; width: 100%; height: 100%; object-fit: contain; }
a.frame:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
.missing {
  display: grid; place-content: center; justify-items: center; gap: 0.625rem; height: 100%;
  padding: 1.5rem; text-align: center; font-size: 0.8125rem; line-height: 1.4;
  color: var(--quiet); background: var(--mat); border-radius: 6px;
}
.missing svg { width: 2rem; height: 2rem; fill: none; stroke: currentColor; opacity: 0.6; }
.bar { display: block; width: 100%; height: 2px; margin-top: 0.75rem; }
.bar .whole { fill: var(--line); }
.bar .part { fill: var(--accent); }
.figures {
  display: flex; justify-content: space-between; align-items: baseline; margin-top: 0.5rem;
  font-size: 0.8125rem; font-variant-numeric: tabular-nums;
}
.score { font-weight: 600; }
.name { font-size: 0.9375rem; font-weight: 500; line-height: 1.35; margin-top: 0.375rem; }
li .note { color: var(--accent); }
li .path { font-size: 0.75rem; line-height: 1.45; margin-top: 0.25rem; }
.path { user-select: all; -webkit-user-select: all; }
.size { font-size: 0.75rem; margin-top: 0.25rem; font-variant-numeric: tabular-nums; }
body > footer {
  font-size: 0.8125rem; padding-block: 1.5rem 3rem; border-top: 1px solid var(--line);
}
.unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
@media (max-width: 46rem) {
  .query { grid-template-columns: minmax(0, 1fr); align-items: start; gap: 1.25rem; }
  .query img { width: 100%; height: auto; max-height: 80vh; }
  .query .missing { width: 100%; }
  .name { font-size: 0.875rem; }
  ol { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2rem 1rem; }
}
.compact > header {
  position: sticky; z-index: 1; top: 0; padding-block: 0.75rem; background: var(--page);
  border-bottom: 1px solid var(--line);
}
.compact section {
  display: grid; grid-template: auto 1fr / 11rem minmax(0, 1fr); gap: 0.5rem 1.5rem;
  padding-block: 1.25rem; content-visibility: auto; contain-intrinsic-size: auto 20rem;
}
.compact .query { display: block; grid-row: 2; }
.compact .query img, .compact .query .missing { width: 100%; height: auto; aspect-ratio: 1; }
.compact .query img { padding: 5%; object-position: center; background: var(--mat); }
.compact .label { margin-top: 0.75rem; }
.compact h2 { font-size: 0.9375rem; letter-spacing: 0; margin: 0.25rem 0; }
.compact :is(.query .path, .note) { font-size: 0.75rem; }
.compact h3 { grid-column: 2; margin: 0; font-size: 0.8125rem; }
.compact :is(ol, .empty) { grid-column: 2; }
.compact ol { gap: 1.25rem; grid-template-columns: repeat(auto-fill, minmax(9rem, 11rem)); }
@media (max-width: 46rem) {
  .compact section { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.5rem 1rem; }
  .compact ol { grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); }
}
@media print {
  li, .compact section { break-inside: avoid; }
  .compact section { content-visibility: visible; }
  .compact > header { position: static; }
}
"""

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'sha256-$style_hash'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body$look>
<header>
<h1>$title</h1>
<p class="summary">$summary</p>
</header>
<main>
$sections
</main>
$footer
</body>
</html>
""")

_SECTION = Template("""<section aria-labelledby="query-$number">
<div class="query">
$picture
<div>
<p class="label">$label</p>
<h2 id="query-$number">$title</h2>
$path
$note
</div>
</div>
$answers
</section>""")

_HIT = Template("""<li>
$picture
<svg class="bar" aria-hidden="true"><rect class="whole" width="100%" height="100%"/>\
<rect class="part" width="$percent%" height="100%"/></svg>
<p class="figures"><span class="rank"><span class="unseen">Rank </span>$rank</span> \
<span class="score"><span class="unseen">Score </span>$score</span></p>
<p class="name">$name</p>
$path
$size
$note
</li>""")

_MISSING = """<div class="missing"><svg viewBox="0 0 32 32" aria-hidden="true">\
<rect x="3.5" y="5.5" width="25" height="21" rx="2"/><path d="M4 23l8-8 6 6 4-4 6 6"/>\
<circle cx="21.5" cy="11.5" r="2"/></svg><span>Picture not available</span></div>"""


@dataclass(frozen=True, slots=True)
class GalleryQuery:
    """One section of the page: a query and what was found.

    Attributes:
        title: the section's heading, for instance the query's file name.
        hits: the answers, best first.
        picture: the query as JPEG, PNG or WebP, shown large; None shows a placeholder.
        path: where the query came from; left out when empty. Where the title is the path, too,
            the file's name stands for it above.
        note: a line of your own, for instance how long the search took.
        label: what the picture is to the reader.
        heading: what stands above the answers.
        notes: a line of your own below each of the first answers.
        none: what stands there where there is no answer.
    """

    title: str
    hits: Sequence[Hit]
    picture: bytes | None = None
    path: str = ""
    note: str = ""
    label: str = "Query"
    heading: str = "Most similar"
    notes: Sequence[str] = ()
    none: str = "No hits."


def render_gallery(
    queries: Sequence[GalleryQuery],
    *,
    thumbnail: Callable[[str], bytes | None],
    title: str,
    summary: str = "",
    footer: str = "",
    compact: bool = False,
) -> str:
    """Render search results as one HTML page that makes no request of any kind.

    Args:
        queries: the sections, in the order in which they are shown.
        thumbnail: turns the path of a hit into a small upright JPEG, PNG or WebP (320 pixels
            are enough), or None when the picture can't be had: a placeholder is shown then.
        title: what the page is called.
        summary: a line below it; how many pictures were found, if it is empty.
        footer: a closing line, for instance where the pictures come from.
        compact: show each section as a row of small pictures: for many sections.

    Returns:
        HTML that can be written as UTF-8, whatever is in the file names.
    """
    sections = (_section(i, query, thumbnail) for i, query in enumerate(queries, start=1))
    return _PAGE.substitute(
        style=_STYLE,
        style_hash=base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode(),
        look=' class="compact"' if compact else "",
        title=text(title),
        summary=text(summary) if summary else _summary(queries),
        sections="\n".join(sections),
        footer=f"<footer>{text(footer)}</footer>" if footer else "",
    )


def _summary(queries: Sequence[GalleryQuery]) -> str:
    hits = sum(len(query.hits) for query in queries)
    return f"{count(len(queries), 'query', 'queries')}, {count(hits, 'picture')} found"


def _section(number: int, query: GalleryQuery, thumbnail: Callable[[str], bytes | None]) -> str:
    title = (query.title == query.path and os.path.basename(query.path)) or query.title
    return _SECTION.substitute(
        number=number,
        label=text(query.label),
        title=breakable(title),
        picture=_image(query.picture, f"{query.label} picture: {title}"),
        path=_path(query.path),
        note=_paragraph("note", query.note),
        answers=_answers(
            query,
            (
                _hit(rank, hit, thumbnail(hit.path), "".join(query.notes[rank - 1 : rank]))
                for rank, hit in enumerate(query.hits, start=1)
            ),
        ),
    )


def _answers(query: GalleryQuery, hits: Iterable[str]) -> str:
    items, above = list(hits), f"<h3>{text(query.heading)}</h3>\n"
    if not items:
        return above + _paragraph("empty", query.none)
    # role: without bullets, Safari no longer announces a list
    return above + '<ol role="list">\n' + "\n".join(items) + "\n</ol>"


def _hit(rank: int, hit: Hit, thumbnail: bytes | None, note: str) -> str:
    name = os.path.basename(hit.path)
    image, link = _image(thumbnail, name), _file_uri(hit.path) if thumbnail else None
    return _HIT.substitute(
        picture=f'<a class="frame" href="{escape(link)}">{image}</a>'
        if link
        else f'<div class="frame">{image}</div>',
        percent=f"{100 * min(max(hit.score, 0.0), 1.0):.2f}",  # inner products have no bounds
        rank=rank,
        score=f"{hit.score:.4f}",
        name=breakable(name),
        path=_path(hit.path),
        size=_paragraph("size", size(hit.image.width, hit.image.height)),
        note=_paragraph("note", note),
    )


def _image(data: bytes | None, alt: str) -> str:
    """An embedded picture, or the placeholder where there is none."""
    if not data:
        return _MISSING
    return f'<img alt="{text(alt)}" src="{data_uri(data)}">'


def _file_uri(path: str) -> str | None:  # of an object, which no browser opens, there is none
    """The address of a local file, so that a click opens the original."""
    try:
        return Path(path).as_uri()
    except ValueError:  # a relative path has no address
        return None


def _path(path: str) -> str:
    return f'<p class="path">{breakable(path)}</p>' if path else ""


def _paragraph(css_class: str, words: str) -> str:
    return f'<p class="{css_class}">{text(words)}</p>' if words else ""
