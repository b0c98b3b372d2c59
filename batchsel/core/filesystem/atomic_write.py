"""Atomic writes: a file of results is complete or not written at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchsel.core.filesystem.temporary import remove_stale, temporary_path
from batchsel.errors import UserError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside a file; the file is replaced only if the block succeeds.

    Temporary files that killed processes left in the folder are removed.

    Args:
        path: The file to write.

    Yields:
        A path in the same folder with the same suffix.

    Raises:
        UserError: If the folder is missing or not writable, or the disk is full. An existing file stays as it was.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with atomic_write(Path(folder, "a.txt")) as temporary:
        ...         _ = temporary.write_text("done")
        ...     Path(folder, "a.txt").read_text(), len(os.listdir(folder))
        ('done', 1)
    """
    remove_stale(path.parent)
    temporary = temporary_path(path)
    try:
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}. An existing file is unharmed. Choose a folder "
            "that exists, is writable and has space."
        ) from error
