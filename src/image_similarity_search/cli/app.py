"""The command ``iss``: its subcommands, and how it ends."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from image_similarity_search._version import __version__
from image_similarity_search.cli import exits
from image_similarity_search.cli.naming import named
from image_similarity_search.cli.output import drop_the_rest, say
from image_similarity_search.errors import (
    ConfigError,
    ImageSearchError,
    reason_of,
)

_PACKAGE = "image_similarity_search.cli.commands"

# name: module; a module is imported when its command is used, or when help lists them all
_COMMANDS = {
    "index": "index",
    "watch": "watch",
    "search": "search",
    "explain": "explain",
    "duplicates": "duplicates",
    "clusters": "clusters",
    "outliers": "outliers",
    "map": "map_",
    "evaluate": "evaluate",
    "add": "add",
    "remove": "remove",
    "tag": "tag",
    "info": "info",
    "rebuild": "rebuild",
    "models": "models",
    "export": "export",
    "import": "import_",
    "import-legacy": "import_legacy",
    "serve": "serve",
    "mcp": "mcp",
    "backup": "backup",
    "restore": "restore",
    "verify": "verify",
    "relocate": "relocate",
    "move": "move",
    "join": "join",
    "thumbnails": "thumbnails",
    "demo": "demo",
    "completion": "completion",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"{_PACKAGE}.{_COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; of a command that there is not, those with a like name are told."""
        name = args[0]
        if not (name in _COMMANDS or name.startswith("-") or ctx.resilient_parsing):
            from difflib import get_close_matches

            alike = " or ".join(map(repr, get_close_matches(name, _COMMANDS)))
            ctx.fail(f"No such command {name!r}.{f' Did you mean {alike}?' if alike else ''}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; what is not allowed is told by the option that was typed."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            name = ctx.invoked_subcommand
            better = named(error, self.get_command(ctx, name) if name else None)
            if better is error:
                raise
            raise better from error


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  iss index ~/Pictures
  iss search holiday.jpg
  iss search holiday.jpg -k 20 --html hits.html
  iss search holiday.jpg --paths -0 | xargs -0 ls -l

"""
    + exits.HELP,
)
@click.version_option(__version__, "-V", "--version", prog_name="iss")
@click.option(
    "-v",
    "--verbose",
    count=True,
    help="Log why files are skipped; -vv logs what happens to every file.",
)
def app(verbose: int) -> None:
    """Find the pictures in a folder that look like a given one: index once, then search."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.getLogger("image_similarity_search").setLevel(level)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and end the process with its status."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the caller closed it
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for good
    signal.signal(signal.SIGTERM, _interrupt)  # as for Ctrl-C: what was done is kept
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a file, its reason says
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    logging.basicConfig(handlers=[_Talk()], level=logging.WARNING)
    status = _status(arguments)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)  # it is over: another one must not garble the end
    sys.exit(status)


def _status(arguments: Sequence[str] | None) -> int:
    stdout = sys.stdout
    try:
        result: Any = app.main(arguments, prog_name="iss", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit:
        if sys.stdout is not stdout:  # click met a broken pipe: it replaces stdout and ends with 1
            return exits.OK
        raise
    except ImageSearchError as error:
        say(f"iss: {error}")
        for note in getattr(error, "__notes__", ()):
            say(f"iss: {note}")
        return exits.status_of(error)
    except click.ClickException as error:
        error.show()
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        say("iss: interrupted")
        return exits.INTERRUPTED
    except BrokenPipeError:
        drop_the_rest()
        return exits.OK
    except OSError as error:  # of its own files and streams: those of the library are translated
        nameless = f"standard output: {reason_of(error)}"  # what has a name says it itself
        say(f"iss: {nameless if error.filename is None else error}")
        return exits.FAILED
    return result if isinstance(result, int) else exits.OK


class _Talk(logging.Handler):
    """What the library logs, on what standard error is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"iss: {record.getMessage()}")


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
