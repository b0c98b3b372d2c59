"""Fetching a data set from the command line: how much there is to come, and what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from batchsel.cards.schema import DatasetCard


def fetch(card: DatasetCard, data_dir: Path | None, offline: bool) -> dict[str, Any]:
    """Downloads what is missing of a data set, with remarks and progress on standard error.

    Args:
        card: The card of the data set.
        data_dir: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.
        offline: Whether downloads are forbidden.

    Returns:
        Its name, in which form it is there, and its folder.

    Raises:
        UserError: If a file cannot be had, or has to be put there by hand.

    Example:
        >>> from batchsel import cards
        >>> fetch(cards.load("datasets", "iris"), Path("/nowhere"), offline=True)
        {'name': 'iris', 'found': 'no files needed', 'path': '/nowhere/iris'}
    """
    from batchsel import data
    from batchsel.data.download.progress import download_progress

    missing = missing_bytes(card, data_dir)
    if missing and not offline:
        click.echo(f"{card.name}: {wanted(missing)}", err=True)
    try:
        found = data.download(card, folder=data_dir, offline=offline, progress=download_progress)
    except KeyboardInterrupt:
        click.echo(f"{card.name}: what came is kept; the next fetch goes on from there", err=True)
        raise
    return {"name": card.name, "found": found, "path": str(data.data_folder(card.folder, data_dir))}


def missing_bytes(card: DatasetCard, data_dir: Path | None) -> int | None:
    """How much there is to download.

    Args:
        card: The card of the data set.
        data_dir: Folder with one folder for each data set; else BATCHSEL_DATA, else the user's cache.

    Returns:
        Bytes, 0 if the data are there in any form; None where the card does not say, or they come by hand.

    Example:
        >>> from batchsel import cards
        >>> missing_bytes(cards.load("datasets", "mnist"), Path("/nowhere"))
        11594722
    """
    from batchsel import data

    if data.find(card, folder=data_dir):
        return 0
    return data.DataFolder(data.data_folder(card.folder, data_dir)).missing_bytes(card.files) if card.files else None


def wanted(missing: int | None) -> str:
    """What is said of data that can be downloaded.

    Args:
        missing: Bytes, if known.

    Returns:
        Words.

    Example:
        >>> wanted(11_594_722), wanted(None)
        ('11.6 MB to be fetched', 'to be fetched')
    """
    from batchsel.data.download.disk_space import size_text

    return f"{size_text(missing)} to be fetched" if missing else "to be fetched"
