"""Check free disk space before it is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from batchsel.errors import UserError


def format_bytes(count: int) -> str:
    """Return a number of bytes with a unit, in powers of a thousand, with at most four digits.

    Example:
        >>> format_bytes(512), format_bytes(29_515), format_bytes(170_052_171)
        ('512 B', '29.5 kB', '170.1 MB')
    """
    if count < 1000:
        return f"{count} B"
    amount = count / 1000
    for unit in ("kB", "MB", "GB"):
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def check_disk_space(
    folder: Path, needed: int, what: str, remedy: str = "another folder with --data-dir or BATCHSEL_DATA"
) -> None:
    """Reject what would not fit on the disk.

    Args:
        folder: Where it will be written; if it does not exist, its nearest parent that does is checked.
        needed: Number of bytes still to be written.
        what: Name of what will be written, the subject of the message.
        remedy: Alternative to this folder, for the message.

    Raises:
        UserError: If fewer bytes are free.

    Example:
        >>> check_disk_space(Path("/nowhere/mnist"), 10**18, "train.gz")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: train.gz needs 1000000.0 TB in /nowhere/mnist, where ... are free. ...
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"{what} needs {format_bytes(needed)} in {folder}, where {format_bytes(free)} are free. Free space, or "
            f"name {remedy}."
        )
