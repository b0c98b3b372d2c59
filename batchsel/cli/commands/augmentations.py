"""`batchsel augmentations`: what changes of the training samples there are."""

from __future__ import annotations

import click

from batchsel.cli.support.registry_commands import print_name, print_names

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  batchsel augmentations show crop",
)
def augmentations() -> None:
    """List and show augmentations."""


@augmentations.command("list", epilog="\b\nExample:\n  batchsel augmentations list --json")
@_as_json
def list_augmentations(as_json: bool) -> None:
    """List all augmentations."""
    from batchsel.transforms.augmentation.registry import REGISTRY

    note = "Joined by bars, as in --augment 'crop(4) | flip | erasing(0.25)'; also ./mine.py:augment."
    print_names(REGISTRY.targets(), REGISTRY.doc, "augmentations", note, as_json)


@augmentations.command("show", epilog="\b\nExample:\n  batchsel augmentations show erasing")
@click.argument("name")
@_as_json
def show_augmentation(name: str, as_json: bool) -> None:
    """Show what an augmentation does, where it comes from, and its parameters."""
    from batchsel.transforms.augmentation.registry import REGISTRY

    print_name(name, REGISTRY.doc(name), as_json)
