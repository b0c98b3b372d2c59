"""Arrays that grow batch by batch, in memory or in a file without a name."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from batchsel.core.filesystem.byte_sizes import format_bytes
from batchsel.errors import UserError

MEMORY_LIMIT = 1 << 30
"""Bytes that are held in memory; what is larger is written to disk."""


class Column:
    """An array that grows along its first axis.

    Args:
        example: The first rows, which fix the shape and the type; they are not appended.
        folder: Folder of the file, if one is needed.

    Example:
        >>> column = Column(np.zeros([2, 3]), Path("."))
        >>> column.append(np.ones([2, 3])); column.append(np.ones([1, 3]))
        >>> column.array().shape
        (3, 3)
    """

    def __init__(self, example: np.ndarray, folder: Path) -> None:
        self.dtype, self.shape = example.dtype, example.shape[1:]
        self.nbytes = 0
        self._rows = 0
        self._blocks: list[np.ndarray] = []
        self._folder = folder
        self._file: IO[bytes] | None = None

    @property
    def on_disk(self) -> bool:
        """True once the array is on disk."""
        return self._file is not None

    def append(self, rows: np.ndarray) -> None:
        """Append rows.

        Args:
            rows: ``[k, ...]``

        Raises:
            ValueError: If their shape or type differs from that of the first.
            UserError: If the disk is full.
        """
        if rows.shape[1:] != self.shape:
            raise ValueError(f"samples have the shapes {list(self.shape)} and {list(rows.shape[1:])}")
        if rows.dtype != self.dtype:
            if not np.can_cast(rows.dtype, self.dtype, "same_kind"):
                raise ValueError(f"samples are of the types {self.dtype} and {rows.dtype}")
            rows = rows.astype(self.dtype)
        self._rows += len(rows)
        self.nbytes += rows.nbytes
        if self._file is None:
            # A copy: generators may fill the same array again.
            self._blocks.append(np.array(rows))
        else:
            self._write(rows)

    def check_space(self, size: int, name: str) -> None:
        """Check that the disk has space.

        Args:
            size: Bytes that are expected, of all columns together.
            name: Name of the data.

        Raises:
            UserError: If it has not.
        """
        free = shutil.disk_usage(self._folder).free
        if size > free:
            raise UserError(
                f"{name} has about {format_bytes(size)}, more than fits into memory or into {self._folder}, where"
                f" {format_bytes(free)} are free. Free space, set TMPDIR to another folder, or train on a part."
            )

    def move_to_disk(self) -> None:
        """Write the rows so far to a file, and those to come.

        Raises:
            UserError: If the disk is full, or the rows are objects.
        """
        if self._file is not None:
            return
        if self.dtype == object:
            raise UserError("texts of batches are larger than memory; encode them as numbers before they are cached.")
        # The file has no name: it is gone when the process ends, however it ends.
        self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        blocks, self._blocks = self._blocks, []
        for block in blocks:
            self._write(block)

    def array(self) -> np.ndarray:
        """Return the array: a memory map if it is on disk."""
        if self._file is not None:
            self._file.flush()
            mapped = np.memmap(self._file, self.dtype, "r", shape=(self._rows, *self.shape))
            self.close()  # the map keeps what it maps
            return mapped
        blocks, self._blocks = self._blocks, []
        return np.concatenate(blocks)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def _write(self, rows: Any) -> None:
        assert self._file is not None
        try:
            self._file.write(np.ascontiguousarray(rows).data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise UserError(
                f"the disk is full: {self._folder} has no space for the batches that are cached. Free space, set TMPDIR"
                " to another folder, or train on a part."
            ) from error
