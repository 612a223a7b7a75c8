"""The subcommands of ``iss``: a module each, whose ``command`` is a click command."""
