"""Tables as JSON: an object in each line, or one list of objects."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from batchsel.core.filesystem.json_text import parse_json
from batchsel.data.formats.delimited import TextTable
from batchsel.data.formats.text_files import open_text
from batchsel.errors import UserError, shorten

SUFFIXES = tuple(kind + packed for kind in (".jsonl", ".ndjson", ".json") for packed in ("", ".gz"))


def read_json_table(path: Path) -> TextTable:
    r"""Read objects as the rows of a table of texts; a key that an object lacks, and null, are empty there.

    Args:
        path: The file, possibly compressed.

    Raises:
        UserError: If it cannot be read, or holds something else; the message names the line or object.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "mine.jsonl")
        ...     _ = path.write_text('{"length": 1.5, "kind": "a"}\n{"kind": null}\n')
        ...     table = read_json_table(path)
        >>> table.names, table.columns
        (('length', 'kind'), (('1.5', ''), ('a', '')))
    """
    rows: list[dict[str, str]] = []
    with open_text(path) as file:
        for place, value in _values(file, path):
            if not isinstance(value, dict):
                raise UserError(f"{path}, {place}: expected a JSON object, got {shorten(repr(value))}.")
            rows.append({name: _to_text(item, f"{path}, {place}, {name!r}") for name, item in value.items()})
    names = tuple(dict.fromkeys(itertools.chain.from_iterable(rows)))
    if not names:
        raise UserError(f"{path} holds no rows. Expected a JSON object for each sample.")
    return TextTable(names, tuple(tuple(row.get(name, "") for row in rows) for name in names))


def _values(file: TextIO, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the place and the value of each row."""
    lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
    first = next(lines, (0, ""))
    if first[1].lstrip().startswith("["):
        whole = _parse(first[1] + file.read(), f"{path}")
        yield from ((f"object {number}", value) for number, value in enumerate(whole))
    elif first[1]:
        for number, line in itertools.chain([first], lines):
            yield f"line {number}", _parse(line, f"{path}, line {number}")


def _parse(text: str, where: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise UserError(
            f"{where}: not JSON ({shorten(str(error))}). Expected an object in each line, or one list of objects."
        ) from error


def _to_text(value: Any, where: str) -> str:
    if isinstance(value, dict | list):
        raise UserError(
            f"{where} is {'an object' if isinstance(value, dict) else 'a list'}. Expected numbers or texts."
        )
    return "" if value is None else str(value)
