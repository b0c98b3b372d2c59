"""Text for language models: documents, cut into sequences of subwords, each to be predicted from what stands before.

A sample is a sequence: inputs are `length` subwords, targets the same moved on by one. Documents of a part follow each
other with an end between them, and what is left over at the end of a part is dropped.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.builders.documents import JSON, TABLES, TEXT, read_documents
from batchsel.data.dataset import Dataset, Part
from batchsel.data.download.cache import kept
from batchsel.data.download.fetch import DataFolder, found_or_fetched
from batchsel.data.download.hashing import check_content, content_hash
from batchsel.data.encoding.subwords import Subwords, learn_subwords
from batchsel.data.splits import fingerprint, split_rows
from batchsel.errors import UserError

TASK = "language_model"
LENGTH = 128
"""Subwords of a sequence of the user's text."""
_HELD_OUT = 0.05
_SUBWORDS = (300, 4096)
_CHARACTERS = 500
"""Characters of text that a subword of the user's vocabulary is learned from, within these limits."""

Documents = dict[str, list[str]]
"""The documents of each part."""


class Form(NamedTuple):
    """How documents become samples.

    Args:
        length: Subwords of a sequence.
        subwords: Size of the vocabulary at most.
    """

    length: int
    subwords: int


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Reads documents, learns subwords on the training part, and cuts all parts into sequences.

    Args:
        card: The card, whose sizes count documents; its options name the files that are accepted: ``files`` (all that
            match the first pattern that matches any, in the order of their names, of which the first documents are
            split into parts), or ``parts`` of official files; and the ``marker`` that ends documents, the ``columns``
            of tables, and how many ``subwords`` there are at most.
        seed: Chooses the validation part, where it is not an official one.
        folder: Where the files lie or will be downloaded to.

    Returns:
        The data set: ``int32[n, length]`` subwords, ``int32[n, length]`` those that follow, with its encoder.

    Raises:
        UserError: If a file is missing, damaged, or not what the card describes.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "lm_text"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: lm_text is not in /nowhere. Expected lm_corpus.txt.gz ...
    """
    options = card.options
    missing = f"Expected {_expected(options)}. {card.by_hand}".rstrip()
    missing += " Another folder can be named with --data-dir or BATCHSEL_DATA; --dataset lm_text --file takes any text."
    found = found_or_fetched(card, folder, lambda: _files(options, folder), missing)
    sizes = {"all": card.sizes.total, **dataclasses.asdict(card.sizes)}
    read = {part: _read(paths, options, sizes[part]) for part, paths in found.items()}
    joined = {f"texts_{part}": _joined(documents) for part, documents in read.items()}
    check_content(joined, card.content, where=card.name, remedy="Get the files that the card describes.")
    split = ""
    if "all" in read:
        read, split = _split(read["all"], (card.sizes.validation, card.sizes.test), seed, card.name)
    return _dataset(card.name, read, split, Form(card.input_shape[0], options["subwords"]))


def find(card: Any, folder: DataFolder) -> str | None:
    """What of the data is in the folder already.

    Args:
        card: The card.
        folder: The folder.

    Returns:
        The names of the files; None if one is missing.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "lm_text"), DataFolder(Path("/nowhere")))
    """
    found = _files(card.options, folder)
    return ", ".join(path.name for paths in found.values() for path in paths) if found else None


def is_text(name: str) -> bool:
    """Whether the name of a data set is that of a file of text, with or without a marker.

    Args:
        name: As in ``"./my.txt"`` or ``"./my.txt:THE END"``.

    Example:
        >>> is_text("./my.txt:THE END"), is_text("./my.jsonl.gz"), is_text("./my.csv:label")
        (True, True, False)
    """
    return _path_and_marker(name)[0].lower().endswith((*TEXT, *JSON))


def load_text(name: str, seed: int = 0) -> Dataset:
    """The user's text; a twentieth of the documents for validation and test each.

    Args:
        name: The file, and behind a colon the line that ends a document, as for `read_documents`.
        seed: Chooses the validation part.

    Raises:
        UserError: If it cannot be read, or is too short.

    Example:
        >>> load_text("/nowhere.txt")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere.txt: No such file or directory. ...
    """
    path, marker = _path_and_marker(name)
    documents = read_documents(Path(path), marker=marker)
    held_out = max(1, round(_HELD_OUT * len(documents)))
    read, split = _split(documents, (held_out, held_out), seed, path)
    low, high = _SUBWORDS
    return _dataset(name, read, split, Form(LENGTH, min(high, max(low, sum(map(len, documents)) // _CHARACTERS))))


def _path_and_marker(name: str) -> tuple[str, str]:
    if name.lower().endswith((*TEXT, *JSON)):
        return name, ""
    path, _, marker = name.rpartition(":")
    return path, marker


def _files(options: Any, folder: DataFolder) -> dict[str, list[Path]] | None:
    if "parts" in options:
        paths = {part: [folder.file(name)] for part, name in options["parts"].items()}
        return paths if all(path.is_file() for (path,) in paths.values()) else None
    there = (folder.path.glob(pattern) for pattern in options["files"])
    matches = (sorted(path for path in paths if not path.name.startswith(".")) for paths in there)
    found = next(filter(None, matches), None)
    return {"all": found} if found else None


def _expected(options: Any) -> str:
    return ", ".join(options["parts"].values()) if "parts" in options else " or ".join(options["files"])


def _read(paths: list[Path], options: Any, count: int) -> list[str]:
    columns = options.get("columns", ()) if str(paths[0]).lower().endswith((*TABLES, *JSON)) else ()
    documents = []
    for path in paths:
        documents += read_documents(path, marker=options.get("marker", ""), columns=columns)
        if len(documents) >= count:
            return documents[:count]
    raise UserError(
        f"{paths[0].parent} holds {len(documents):,} documents ({', '.join(path.name for path in paths[:3])}), the"
        f" card says {count:,}. Get the files that the card describes, or give yours with --file."
    )


def _split(documents: list[str], held_out: tuple[int, int], seed: int, where: str) -> tuple[Documents, str]:
    if sum(held_out) >= len(documents):
        raise UserError(
            f"{where} holds {len(documents)} documents; with {held_out[0]} for validation and {held_out[1]} for test"
            " none is left to train on. Split it into documents: with empty lines, or with a marker (--file"
            " FILE:MARKER)."
        )
    rows = split_rows(np.zeros(len(documents), np.int64), *held_out, seed)
    parts = {part: [documents[row] for row in chosen] for part, chosen in rows._asdict().items()}
    return parts, fingerprint(*rows)


def _dataset(name: str, documents: Documents, split: str, form: Form) -> Dataset:
    key = json.dumps([form, {part: _digest(texts) for part, texts in documents.items()}])
    arrays = kept("subwords", key, lambda: _coded(documents, form.subwords))
    encoder = Subwords(bytes(arrays["description"]).decode())
    parts = {part: _sequences(arrays[part], form.length, f"{name}, {part} part") for part in documents}
    return Dataset(name, TASK, **parts, split=split, encoder=encoder)


def _coded(documents: Documents, subwords: int) -> dict[str, np.ndarray]:
    encoder = learn_subwords(documents["train"], subwords)
    arrays = {"description": np.frombuffer(encoder.stored().encode(), np.uint8)}
    end = np.zeros(1, np.int32)
    for part, texts in documents.items():
        arrays[part] = np.concatenate([piece for code in encoder.encode(texts) for piece in (end, code)])
    return arrays


def _sequences(numbers: np.ndarray, length: int, where: str) -> Part:
    count = (len(numbers) - 1) // length
    if count < 1:
        raise UserError(
            f"{where}: {len(numbers)} subwords are fewer than a sequence of {length} needs. Take a longer text."
        )
    inputs, targets = (
        numbers[first : first + count * length].reshape(count, length).astype(np.int32) for first in (0, 1)
    )
    return Part(inputs, targets)


def _joined(documents: list[str]) -> np.ndarray:
    return np.frombuffer("\n\0\n".join(documents).encode(), np.uint8)


def _digest(documents: list[str]) -> str:
    return content_hash(_joined(documents))
