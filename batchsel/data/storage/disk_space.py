"""Check free disk space before it is needed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import IO

from batchsel.core.filesystem.byte_sizes import format_bytes
from batchsel.errors import UserError

_BLOCK = 1 << 20
_NO_RESERVATION = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""Answers of file systems that cannot reserve space."""


def reserve_space(file: IO[bytes], count: int) -> None:
    """Reserve disk space for the bytes that will be written to a file, so that a full disk ends the work at its start.

    Args:
        file: A file open for writing, at its end, where it stays.
        count: Number of bytes that will be written from there on.

    Raises:
        OSError: If the disk has no space for them.

    Example:
        >>> from tempfile import TemporaryFile
        >>> with TemporaryFile() as file:
        ...     reserve_space(file, 1000)
        ...     file.tell(), os.fstat(file.fileno()).st_size
        (0, 1000)
    """
    if count < 1:
        return
    file.flush()
    start = file.tell()
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), start, count)
        except OSError as error:
            if error.errno not in _NO_RESERVATION:
                raise
        else:
            return
    for done in range(0, count, _BLOCK):
        file.write(bytes(min(_BLOCK, count - done)))
    file.flush()
    file.seek(start)


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
