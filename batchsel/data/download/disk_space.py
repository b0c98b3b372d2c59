"""Room on the disk, asked for before it is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from batchsel.errors import UserError


def size_text(count: int) -> str:
    """A number of bytes as people say it.

    Args:
        count: Bytes.

    Returns:
        At most four digits and a unit, in powers of a thousand as disks are sold.

    Example:
        >>> size_text(512), size_text(29_515), size_text(170_052_171)
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


def check_space(
    folder: Path, needed: int, what: str, remedy: str = "another folder with --data-dir or BATCHSEL_DATA"
) -> None:
    """Refuses what would not fit on the disk.

    Args:
        folder: Where it is to be written; the nearest folder above that exists is asked.
        needed: Bytes that are still to be written.
        what: What is to be written, the subject of the message.
        remedy: What can be named instead of this folder.

    Raises:
        UserError: If fewer bytes are free.

    Example:
        >>> check_space(Path("/nowhere/mnist"), 10**18, "train.gz")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: train.gz needs 1000000.0 TB in /nowhere/mnist, where ... are free. ...
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"{what} needs {size_text(needed)} in {folder}, where {size_text(free)} are free. Free space, or name "
            f"{remedy}."
        )
