"""User data on the command line: what `batchsel run --file` names, and the columns of a table."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from batchsel.core.filesystem.reading import shorten_path
from batchsel.errors import UsageError

KINDS = {
    "table": "a table (.csv, .tsv, .parquet, .jsonl) with --label COLUMN",
    "images": "a folder of images, with one folder per class",
    "lm_text": "a text (.txt, .md), optionally followed by a colon and the line that ends its documents, by=line or"
    " by=position; JSON lines (.jsonl:KEY); or a table (.csv, .tsv, .parquet) with --text COLUMN",
}
"""Kinds of user data, and what --file may be for each."""


def user_data_name(kind: str, file: str | None, text: str | None = None) -> str:
    """Return the name under which a user's file or folder is loaded.

    Args:
        kind: Kind of data, of `KINDS`.
        file: The file or folder, or None.
        text: Column or key of the texts, for a language model, or None.

    Raises:
        UsageError: If it is missing, or of another kind.
    """
    from batchsel.data.user.image_folder import is_image_folder
    from batchsel.data.user.table_files import SPLIT_SUFFIXES
    from batchsel.data.user.text import is_text_file

    if file is None:
        if kind == "lm_text":
            return kind
        raise UsageError(f"which {kind}? Give --file {KINDS[kind]}.")
    if kind not in KINDS:
        raise UsageError(f"--file goes with --dataset {', '.join(KINDS)}, not with {kind}. Leave it out.")
    file = file if "/" in file or "\\" in file else f"./{file}"
    if kind == "lm_text" and text:
        file = f"{file}:text={text}"
    checks = {
        "lm_text": is_text_file,
        "images": is_image_folder,
        "table": lambda name: name.lower().endswith(SPLIT_SUFFIXES),
    }
    if not checks[kind](file):
        raise UsageError(f"--file {shorten_path(file)!r}: expected {KINDS[kind]}, as an existing file or folder.")
    return file


class Columns(NamedTuple):
    """Columns of a table that were named as options.

    Attributes:
        label: Column of the label, or None.
        text: Column of the texts to classify, or None.
        subwords: Number of subwords that encode the texts; None for words.
    """

    label: str | None = None
    text: str | None = None
    subwords: int | None = None

    def add_to(self, dataset: str) -> str:
        """Return the name of a data set with these columns, as in ./mine.csv:text=review:label.

        Args:
            dataset: Its name without them.

        Raises:
            UsageError: If it is no table.

        Example:
            >>> Columns(label="y").add_to("./mine.csv")
            './mine.csv:y'
        """
        if self.label:
            dataset = _add_label(dataset, self.label)
        if self.text:
            dataset = _add_option(dataset, "text", self.text)
        return _add_option(dataset, "subwords", self.subwords) if self.subwords else dataset


def column_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add options for the columns of a table; the command receives them as one argument, `columns`.

    Args:
        function: The command.
    """

    @click.option("--label", help="Column of the label, for a CSV, TSV, Parquet or JSON file as data set.")
    @click.option("--text", help="Column of texts to classify, for such a file. [default: the only one of sentences]")
    @click.option("--subwords", type=click.IntRange(257), help="Encode its texts by so many subwords, not by words.")
    @functools.wraps(function)
    def command(*arguments: Any, label: str | None, text: str | None, subwords: int | None, **options: Any) -> Any:
        return function(*arguments, columns=Columns(label, text, subwords), **options)

    return command


def _add_label(dataset: str, label: str) -> str:
    from batchsel.data.user.image_folder import is_image_folder
    from batchsel.data.user.split_files import is_split_files
    from batchsel.data.user.table_reference import add_label, is_table
    from batchsel.data.user.text import is_text_file

    if is_table(with_label := add_label(dataset, label)):
        return with_label
    is_folder = is_image_folder(dataset) and not is_split_files(dataset)
    if is_text_file(dataset) or is_folder or not ("." in dataset or "/" in dataset):
        raise UsageError(f"--label names the column of a table, and {dataset} is not one. Leave it out.")
    return f"{dataset}:{label}"


def _add_option(dataset: str, name: str, value: str | int) -> str:
    from batchsel.data.user.split_files import add_option, is_split_files
    from batchsel.data.user.table_reference import is_table
    from batchsel.data.user.text_folder import add_subwords, is_text_folder

    path, _, label = dataset.rpartition(":")
    if is_split_files(dataset):
        return add_option(dataset, name, value)
    if name == "subwords" and is_text_folder(dataset):
        return add_subwords(dataset, int(value))
    if not is_table(dataset):
        raise UsageError(
            f"--{name} is about texts in a table, and {dataset} is not one with a --label. Add the label, leave"
            f" --{name} out, or say --dataset lm_text --file {shlex.quote(dataset)} for a language model."
        )
    return f"{path}:{name}={value}:{label}"
