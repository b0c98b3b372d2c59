"""`batchsel curricula`: what samples may look like over time."""

from __future__ import annotations

import click

from batchsel.cli.support.registry_commands import print_name, print_names

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel curricula show blur",
)
def curricula() -> None:
    """List and show curricula."""


@curricula.command("list", epilog="\b\nExample:\n  batchsel curricula list --json")
@_as_json
def list_curricula(as_json: bool) -> None:
    """List all curricula."""
    from batchsel.transforms.curricula.registry import REGISTRY

    note = "Joined by bars, as in --curriculum 'blur(until=0.2) | resolution(0.5)'; also ./mine.py:Mine."
    print_names(REGISTRY.targets(), REGISTRY.doc, "curricula", note, as_json)


@curricula.command("show", epilog="\b\nExample:\n  batchsel curricula show resolution")
@click.argument("name")
@_as_json
def show_curriculum(name: str, as_json: bool) -> None:
    """Show what a curriculum does, where it comes from, and its parameters."""
    from batchsel.transforms.curricula.registry import REGISTRY

    print_name(name, REGISTRY.doc(name), as_json)
