"""Checksum over a whole npz file, kept in the comment at its end, because zip's own cover only part of a file."""

from __future__ import annotations

import hashlib
import os
import struct
from typing import BinaryIO

_MAGIC = b"batchsel sha256 "
_DIGEST_BYTES = hashlib.sha256().digest_size * 2
_COMMENT_BYTES = len(_MAGIC) + _DIGEST_BYTES
_END_RECORD = struct.Struct("<4s4H2LH")


def append(file: BinaryIO) -> None:
    """Append the checksum to a complete zip file.

    Args:
        file: The file, open for reading and writing; it has no comment yet.

    Example:
        >>> import io, zipfile
        >>> file = io.BytesIO()
        >>> with zipfile.ZipFile(file, "w") as archive:
        ...     archive.writestr("a", "some text")
        >>> append(file); verify(file), zipfile.ZipFile(file).testzip()
        (True, None)
        >>> file.getbuffer()[3] ^= 1
        >>> verify(file)
        Traceback (most recent call last):
        ValueError: its checksum does not match its content
    """
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", _COMMENT_BYTES))
    file.write(_MAGIC)
    digest = _digest(file, file.tell())
    file.seek(0, os.SEEK_END)
    file.write(digest)


def verify(file: BinaryIO) -> bool:
    """Compare the content of a file with its checksum.

    Args:
        file: The file, open for reading.

    Returns:
        False if the file has no checksum.

    Raises:
        ValueError: If they differ.
    """
    size = file.seek(0, os.SEEK_END)
    if size < _COMMENT_BYTES:
        return False
    file.seek(-_COMMENT_BYTES, os.SEEK_END)
    comment = file.read(_COMMENT_BYTES)
    if not comment.startswith(_MAGIC):
        return False
    if comment[len(_MAGIC) :] != _digest(file, size - _DIGEST_BYTES):
        raise ValueError("its checksum does not match its content")
    return True


def count_members(file: BinaryIO) -> int:
    """Return the number of members that the last record of a zip file without a comment states.

    A damaged directory may list fewer, without any other sign.

    Args:
        file: The file, open for reading.

    Raises:
        ValueError: If the record is not where it belongs.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_RECORD.size))
    record = file.read()
    if len(record) < _END_RECORD.size or not record.startswith(b"PK\5\6") or record[-2:] != b"\0\0":
        raise ValueError("its end is missing")
    return int(_END_RECORD.unpack(record)[4])


def _digest(file: BinaryIO, size: int) -> bytes:
    """Return the checksum of the first bytes of a file, in hexadecimal digits."""
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (block := file.read(min(size, 1 << 20))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()
