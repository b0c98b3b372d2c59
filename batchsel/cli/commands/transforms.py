"""`batchsel augmentations` and `batchsel curricula`: list and show transforms of training samples."""

from __future__ import annotations

import click

from batchsel.cli.support.registry_commands import Catalog, list_command, show_command

_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=_HELP, epilog="\b\nExample:\n  batchsel augmentations show crop")
def augmentations() -> None:
    """List and show augmentations."""


@click.group(context_settings=_HELP, epilog="\b\nExample:\n  batchsel curricula show blur")
def curricula() -> None:
    """List and show curricula."""


def _augmentations() -> Catalog:
    from batchsel.transforms.augmentation.registry import REGISTRY

    return Catalog(REGISTRY.entries(), REGISTRY.doc)


def _curricula() -> Catalog:
    from batchsel.transforms.curricula.registry import REGISTRY

    return Catalog(REGISTRY.entries(), REGISTRY.doc)


augmentations.add_command(
    list_command(
        "augmentations",
        _augmentations,
        note="Join them with bars, as in --augment 'crop(4) | flip | erasing(0.25)'; or use ./mine.py:augment.",
    )
)
augmentations.add_command(show_command("augmentations", "an augmentation", _augmentations, example="erasing"))
curricula.add_command(
    list_command(
        "curricula",
        _curricula,
        note="Join them with bars, as in --curriculum 'blur(until=0.2) | resolution(0.5)'; or use ./mine.py:Mine.",
    )
)
curricula.add_command(show_command("curricula", "a curriculum", _curricula, example="resolution"))
