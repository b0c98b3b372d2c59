"""Read arrays of numbers from MATLAB files of version 5 to 7.2.

SciPy reads them too, but a single wrong byte in a file can end its process (a segmentation fault for an unknown type of
values, in 1.17), where a reader of downloads must refuse. The format is described in *MAT-File Format*, The MathWorks.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from batchsel.core.filesystem.reading import DAMAGED, reading
from batchsel.data.formats.unpacked_size import check_unpacked_size, largest_unpacked

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of stored values, which are often smaller than those of the array."""
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = 0x800


def read_matlab(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read arrays of real numbers by name.

    Args:
        path: The file.
        names: Names of the arrays.

    Returns:
        The arrays, in the byte order of this machine.

    Raises:
        UserError: If the file is damaged, of another version, or lacks an array of numbers.

    Example:
        >>> from io import BytesIO
        >>> from tempfile import TemporaryDirectory
        >>> from scipy.io import savemat
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.mat")
        ...     savemat(path, {"x": np.eye(2), "name": "text"})
        ...     read_matlab(path, ["x"])
        {'x': array([[1., 0.],
           [0., 1.]])}
    """
    with reading(path, DAMAGED):
        raw = path.read_bytes()
        order = {b"IM": "<", b"MI": ">"}.get(raw[126:_HEADER])
        if order is None:
            raise ValueError("it is not a MATLAB file of version 5 to 7.2")
        found = {}
        for kind, data in _elements(memoryview(raw)[_HEADER:], order):
            if kind == _COMPRESSED:
                kind, data = next(_elements(memoryview(_decompress(data, path)), order))
            if kind == _MATRIX:
                name, array = _parse_matrix(data, order, names)
                if array is not None:
                    found[name] = array
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(f"it has no array of real numbers {', '.join(missing)}")
        return found


def _elements(raw: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield types and contents of the elements in a part of the file."""
    start = 0
    while start < len(raw):
        if start + 8 > len(raw):
            raise ValueError("it ends within a tag")
        kind, size = np.frombuffer(raw, f"{order}u4", 2, start).tolist()
        # Up to four bytes are stored in the tag itself.
        first, end = start + 8, start + 8 + size
        if kind >> 16:
            kind, size = kind & 0xFFFF, kind >> 16
            first, end = start + 4, start + 4 + size
        if end > len(raw):
            raise ValueError(f"an element of {size} bytes exceeds it")
        yield kind, raw[first:end]
        start = end if kind == _COMPRESSED else start + 8 + math.ceil((end - start - 8) / 8) * 8


def _decompress(data: memoryview, path: Path) -> bytes:
    stream = zlib.decompressobj()
    largest = largest_unpacked(len(data))
    content = stream.decompress(data, largest + 1)
    check_unpacked_size(path, len(content), len(data))
    if not stream.eof:
        raise ValueError("a compressed element is truncated")
    return content


def _parse_matrix(data: memoryview, order: str, names: Sequence[str]) -> tuple[str, np.ndarray | None]:
    """Return the name of an array, and its values if it is one of the names and holds real numbers."""
    elements = _elements(data, order)
    (_, flags), (_, lengths), (_, letters) = next(elements), next(elements), next(elements)
    name = bytes(letters).decode("latin-1")
    flag = int(np.frombuffer(flags, f"{order}u4")[0])
    if name not in names or flag & 0xFF not in _CLASSES or flag & _COMPLEX:
        return name, None
    kind, values = next(elements)
    stored = np.frombuffer(values, order + _VALUES[kind])
    shape = np.frombuffer(lengths, f"{order}i4").tolist()
    if min(shape) < 0:
        raise ValueError(f"the array {name} has the shape {shape}")
    return name, stored.reshape(shape, order="F").astype(_CLASSES[flag & 0xFF], copy=False)
