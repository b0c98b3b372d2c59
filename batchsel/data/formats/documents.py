"""Read documents: text split at a marker or at empty lines, JSON lines, or columns of a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchsel.core.filesystem.json_text import parse_json
from batchsel.core.filesystem.reading import describe
from batchsel.data.formats.delimited import read_delimited
from batchsel.data.formats.parquet import read_parquet
from batchsel.data.formats.text_files import open_text
from batchsel.errors import UserError

TEXT = (".txt", ".txt.gz", ".txt.zip", ".md")
JSON = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
MARKERS = ("<|endofexample|>", "<|endoftext|>", "<|end|>")
"""Lines that commonly end a document; searched for if no marker is given."""
_WITHIN = MARKERS[:2]
"""Markers that may also stand within lines."""
EACH_LINE = "\n"
"""Marker with which each line is a document."""


def read_documents(path: Path, *, marker: str = "", columns: Sequence[str] = ()) -> list[str]:
    r"""Read the documents of a file, without surrounding whitespace.

    Args:
        path: Text (.txt, .md), JSON lines (.jsonl), or a table (.csv, .tsv, .parquet); plain or compressed with gzip.
        marker: The line that ends a document of a text, blanks around it aside, or what stands between documents
            within lines, if no line is that; by default a common one that occurs, else empty lines. `EACH_LINE` makes
            a document of each line.
        columns: Columns of a table, or keys of JSON objects, that make up a document, joined by line breaks.

    Raises:
        UserError: If the file cannot be read, is not UTF-8, lacks a column, or has an empty document; the message
            names it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "my.txt")
        ...     _ = path.write_text("One.\n\nTwo,\nlonger.\n")
        ...     read_documents(path)
        ['One.', 'Two,\nlonger.']
    """
    name = path.name.lower()
    if name.endswith(JSON):
        documents = _read_json_lines(path, columns or ("text",))
    elif name.endswith(TABLES):
        documents = _read_table(path, columns or ("text",))
    else:
        documents = _read_text(path, marker)
    documents = [document.strip() for document in documents]
    empty = [number for number, document in enumerate(documents) if not document]
    if empty:
        raise UserError(
            f"{path}: {len(empty)} of {len(documents)} documents are empty, the first is number {empty[0]} (from 0)."
            " Remove them."
        )
    if not documents:
        raise UserError(f"{path} holds no text. Expected at least one document.")
    return documents


def first_object(path: Path) -> dict[str, Any]:
    """Return the first object of JSON lines.

    Args:
        path: The file.

    Raises:
        UserError: If the file cannot be read, or its first line is not an object.
    """
    with open_text(path) as file:
        line = next((line for line in file if line.strip()), "")
    try:
        found = parse_json(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{path} does not begin with a JSON object. Expected one in each line, with its text.")
    return found


def _read_text(path: Path, marker: str) -> list[str]:
    with open_text(path) as file:
        text = file.read()
    if "\0" in text:
        raise UserError(f"{path} holds zero bytes: it is not text, or not UTF-8. Save it as UTF-8.")
    lines = text.split("\n")
    if marker == EACH_LINE:
        return [line for line in lines if line.strip()]
    present = {line.strip() for line in lines}
    marker = marker.strip() or next((known for known in MARKERS if known in present), "")
    if marker not in present and marker not in text:
        raise UserError(f"{path}: no line is the marker {marker!r}. Expected the line that ends a document.")
    if within := _marker_within(text) if not marker else marker * (marker not in present):
        return [document for document in text.split(within) if document.strip()]
    documents: list[list[str]] = [[]]
    for line in lines:
        if line.strip() == marker:  # without a marker, an empty line
            documents.append([])
        else:
            documents[-1].append(line)
    # A marker at the beginning, or twice in a row, ends no document.
    return [document for lines in documents if (document := "\n".join(lines)).strip()]


def _marker_within(text: str) -> str:
    """Return the common marker that stands beside texts, as in ``one<|endoftext|>two``, or "".

    Most of them have to begin or end a line, or to touch words on both sides: a sentence may speak of a marker.
    """
    for marker in _WITHIN:
        mark = re.escape(marker)
        beside = re.findall(rf"(?m)^[ \t]*{mark}|{mark}[ \t]*$|(?<=[\w.!?]){mark}(?=\w)", text)
        if text.count(marker) > 1 and len(beside) > text.count(marker) / 2:
            return marker
    return ""


def _read_json_lines(path: Path, keys: Sequence[str]) -> list[str]:
    documents = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                document = "\n".join(parse_json(line)[key] for key in keys)
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"{path}, line {number}: expected a JSON object with the texts {', '.join(keys)}"
                    f" ({describe(error)})."
                ) from error
            documents.append(document)
    return documents


def _read_table(path: Path, columns: Sequence[str]) -> list[str]:
    table = read_parquet(path, columns) if path.suffix.lower() == ".parquet" else read_delimited(path)
    return ["\n".join(values) for values in zip(*map(table.column, columns), strict=True)]
