"""Files of results: whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchsel.errors import UserError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A name beside a file to write to; the file is replaced only when all went well.

    Args:
        path: The file to be written.

    Yields:
        A path in the same folder with the same ending.

    Raises:
        UserError: If the folder is missing or not writable, or the disk is full. What was there stays.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with atomic_write(Path(folder, "a.txt")) as beside:
        ...         _ = beside.write_text("done")
        ...     Path(folder, "a.txt").read_text(), len(os.listdir(folder))
        ('done', 1)
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        try:
            yield beside
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}. What was there is unharmed; name a file in a folder "
            "that exists, is writable and has space."
        ) from error
