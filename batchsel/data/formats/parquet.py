"""Read Parquet files as tables of texts, by pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from batchsel.core.filesystem.reading import reading
from batchsel.data.formats.delimited import TextTable
from batchsel.data.formats.unpacked_size import check_unpacked_size
from batchsel.errors import UserError

_REMEDY = "Expected a whole Parquet file; write or download it again."
_REMEDY_LARGE = "save it as CSV"


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> TextTable:
    """Read a Parquet file as a table of texts.

    Args:
        path: The file.
        columns: Names of the columns to read; None for all.

    Raises:
        UserError: If it cannot be read, or a column holds values that Python cannot, such as dates after the year
            9999; the message names the column.

    Example:
        >>> read_parquet(Path("/nowhere.parquet"))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere.parquet: No such file or directory. Check ...
    """
    import pyarrow.parquet

    failed = "cannot be read as Parquet"
    with reading(path, failed, _REMEDY), path.open("rb") as opened, pyarrow.parquet.ParquetFile(opened) as file:
        there = file.schema_arrow.names
        some = there if columns is None else [name for name in columns if name in there]
        # Runs of equal values are stored as one. A cell takes a byte at least, and much more as text.
        check_unpacked_size(path, file.metadata.num_rows * len(some), path.stat().st_size, _REMEDY_LARGE)
        table = file.read(None if columns is None else some)
        table.validate()
        check_unpacked_size(path, table.nbytes, path.stat().st_size, _REMEDY_LARGE)
        if not table.num_rows:
            raise UserError(f"{path} has no rows. Expected one for each sample.")
    return TextTable(tuple(table.column_names), tuple(map(_to_texts, table.column_names, table.columns, repeat(path))))


def _to_texts(name: str, column: Any, path: Path) -> tuple[str, ...]:
    failed = f"has the column {name!r} of the type {column.type}, whose values cannot be written as text"
    with reading(path, failed, "Save it as numbers, or as text in UTF-8, or leave it out."):
        column.validate(full=True)
        return tuple("" if value is None else str(value) for value in column.to_pylist())
