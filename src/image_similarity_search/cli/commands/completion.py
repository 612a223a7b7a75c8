"""``iss completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from image_similarity_search.cli import output


@click.command(
    "completion",
    epilog="""\b
Examples:
  iss completion bash >> ~/.bashrc
  iss completion zsh >> ~/.zshrc
  iss completion fish > ~/.config/fish/completions/iss.fish
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - click has all three
    script = completion(context.find_root().command, {}, "iss", "_ISS_COMPLETE").source()
    output.write_text(script)
