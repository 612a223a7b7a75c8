"""Values that are not allowed, told by the options that somebody typed."""

from __future__ import annotations

import re

import click

from image_similarity_search.errors import ConfigError

# what the library calls them: what the command line does, where that is no parameter of the name
_OTHERWISE = {
    "add": "TAG",
    "address": "--host and --port",
    "index": "--index",
    "k": "-k",
    "remove": "TAG",
    "store": "--to",
    "trusted proxy": "--trusted-proxy",
    "weight": "--weighted",
}
_PYTHON_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


def named(error: ConfigError, command: click.Command | None) -> ConfigError:
    """The same error, which names what was typed to ``command`` where there is such a thing."""
    if error.said or command is None:
        return error
    options = {one.name: one.opts[0] for one in command.params if isinstance(one, click.Option)}
    typed = {text for one in command.params for text in (*one.opts, one.human_readable_name)}
    other = _OTHERWISE.get(error.name, error.name.upper())
    name = options.get(error.name) or (other if other.split()[0] in typed else error.name)
    expected = _PYTHON_NAME.sub(lambda found: options.get(found[0], found[0]), error.expected)
    return ConfigError(name, error.value, expected)
