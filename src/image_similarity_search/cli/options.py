"""Options that several commands share."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar, cast

import click

from image_similarity_search.cli import exits
from image_similarity_search.encoders.devices import DEVICES
from image_similarity_search.encoders.preprocessing import FITS, INTERPOLATIONS
from image_similarity_search.errors import CollectionLockedError, ConfigError
from image_similarity_search.types import (
    DEFAULT_TIME_LIMIT,
    METRICS,
    SCORE_WORDS,
    Region,
    Threshold,
    checked_seconds,
)

if TYPE_CHECKING:
    from image_similarity_search.encoders.spec import EncoderSpec

KINDS = "auto, exact, hnsw, ivf, ivf-pq, ivf-rabitq or a FAISS factory string"

_Command = TypeVar("_Command", bound=Callable[..., Any])

index_dir = click.option(
    "--index-dir",
    default="index_data",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Folder of the collection.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
preview = click.option(
    "--preview", is_flag=True, help="Show thumbnails in the terminal (needs the extra [preview])."
)
paths = click.option("--paths", is_flag=True, help="Print only the paths of the images.")
null = click.option(
    "-0", "--null", is_flag=True, help="Separate paths with NUL bytes instead of newlines."
)
metric = click.option(
    "--metric",
    type=click.Choice(METRICS),
    help="Distance measure of a new collection [default: cosine].",
)
store = click.option(
    "--store",
    metavar="URL",
    help="Vector database for the embeddings of a new collection: milvus://HOST:PORT/NAME"
    " [default: embedded, a file].",
)
catalog = click.option(
    "--catalog",
    metavar="URL",
    help="Database for a catalog that several computers share: postgresql://USER@HOST/DATABASE"
    " [default: a file in the index folder].",
)
device = click.option(
    "--device",
    type=click.Choice(DEVICES),
    help="Device the model runs on [default: auto, a GPU if one can be used].",
)


class Seconds(click.types.FloatParamType):
    """A number of seconds, above 0; only of a ``limit`` it may be without an end."""

    def __init__(self, *, limit: bool) -> None:
        self._limit = limit

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """As click does; ConfigError where it is no time."""
        name = param.name if param and param.name else self.name
        return checked_seconds(name, super().convert(value, param, ctx), limit=self._limit)


time_limit = click.option(
    "--time-limit",
    type=Seconds(limit=True),
    default=DEFAULT_TIME_LIMIT,
    show_default=True,
    metavar="SECONDS",
    help="Skip a picture that takes longer than this to read or to decode.",
)


class _RecallType(click.ParamType["float | Literal['default']"]):
    """A share, or the word that takes one back."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | Literal["default"]:
        if value == "default":
            return "default"
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number or 'default'", param, ctx)


recall = click.option(
    "--recall",
    type=_RecallType(),
    metavar="SHARE",
    help="Tune searches to reach this recall, such as 0.99; 'default' restores the usual search"
    " depth.",
)
_WHICH_FILES = (
    click.option(
        "--include",
        multiple=True,
        metavar="PATTERN",
        help="Only index files that match PATTERN; repeatable.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out files and folders that match PATTERN; repeatable.",
    ),
    click.option("--follow-symlinks", is_flag=True, help="Follow symbolic links to folders."),
    click.option(
        "--all-files",
        is_flag=True,
        help="Try to read every file as a picture, whatever its extension.",
    ),
)


def which_files(command: _Command) -> _Command:
    """A decorator: which files below a folder count."""
    for option in reversed(_WHICH_FILES):
        command = option(command)
    return command


exit_code = click.option(
    "--exit-code", is_flag=True, help=f"Exit with status {exits.FOUND} if anything was found."
)
on_change = click.option(
    "--on-change",
    metavar="COMMAND",
    help="Run COMMAND in a shell when images were added, changed or removed; it gets the report"
    " as JSON on its standard input.",
)
html = click.option(
    "--html", metavar="FILE", type=click.Path(), help="Also write an HTML page with pictures."
)
force = click.option(
    "--force", is_flag=True, help="Overwrite an existing file even if iss did not write it."
)
wait = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="[SECONDS]",
    help="Wait up to SECONDS for another process that is writing, or without SECONDS as long as"
    " needed.",
)
files_from = click.option(
    "--files-from",
    metavar="FILE",
    type=click.File("rb"),
    help="Also read paths from FILE: one per line (or NUL-separated with -0), or a column of a"
    " Parquet file; '-' is standard input.",
)


def _model(what: str, default: str) -> Callable[[_Command], _Command]:
    kinds = "a name from 'iss models', an .onnx file, or timm:NAME"
    shown = f" [default: {default}]" if default else ""
    return click.option("--model", metavar="MODEL", help=f"{what}: {kinds}{shown}.")


_WEIGHTS = click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(),
    help="Local file with the model's weights: .onnx, .safetensors or torch .pth.",
)
_PREPROCESSING = (
    click.option(
        "--resize",
        type=int,
        metavar="PIXELS",
        help="Resize the short side to PIXELS [default: the model's].",
    ),
    click.option(
        "--crop",
        type=int,
        metavar="PIXELS",
        help="Crop a centred square of PIXELS x PIXELS [default: the model's].",
    ),
    click.option(
        "--interpolation",
        type=click.Choice(INTERPOLATIONS),
        help="Interpolation used to resize pictures [default: the model's].",
    ),
    click.option(
        "--fit",
        type=click.Choice(FITS),
        help="crop: cut out the centred square; stretch: squeeze the whole picture into a square"
        " [default: the model's; crop if --resize and --crop differ].",
    ),
)


