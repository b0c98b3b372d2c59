"""Read the idx format of the MNIST family: a magic number, lengths, and values.

Bytes 0 and 1 are zero, byte 2 is the type, byte 3 the number of axes; the lengths of the axes follow as big-endian
32-bit numbers. Described by Y. LeCun, C. Cortes and C. Burges with the MNIST database.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from batchsel.core.filesystem.reading import reading
from batchsel.data.formats.unpacked_size import check_unpacked_size
from batchsel.errors import UserError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
_GZIP_RATIO = 1032  # deflate cannot pack more tightly


def read_idx(path: Path) -> np.ndarray:
    """Read an idx file, plain or compressed with gzip, whatever its name.

    Returns:
        The array, in the byte order of this machine; not writable.

    Raises:
        UserError: If the magic number or type is wrong, or the file is shorter or longer than its lengths say.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels-idx1-ubyte")
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
        ...     read_idx(path)
        array([7, 2, 1], dtype=uint8)
    """
    with reading(path, "is not a whole idx file"), path.open("rb") as file:
        compressed = file.read(2) == _GZIP
        limit = file.seek(0, os.SEEK_END) * (_GZIP_RATIO if compressed else 1)
        file.seek(0)
        try:
            return _read(gzip.GzipFile(fileobj=file) if compressed else file, limit, path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _broken(path, f"its gzip stream is damaged or truncated ({error})") from error


def _read(stream: IO[bytes] | gzip.GzipFile, limit: int, path: Path) -> np.ndarray:
    header = stream.read(4)
    if len(header) < 4 or header[:2] != b"\0\0" or header[2] not in _TYPES or not header[3]:
        raise _broken(path, f"it begins with the bytes {header.hex(' ') or '(none)'}, not an idx magic number")
    lengths = stream.read(4 * header[3])
    if len(lengths) < 4 * header[3]:
        raise _broken(path, f"it ends within the lengths of its {header[3]} axes")
    shape = struct.unpack(f">{header[3]}I", lengths)
    kind = np.dtype(_TYPES[header[2]])
    expected = math.prod(shape) * kind.itemsize
    # Lengths that the file cannot hold are not read, because a read reserves its memory first.
    values = b""
    if expected <= limit:
        check_unpacked_size(path, expected, path.stat().st_size)
        values = stream.read(expected)
    if len(values) < expected:
        raise _broken(path, f"its shape {shape} needs {expected} bytes of values, but the file is truncated")
    if stream.read(1):
        raise _broken(path, f"its shape {shape} needs {expected} bytes of values, but more follow")
    return np.frombuffer(values, kind).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def _broken(path: Path, how: str) -> UserError:
    return UserError(f"{path} is not a whole idx file: {how}. Delete it and download it again.")
