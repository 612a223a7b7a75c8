"""The pictures that a search is given on the command line, and how else it is to search."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from image_similarity_search.cli import options
from image_similarity_search.errors import ConfigError, ImageNotFoundError, ImageUnreadableError
from image_similarity_search.search_options import DIVERSE, LESS, SearchOptions
from image_similarity_search.types import Region, Text

if TYPE_CHECKING:
    from PIL import Image

    from image_similarity_search.collection.examples import Example


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture to search by: how it was given, what it is, and how much it counts."""

    name: str | int
    picture: Any
    weight: float = 1.0
    region: Region | None = None

    def example(self) -> Example:
        """What a collection searches by."""
        from image_similarity_search.collection.examples import Example

        return Example(self.picture, self.weight, self.region)


_PICTURES = (
    click.argument(
        "images", nargs=-1, metavar="[IMAGE]", type=click.Path(allow_dash=True, readable=False)
    ),
    click.option(
        "--id",
        "ids",
        type=int,
        multiple=True,
        metavar="N",
        help="Search by image N of the collection; repeatable.",
    ),
    click.option(
        "--like", multiple=True, metavar="IMAGE", help="Also search by this picture; repeatable."
    ),
    click.option(
        "--unlike",
        multiple=True,
        metavar="IMAGE",
        help="Search for images less like this picture; repeatable.",
    ),
    click.option(
        "--weighted",
        nargs=2,
        type=(float, str),
        multiple=True,
        metavar="WEIGHT IMAGE",
        help=f"Search by this picture with WEIGHT (--like is 1, --unlike -{LESS:g}); repeatable.",
    ),
    click.option(
        "--text",
        "texts",
        multiple=True,
        metavar="WORDS",
        help="Search by text (models with a text encoder: see 'iss models'); repeatable.",
    ),
    click.option("--clipboard", is_flag=True, help="Search by the picture in the clipboard."),
    options.region,
    click.option("--allow-url", is_flag=True, help="Allow http and https URLs as pictures."),
    click.option(
        "--allow-private-url",
        is_flag=True,
        help="Like --allow-url, also for this computer and the local network.",
    ),
)
_OPTIONS = (
    click.option("--mirrored", is_flag=True, help="Also find mirrored versions."),
    click.option(
        "--turned", is_flag=True, help="Also find versions rotated by 90, 180 or 270 degrees."
    ),
    click.option(
        "--exclude-same-folder",
        is_flag=True,
        help="Leave out hits from the folder of the query picture.",
    ),
    click.option("--diverse", is_flag=True, help="Prefer hits that differ from each other."),
    click.option(
        "--fold", is_flag=True, help="Group copies under the best hit instead of listing each."
    ),
    click.option(
        "--liked",
        type=int,
        multiple=True,
        metavar="N",
        help="Image N is relevant: search for more like it; repeatable.",
    ),
    click.option(
        "--disliked",
        type=int,
        multiple=True,
        metavar="N",
        help="Image N is not relevant: leave it out and search for less like it; repeatable.",
    ),
)


def _given(options: dict[str, Any]) -> list[GivenPicture]:
    """The pictures of a command's options, which are taken out of these."""
    images, region = options.pop("images"), options.pop("region")
    if len(images) > 1:
        likes = " ".join(f"--like {each}" for each in images[1:])
        raise click.UsageError(
            f"only one IMAGE can be given; to search by all of them: {images[0]} {likes}"
        )
    private = options.pop("allow_private_url")
    allowed = options.pop("allow_url") or private
    chief: list[_Source] = [file_or_id(image) for image in images]
    chief += options.pop("ids")
    words = [Text(each) for each in options.pop("texts")]
    if options.pop("clipboard"):
        chief.append(_CLIPBOARD)
    liked: list[_Source] = [*chief, *words, *map(file_or_id, options.pop("like"))]
    wanted: list[tuple[float, _Source]] = [(1.0, one) for one in liked]
    wanted += [(weight, file_or_id(one)) for weight, one in options.pop("weighted")]
    wanted += [(-LESS, file_or_id(one)) for one in options.pop("unlike")]
    if all(weight <= 0 for weight, _ in wanted):
        only = "at least one query needs a weight above 0: " if wanted else ""
        raise click.UsageError(
            f"{only}give IMAGE, --id N, --text WORDS, --like IMAGE or --clipboard"
        )
    if [source for _, source in wanted].count("-") > 1:
        raise click.UsageError("standard input holds one picture: give '-' once")
    if region and not chief:
        raise click.UsageError("--region needs IMAGE, --id N or --clipboard")
    found = [
        GivenPicture(
            _name(source),
            _read(source, allowed=allowed, private=private),
            weight,
        )
        for weight, source in wanted
    ]
    return [replace(found[0], region=region), *found[1:]]


pictures = options.gathering("given", _given, *_PICTURES)
"""The pictures, as a list ``given``; the first of them is the one to show."""


def _how(options: dict[str, Any]) -> SearchOptions:
    names = ("mirrored", "turned", "exclude_same_folder", "fold", "liked", "disliked")
    said = {name: options.pop(name) for name in names}
    return SearchOptions(diverse=DIVERSE if options.pop("diverse") else 0.0, **said)


search_options = options.gathering("how", _how, *_OPTIONS)
"""What else a search is to do, as one argument ``how``."""


def file_or_id(name: str) -> str | int:
    """What is given where a picture is wanted: a file, or ``id:N``, an image of the collection.

    Raises:
        ImageNotFoundError: it is a number, and no file.
        click.UsageError: ``N`` is no number.
    """
    if name.isdecimal() and not os.path.lexists(name):
        raise ImageNotFoundError(name, f"no such file; for the image with this id give id:{name}")
    number = name.removeprefix("id:")
    if number == name or (os.path.lexists(name) and not number.isdecimal()):
        return name
    if not number.isdecimal():
        raise click.UsageError(
            f"no such file {name!r}; for an image of the collection give id:N, such as id:17"
        )
    return int(number)


class _Clipboard:
    """Stands for what is in the clipboard."""


_CLIPBOARD = _Clipboard()
_Source: TypeAlias = "str | int | Text | _Clipboard"


def _name(source: _Source) -> str | int:
    if isinstance(source, Text):
        return source.words
    return "clipboard" if isinstance(source, _Clipboard) else source


def _read(source: _Source, *, allowed: bool, private: bool) -> Any:
    """What a collection takes: a path, an id, or what is elsewhere than in a file."""
    if isinstance(source, _Clipboard):
        return _from_clipboard()
    if source == "-":
        return sys.stdin.buffer.read()
    if isinstance(source, int | Text) or not source.lower().startswith(("http://", "https://")):
        return source
    if not allowed:
        raise ConfigError("picture", source, "a file, or --allow-url to fetch it from the network")
    from image_similarity_search.fetching import fetched  # which brings what speaks HTTP and TLS

    return fetched(source, private=private)


def _from_clipboard() -> str | Image.Image:
    """The picture in the clipboard: itself, or the first file that was copied.

    Raises:
        ImageUnreadableError: it can't be read here.
        ImageNotFoundError: there is none in it.
    """
    from PIL import ImageGrab

    try:
        found = ImageGrab.grabclipboard()
    except (NotImplementedError, OSError, ChildProcessError) as error:
        reason = f"it can't be read ({error}); this needs a desktop session"
        raise ImageUnreadableError("clipboard", reason) from error
    if isinstance(found, list) and found:
        return str(found[0])
    if found is None or isinstance(found, list):
        raise ImageNotFoundError("clipboard", "there is no picture in it")
    return found
