"""Read Parquet files as tables of texts, by pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from batchsel.data.formats.delimited import TextTable
from batchsel.errors import UserError


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> TextTable:
    """Read a Parquet file as a table of texts.

    Args:
        path: The file.
        columns: Names of the columns to read; None for all.

    Raises:
        UserError: If it cannot be read.

    Example:
        >>> read_parquet(Path("/nowhere.parquet"))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere.parquet as Parquet: ...
    """
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            there = file.schema_arrow.names
            some = None if columns is None else [name for name in columns if name in there]
            table = file.read(some)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise UserError(f"cannot read {path} as Parquet: {error}.") from error
    texts = (["" if value is None else str(value) for value in column.to_pylist()] for column in table.columns)
    return TextTable(tuple(table.column_names), tuple(map(tuple, texts)))
