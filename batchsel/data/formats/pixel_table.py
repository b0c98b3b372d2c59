"""Tables with a column for each pixel, as in the well-known `mnist_train.csv`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from batchsel.core.filesystem.reading import reading
from batchsel.data.formats.delimited import Header
from batchsel.data.formats.text_files import open_unpacked
from batchsel.errors import UserError

_PIXEL = re.compile(r"pixel_?\d+|\d+x\d+|px?_?\d+", re.IGNORECASE)

_BYTE = re.compile(r"[01]?\d?\d|2[0-4]\d|25[0-5]")
_FEWEST = 64
"""Fewest columns without names that are pixels."""


def are_pixels(columns: Sequence[str]) -> bool:
    """Return whether columns have the names of pixels.

    Example:
        >>> are_pixels(["pixel0", "pixel1"]), are_pixels(["1x1", "1x2"]), are_pixels(["length"]), are_pixels([])
        (True, True, False, False)
    """
    return bool(columns) and all(map(_PIXEL.fullmatch, columns))


def are_unnamed_pixels(header: Header, label: str) -> bool:
    """Return whether the columns of a table without names are pixels: bytes that make a square, 8 by 8 at least.

    Args:
        header: Its first line.
        label: Number of the column of the label.

    Example:
        >>> numbers = tuple(map(str, range(65)))
        >>> are_unnamed_pixels(Header(list(numbers), ",", 0, numbers), "1")
        True
    """
    values = [value for name, value in zip(header.names, header.first, strict=True) if name != label]
    squares = [channels for channels in (1, 3) if math.isqrt(len(values) // channels) ** 2 * channels == len(values)]
    return len(values) >= _FEWEST and bool(squares) and all(map(_BYTE.fullmatch, values))


def read_pixels(file: Path, header: Header, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Read images, one a line.

    Args:
        file: CSV or TSV, possibly compressed.
        header: Its first line.
        label: Name of the column of the label; the others are pixels, row by row, channels side by side.

    Returns:
        ``uint8[n, side, side, channels]`` images and ``object[n]`` labels as they are written.

    Raises:
        UserError: If the file cannot be read, pixels are no bytes, or they make no square.
    """
    import pyarrow
    import pyarrow.csv

    options = pyarrow.csv.ConvertOptions(
        column_types={column: pyarrow.string() if column == label else pyarrow.int16() for column in header.names},
        strings_can_be_null=False,
    )
    parse = pyarrow.csv.ParseOptions(delimiter=header.delimiter)
    read = pyarrow.csv.ReadOptions(column_names=header.names, skip_rows=header.lines)
    remedy = "Each line has the label and a number from 0 to 255 for each pixel."
    with reading(file, "is not a table of pixels", remedy), open_unpacked(file) as unpacked:
        table = pyarrow.csv.read_csv(unpacked, read, parse, options)
    pixels = [table.column(column) for column in header.names if column != label]
    if any(column.null_count for column in pixels):
        raise UserError(f"{file} has empty pixels. Each pixel is a number from 0 to 255.")
    x = np.empty((table.num_rows, len(pixels)), np.int16)
    for place, column in enumerate(pixels):
        x[:, place] = column.to_numpy()
    if x.size and not 0 <= x.min() <= x.max() <= 255:
        raise UserError(f"{file} has the pixels {x.min()} to {x.max()}. Each pixel is a number from 0 to 255.")
    shape = _image_shape(len(pixels), file)
    return x.astype(np.uint8).reshape(-1, *shape), np.array(table.column(label).to_pylist(), object)


def _image_shape(pixels: int, file: Path) -> tuple[int, int, int]:
    for channels in (1, 3):
        side = math.isqrt(pixels // channels)
        if side * side * channels == pixels:
            return side, side, channels
    raise UserError(f"{file} has {pixels} pixels, which make no square, gray or of three channels.")
