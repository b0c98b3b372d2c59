"""Read CSV and TSV (plain, gzip, zip), with clear errors for damaged files."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.formats.number_text import is_number
from batchsel.data.formats.text_files import open_text
from batchsel.errors import UserError

_SNIFFED = 50
"""Lines after the first that the delimiter is guessed from."""
_SHOWN = 5
_STATED = re.compile(r"sep=(?P<delimiter>.)\s*")
"""First line with which Excel states the delimiter."""
csv.field_size_limit(1 << 24)


class TextTable(NamedTuple):
    """Table of texts.

    Example:
        >>> TextTable(("a", "b"), (("1", "3"), ("2", "4"))).column("b")
        ('2', '4')
    """

    names: tuple[str, ...]
    """Names of the columns."""
    columns: tuple[tuple[str, ...], ...]
    """The values of each column, as written in the file."""
    delimiter: str = ","
    """The separator of values in the file."""

    def column(self, name: str) -> tuple[str, ...]:
        """Return the values of a column.

        Raises:
            UserError: If no column has this name.
        """
        if name not in self.names:
            raise UserError(f"there is no column {name!r}. The columns are {', '.join(self.names)}.")
        return self.columns[self.names.index(name)]


def read_delimited(
    path: Path,
    *,
    names: tuple[str, ...] = (),
    delimiter: str = "",
    encoding: str = "utf-8",
    member: str = "",
    quoted: bool = True,
    header: bool = True,
) -> TextTable:
    r"""Read a table.

    Args:
        path: The file; its content, not its suffix, decides whether it is decompressed.
        names: Names of the columns if the file has none in its first line.
        delimiter: Separator of values; by default a tab if the first line has one, else the one of comma, semicolon and
            bar that divides the first lines into the same number of values.
        encoding: Encoding of the text.
        member: Name of the file in a zip archive; by default the only one.
        quoted: Whether quotation marks enclose values; if not, they are part of the text.
        header: Whether the first line names the columns; if not, they are numbered from 1 on.

    Raises:
        UserError: If it cannot be read, is not text of that encoding, or a line has more or fewer values than the
            first; the message names the line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "table.csv")
        ...     _ = path.write_text("length,kind\n1.5,a\n2.5,b\n")
        ...     read_delimited(path).column("kind")
        ('a', 'b')
    """
    with open_text(path, encoding, member, newline="") as file:
        first = file.readline()
        if stated := _STATED.fullmatch(first):
            first, delimiter = file.readline(), delimiter or stated["delimiter"]
        if not first.strip():
            raise UserError(f"{path}: the first line is empty. Expected a table with one line for each sample.")
        head = [first, *itertools.islice(file, _SNIFFED)]
        delimiter = delimiter or _sniff(head)
        quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        reader = csv.reader(itertools.chain(head, file), delimiter=delimiter, quoting=quoting, strict=True)
        rows = list(_rows(reader, path))
    if not header:
        names = tuple(str(number) for number in range(1, len(rows[0]) + 1))
    names, rows = (names, rows) if names else (tuple(name.strip() for name in rows[0]), rows[1:])
    if not rows:
        raise UserError(f"{path}: there is no line below the names of the columns.")
    if len(names) != len(rows[0]):
        raise UserError(f"{path}: lines of {len(rows[0])} values; expected {len(names)}: {', '.join(names)}.")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        shown = ", ".join(map(repr, twice[:_SHOWN])) + (" and more" if len(twice) > _SHOWN else "")
        hint = (
            f" If the first line is a sample, say header=no, as in '{path}:header=no:1'." if is_number(twice[0]) else ""
        )
        raise UserError(f"{path}: several columns are named {shown}. Give each a name of its own.{hint}")
    return TextTable(names, tuple(zip(*rows, strict=True)), delimiter)


class Header(NamedTuple):
    """First line of a table."""

    names: list[str]
    """Names of the columns."""
    delimiter: str
    lines: int = 1
    """Lines up to the first sample."""
    first: tuple[str, ...] = ()
    """Values of the first line, names or not."""


def read_header(path: Path, delimiter: str = "", header: bool = True) -> Header:
    """Read the first line of a table as `read_delimited` would.

    Args:
        path: The file, possibly compressed.
        delimiter: As for `read_delimited`.
        header: As for `read_delimited`.

    Raises:
        UserError: If it cannot be read.
    """
    with open_text(path, newline="") as file:
        head = list(itertools.islice(file, 1 + _SNIFFED))
    skipped = 0
    if head and (stated := _STATED.fullmatch(head[0])):
        head, delimiter, skipped = head[1:], delimiter or stated["delimiter"], 1
    delimiter = delimiter or (_sniff(head) if head else ",")
    first = tuple(value.strip() for value in next(csv.reader(head, delimiter=delimiter), []))
    names = list(first) if header else [str(number) for number in range(1, len(first) + 1)]
    return Header(names, delimiter, skipped + header, first)


def parse_numbers(values: tuple[str, ...], where: str) -> np.ndarray:
    """Parse texts as numbers.

    Args:
        values: The texts.
        where: Name of the texts, the beginning of the message.

    Returns:
        ``float64[n]``.

    Raises:
        UserError: If one is not a number; the message names it.

    Example:
        >>> parse_numbers(("1", "2.5"), "mine")
        array([1. , 2.5])
    """
    try:
        return np.array(values, np.float64)
    except ValueError:
        row = next(row for row, value in enumerate(values) if not is_number(value))
        raise UserError(f"{where}: {values[row]!r} in row {row} is not a number. Correct it or remove it.") from None


def _rows(reader: Any, path: Path) -> Iterator[list[str]]:
    width = 0
    try:
        for row in reader:
            if not row:
                continue
            width = width or len(row)
            if len(row) != width:
                raise UserError(
                    f"{path}, line {reader.line_num}: {len(row)} values, the first line has {width}. A text with commas"
                    ' must stand in "quotes".'
                )
            yield row
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}.") from error


def _sniff(lines: list[str]) -> str:
    """Return the delimiter that divides lines into the same number of values, and the first into most.

    A semicolon wins over a comma that is as good: few texts hold semicolons in every line, but decimals hold commas.
    """
    if "\t" in lines[0]:
        return "\t"
    counts = {}
    for delimiter in (";", ",", "|"):
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=delimiter) if row}
            first = len(next(csv.reader(lines[:1], delimiter=delimiter)))
        except csv.Error:
            continue
        counts[delimiter] = (first > 1, len(widths) == 1, first)
    best = max(counts, key=lambda delimiter: counts[delimiter], default=",")
    return best if counts and counts[best][0] else ","
