"""Read the file of a user table by its suffix: CSV, TSV, Parquet or JSON."""

from __future__ import annotations

from pathlib import Path

from batchsel.data.formats import json_table
from batchsel.data.formats.delimited import TextTable, read_delimited
from batchsel.data.formats.number_text import is_number
from batchsel.data.formats.parquet import read_parquet
from batchsel.data.user.table_reference import LINES, SUFFIXES, TableReference
from batchsel.errors import UsageError

SPLIT_SUFFIXES = (*SUFFIXES, *LINES)
"""Suffixes of all tables."""


def has_lines(path: Path) -> bool:
    """Return whether a table is text with a delimiter, whose first lines can be looked at.

    Example:
        >>> has_lines(Path("my.csv.gz")), has_lines(Path("my.parquet")), has_lines(Path("my.jsonl"))
        (True, False, False)
    """
    return not path.name.lower().endswith((".parquet", *json_table.SUFFIXES))


def read_table(path: Path, reference: TableReference) -> TextTable:
    """Read a table of texts.

    Args:
        path: The file.
        reference: How it is to be read.

    Raises:
        UserError: If it cannot be read, or its form has no delimiter, decimal signs or first line that are stated.
    """
    if has_lines(path):
        return read_delimited(path, delimiter=reference.delimiter, header=reference.header)
    if reference.delimiter or reference.decimal or not reference.header:
        form = "a Parquet" if path.suffix.lower() == ".parquet" else "a JSON"
        raise UsageError(f"{path} is {form} file, which has neither delimiter nor decimal signs. Leave them out.")
    return read_parquet(path) if path.suffix.lower() == ".parquet" else json_table.read_json_table(path)


def header_hint(reference: TableReference, names: tuple[str, ...]) -> str:
    """Return what to do if the first line of a table may be a sample, for the end of a message; else "".

    Args:
        reference: How the table was read.
        names: Names of its columns.

    Example:
        >>> header_hint(TableReference("my.csv", "kind"), ("5.1", "3.5", "setosa"))
        " If the first line is a sample, number the columns from 1 on, as in 'my.csv:header=no:3'."
    """
    if not (reference.header and any(map(is_number, names))):
        return ""
    named = f"{reference.path}:header=no:{len(names)}"
    return f" If the first line is a sample, number the columns from 1 on, as in {named!r}."
