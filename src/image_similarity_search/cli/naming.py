"""Values that are not allowed, told by the options that somebody typed."""

from __future__ import annotations

import click

from image_similarity_search.errors import ConfigError

# what the library calls them: what the command line does, where that is no parameter of the name
_OTHERWISE = {
    "address": "--host and --port",
    "index": "--index",
    "trusted proxy": "--trusted-proxy",
}


def named(error: ConfigError, command: click.Command | None) -> ConfigError:
    """The same error, which names the option of ``command`` where there is such a one."""
    options = [option for option in _options(command) if option.name == error.name]
    name = options[0].opts[0] if options else _OTHERWISE.get(error.name)
    known = {text for option in _options(command) for text in option.opts}
    if error.said or name is None or name.split()[0] not in known:
        return error
    return ConfigError(name, error.value, error.expected)


def _options(command: click.Command | None) -> list[click.Option]:
    parameters = command.params if command else []
    return [one for one in parameters if isinstance(one, click.Option)]
