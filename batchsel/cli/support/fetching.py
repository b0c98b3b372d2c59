"""Fetch a data set from the command line, with sizes and progress on standard error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from batchsel.cards.schema import DatasetCard


def fetch(card: DatasetCard, data_dir: Path | None, offline: bool) -> dict[str, Any]:
    """Download the missing files of a data set, with notes and progress on standard error.

    Args:
        card: The card of the data set.
        data_dir: Folder with one folder for each data set; else BATCHSEL_DATA, else the user cache.
        offline: Whether downloads are forbidden.

    Returns:
        Its name, the form it was found in, and its folder.

    Raises:
        UserError: If a file cannot be downloaded, or has to be put there by hand.

    Example:
        >>> from batchsel import cards
        >>> fetch(cards.load("datasets", "iris"), Path("/nowhere"), offline=True)
        {'name': 'iris', 'found': 'no files needed', 'path': '/nowhere/iris'}
    """
    from batchsel import data
    from batchsel.data.storage.progress import download_progress

    missing = missing_bytes(card, data_dir)
    if missing and not offline:
        click.echo(f"{card.name}: {describe_missing(missing)}", err=True)
    try:
        found = data.download(card, folder=data_dir, offline=offline, progress=download_progress)
    except KeyboardInterrupt:
        click.echo(f"{card.name}: the part downloaded so far is kept; the next fetch resumes from there", err=True)
        raise
    return {"name": card.name, "found": found, "path": str(data.data_folder(card.folder, data_dir))}


def missing_bytes(card: DatasetCard, data_dir: Path | None) -> int | None:
    """Return the number of bytes to download.

    Args:
        card: The card of the data set.
        data_dir: Folder with one folder for each data set; else BATCHSEL_DATA, else the user cache.

    Returns:
        Bytes, 0 if the data are there in any form; None if the card does not say, or they come by hand.

    Example:
        >>> from batchsel import cards
        >>> missing_bytes(cards.load("datasets", "mnist"), Path("/nowhere"))
        11594722
    """
    from batchsel import data

    if data.find(card, folder=data_dir):
        return 0
    return data.DataFolder(data.data_folder(card.folder, data_dir)).missing_bytes(card.files) if card.files else None


def describe_missing(missing: int | None) -> str:
    """Return a note on data that can be downloaded, with their size in bytes if known.

    Example:
        >>> describe_missing(11_594_722), describe_missing(None)
        ('11.6 MB to be fetched', 'to be fetched')
    """
    from batchsel.core.filesystem.byte_sizes import format_bytes

    return f"{format_bytes(missing)} to be fetched" if missing else "to be fetched"
