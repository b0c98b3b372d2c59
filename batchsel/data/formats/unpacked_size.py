"""Bound what compressed files unpack to, so that a small file cannot fill the memory."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, Any

from batchsel.core.filesystem.byte_sizes import format_bytes
from batchsel.errors import UserError

LARGEST = 1 << 24
"""Bytes that any file may unpack to."""
RATIO = 200
"""Beyond `LARGEST`, a file may unpack to so many times its size; text and tables shrink to a third or a tenth."""


def largest_unpacked(packed: int) -> int:
    """Return the number of bytes that a file of a size may unpack to.

    Args:
        packed: Bytes of the compressed file.

    Example:
        >>> largest_unpacked(2**30) // 2**30
        200
    """
    return max(LARGEST, RATIO * packed)


def check_unpacked_size(
    path: Path, size: int, packed: int, remedy: str = "unpack it, and name the file itself"
) -> None:
    """Reject what is far larger unpacked than any real data: a file of zeros shrinks to a thousandth or less.

    Args:
        path: The compressed file, for the message.
        size: Bytes unpacked, or unpacked so far.
        packed: Bytes of the compressed file.
        remedy: Advice, the end of the message.

    Raises:
        UserError: If there are more than `LARGEST` and more than `RATIO` times those of the file.

    Example:
        >>> check_unpacked_size(Path("mine.csv.gz"), 2**40, 2**38)
        >>> check_unpacked_size(Path("mine.csv.gz"), 2**40, 2**20)
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine.csv.gz unpacks to more than 16.8 MB and 200 times its size, which looks ...
    """
    if size > largest_unpacked(packed):
        raise UserError(
            f"{path} unpacks to more than {format_bytes(LARGEST)} and {RATIO} times its size, which looks like a file"
            f" made to fill the memory. If it is what you want, {remedy}."
        )


def bound_unpacked(stream: Any, path: Path) -> IO[bytes]:
    """Return a stream that fails where a file unpacks to more than `check_unpacked_size` allows.

    Args:
        stream: Stream of the unpacked bytes.
        path: The compressed file.
    """
    return io.BufferedReader(_Counted(stream, path), 1 << 16)


class _Counted(io.RawIOBase):
    """Stream that counts the bytes read from another one."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream, self._path = stream, path
        self._read, self._packed = 0, os.path.getsize(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._read += len(data)
        check_unpacked_size(self._path, self._read, self._packed)
        buffer[: len(data)] = data
        return len(data)