def gathering(
    name: str, gather: Callable[[dict[str, Any]], Any], *given: Callable[[Any], Any]
) -> Callable[[_Command], _Command]:
    """A decorator for options ``given`` that a command gets as one argument, called ``name``.

    ``gather`` makes it of the values of all its options, and takes its own out of these.
    """

    def decorate(command: _Command) -> _Command:
        @functools.wraps(command)
        def gathered(*arguments: Any, **options: Any) -> Any:
            value = gather(options)
            return command(*arguments, **{name: value}, **options)

        for option in reversed(given):
            gathered = option(gathered)
        return cast("_Command", gathered)

    return decorate


def _encoder_spec(options: dict[str, Any]) -> EncoderSpec | None:
    names = ("model", "weights", "resize", "crop", "interpolation", "fit")
    said = {name: options.pop(name, None) for name in names}
    if all(value is None for value in said.values()):
        return None
    from image_similarity_search.encoders.spec import EncoderSpec

    return EncoderSpec(**said)


def _encoder(model: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    return gathering("encoder", _encoder_spec, model, _WEIGHTS, *_PREPROCESSING)


encoder = _encoder(_model("Model of a new collection", "efficientnet-lite0-whole"))
"""Which encoder a new collection is made with."""

encoder_of_embeddings = _encoder(_model("Model that made the embeddings", "unknown"))
"""Which encoder made embeddings that exist already."""

encoder_of_legacy = _encoder(_model("Model that made the old index", "resnet50"))
"""Which encoder made an index of the ResNet-50 + FAISS tutorial."""

encoder_again = gathering(
    "encoder",
    _encoder_spec,
    _model("The collection's model, if its file was moved", ""),
    _WEIGHTS,
)
"""Where the files are that the collection's encoder is made from."""


class _ThresholdType(click.ParamType[Threshold]):
    """A score, or one of the words for one."""

    name = "score"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Threshold:
        for word in SCORE_WORDS:
            if value == word:
                return word
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number or one of {', '.join(SCORE_WORDS)}", param, ctx)


def _region(text: str) -> Region:
    try:
        x, y, w, h = (float(part) for part in text.split(","))
        return Region(x, y, w, h)
    except (ValueError, ConfigError) as error:
        expected = "fractions x,y,w,h of the picture, such as 0,0.5,1,0.5"
        raise click.BadParameter(
            f"{text!r} is not a region of a picture; expected {expected}"
        ) from error


region = click.option(
    "--region",
    type=_region,
    metavar="X,Y,W,H",
    help="Use only this part of the query picture, in fractions of its width and height.",
)
threshold = click.option(
    "--threshold",
    type=_ThresholdType(),
    metavar="SCORE",
    help="Leave out hits with a lower score: a number, or same-picture, same-object or same-kind"
    " (see 'iss info').",
)


class WaitingCommand(click.Command):
    """A command with the option ``--wait``, whose value may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, once the value that was left out is put in."""
        return super().parse_args(ctx, list(_with_seconds(args)))

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; that another process is writing is told with what to do about it."""
        try:
            return super().invoke(ctx)
        except CollectionLockedError as error:
            if not ctx.params["wait"]:
                error.add_note("add --wait to wait for it")
            raise


def _with_seconds(arguments: list[str]) -> Iterator[str]:
    for place, argument in enumerate(arguments):
        if argument == "--":
            yield from arguments[place:]
            return
        following = arguments[place + 1] if place + 1 < len(arguments) else ""
        is_bare = argument == "--wait" and not re.fullmatch(r"\d+(\.\d+)?", following)
        yield "--wait=inf" if is_bare else argument


def once(instead: str) -> Callable[[click.Context, click.Parameter, Sequence[Any]], Any]:
    """A callback for an option that may be given once, so that no value of several is passed over.

    The option is declared ``multiple``. ``instead`` says what to do in place of giving it twice.
    """

    def only(_context: click.Context, parameter: click.Parameter, values: Sequence[Any]) -> Any:
        if len(values) > 1:
            raise click.UsageError(f"{parameter.opts[-1]} can be given only once: {instead}")
        return values[0] if values else None

    return only


def all_paths(paths: Iterable[str], file: IO[bytes] | None, null_separated: bool) -> list[str]:
    """The paths given as arguments and those in a file, which may be a Parquet file."""
    data = file.read() if file else b""
    if file and data.startswith(b"PAR1"):
        from image_similarity_search.collection.interchange.path_columns import paths_in

        return [*paths, *paths_in(data, file.name)]
    from image_similarity_search.collection.interchange.path_lists import lines_of

    listed = data.split(b"\0") if null_separated else lines_of(data)
    if not null_separated and any(b"\0" in line for line in listed):
        raise click.UsageError("the paths are separated by NUL bytes: add -0")
    encoding = sys.getfilesystemencoding()
    return [*paths, *(path.decode(encoding, "surrogateescape") for path in listed if path)]


def _all_images(options: dict[str, Any]) -> list[str | int]:
    paths, ids = options.pop("images"), options.pop("ids")
    return [*all_paths(paths, options.pop("files_from"), options.pop("null")), *ids]


which_images = gathering(
    "images",
    _all_images,
    click.argument("images", nargs=-1, type=click.Path(readable=False)),
    click.option(
        "--id", "ids", type=int, multiple=True, metavar="N", help="Image with the id N; repeatable."
    ),
    files_from,
    null,
)
"""Images by path and by id; there may be none."""
