"""Names of tables: the file, how it is to be read, and the column of its label."""

from __future__ import annotations

import re
from typing import NamedTuple

from batchsel.data.formats.delimited import TextTable
from batchsel.data.formats.number_text import MISSING
from batchsel.errors import UsageError, show

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zip", ".tsv.zip", ".parquet", ".json", ".json.gz")
LINES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
"""Suffixes of JSON lines: with a name after the colon alone they are texts for language models."""
LABEL = "label="
"""Beginning of the name of a label where a name alone has another meaning."""
_FORM = re.compile(
    rf"(?P<path>.*?(?P<suffix>{'|'.join(map(re.escape, (*SUFFIXES, *LINES)))}))"
    r"(?P<options>(?::(?:delimiter|decimal|missing|text|subwords|header)=[^:]*)*)(?::(?P<label>[^:]+))?\Z",
    re.DOTALL | re.IGNORECASE,
)
_DELIMITERS = {"tab": "\t", "semicolon": ";", "comma": ",", "space": " ", "bar": "|"}
_FEWEST_SUBWORDS, _MOST_SUBWORDS = 257, 1 << 20
_WHOLE = re.compile(r"\d{1,9}")
"""Whole numbers of a sane size: Python reads no text of more than 4,300 digits."""


class TableReference(NamedTuple):
    """Name of a table, parsed.

    Example:
        >>> TableReference.parse("./my.csv:decimal=,:missing=-|none:species")
        TableReference(path='./my.csv', label='species', delimiter='', decimal=',', missing=('-', 'none'), ...)
    """

    path: str
    label: str
    delimiter: str = ""
    """Separator of values; empty to find it out."""
    decimal: str = ""
    """"," or "."; empty to find it out."""
    missing: tuple[str, ...] = MISSING
    """Words that mean a missing value, in lower case."""
    text: str = ""
    """Column of texts, which are then all that is used beside the label; empty to find it out."""
    subwords: int = 0
    """Size of a vocabulary of subwords for the texts; 0 for words."""
    header: bool = True
    """False if the first line is a sample; columns are then numbered from 1 on."""

    @classmethod
    def parse(cls, name: str) -> TableReference:
        """Return the parts of a name.

        Args:
            name: As in ``"./my.csv:species"`` or ``"./my.csv:delimiter=;:decimal=,:missing=NA|-999:species"``.

        Raises:
            UsageError: If it is not the name of a table, or an option has no meaning.
        """
        match = _match(name)
        if match is None:
            raise UsageError(f"cannot read {show(name)} as a table and its label column, as in './my.csv:species'.")
        options = dict(option.split("=", 1) for option in match["options"].split(":")[1:])
        delimiter = _DELIMITERS.get(options.get("delimiter", ""), options.get("delimiter", ""))
        decimal, words = options.get("decimal", ""), options.get("missing")
        if len(delimiter) > 1 or ("delimiter" in options and not delimiter):
            raise UsageError(
                f"delimiter of {match['path']} must be one character, 'tab' or 'space', got {show(delimiter)}."
            )
        if decimal not in ("", ".", ","):
            raise UsageError(f"decimal of {match['path']} must be '.' or ',', got {show(decimal)}.")
        if options.get("header", "yes") not in ("yes", "no"):
            raise UsageError(f"header of {match['path']} must be 'yes' or 'no', got {show(options['header'])}.")
        missing = MISSING if words is None else tuple(word.strip().lower() for word in words.split("|") if word.strip())
        count = read_subwords(options.get("subwords", "0"), match["path"])
        label, text = match["label"].removeprefix(LABEL), options.get("text", "")
        header = options.get("header") != "no"
        return cls(match["path"], label, delimiter, decimal, missing, text, count, header)

    def has_comma(self, table: TextTable) -> bool:
        """Return whether numbers of a table may have a decimal comma."""
        return self.decimal == "," or (not self.decimal and table.delimiter != ",")


def read_subwords(text: str, path: str) -> int:
    """Return the size of a vocabulary of subwords that a text states; 0 for words.

    Args:
        text: The number.
        path: The data that it is for, for the message.

    Raises:
        UsageError: If it is not such a number, or out of range.

    Example:
        >>> read_subwords("4000", "my.csv")
        4000
    """
    count = int(text) if _WHOLE.fullmatch(text) else -1
    if text != "0" and not _FEWEST_SUBWORDS <= count <= _MOST_SUBWORDS:
        raise UsageError(
            f"subwords of {path} must be a whole number from {_FEWEST_SUBWORDS} to {_MOST_SUBWORDS}, got {show(text)}."
        )
    return count


def is_table(name: str) -> bool:
    """Return whether the name of a data set is that of a table with its label column.

    Args:
        name: As in ``"./my.csv:species"``.

    Example:
        >>> is_table("./my.csv:species"), is_table("iris"), is_table("./mine.py:load")
        (True, False, False)
        >>> is_table("./my.jsonl:label=species"), is_table("./my.jsonl:text=review:stars"), is_table("./my.jsonl:body")
        (True, True, False)
    """
    return _match(name) is not None


def add_label(name: str, label: str) -> str:
    """Return the name of a table with the column of its label.

    Args:
        name: The file, with options.
        label: The column.

    Example:
        >>> add_label("./my.csv", "species"), add_label("./my.jsonl", "species")
        ('./my.csv:species', './my.jsonl:label=species')
    """
    return f"{name}:{LABEL if name.lower().endswith(LINES) else ''}{label}"


def _match(name: str) -> re.Match[str] | None:
    """Return the parts of the name of a table, or None for anything else."""
    match = _FORM.match(name)
    if match is None or match["label"] is None:
        return None
    is_lines, is_stated = match["suffix"].lower() in LINES, match["label"].startswith(LABEL) or match["options"]
    return None if is_lines and not is_stated else match
