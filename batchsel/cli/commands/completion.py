"""`batchsel completion`: the line that switches on completion in a shell."""

from __future__ import annotations

import click

_LINES = {
    "bash": 'eval "$(_BATCHSEL_COMPLETE=bash_source batchsel)"',
    "zsh": 'eval "$(_BATCHSEL_COMPLETE=zsh_source batchsel)"',
    "fish": "_BATCHSEL_COMPLETE=fish_source batchsel | source",
}


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel completion bash >> ~/.bashrc",
)
@click.argument("shell", type=click.Choice(sorted(_LINES)))
def completion(shell: str) -> None:
    """Print the line to put into the start-up file of SHELL."""
    click.echo(_LINES[shell])
