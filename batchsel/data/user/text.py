"""User text for language models."""

from __future__ import annotations

from pathlib import Path

from batchsel.data.builders.language_model import SequenceForm, build_sequence_dataset, split_documents
from batchsel.data.dataset import Dataset
from batchsel.data.formats.documents import JSON, TEXT, read_documents

LENGTH = 128
"""Number of subwords in a sequence."""
_HELD_OUT = 0.05
_SUBWORDS = (300, 4096)
_CHARACTERS_PER_SUBWORD = 500
"""Size of the text over that of its vocabulary, within these limits."""


def is_text_file(name: str) -> bool:
    """Return whether the name of a data set is that of a text file, with or without a marker.

    Args:
        name: As in ``"./my.txt"`` or ``"./my.txt:THE END"``.

    Example:
        >>> is_text_file("./my.txt:THE END"), is_text_file("./my.jsonl.gz"), is_text_file("./my.csv:label")
        (True, True, False)
    """
    return _path_and_marker(name)[0].lower().endswith((*TEXT, *JSON))


def load_text_file(name: str, seed: int = 0) -> Dataset:
    """Read a text file; a twentieth of its documents each is held out for validation and test.

    Args:
        name: The file, optionally followed by a colon and the line that ends a document, as for `read_documents`.
        seed: Seed of the validation split.

    Raises:
        UserError: If it cannot be read, or is too short.

    Example:
        >>> load_text_file("/nowhere.txt")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere.txt: No such file or directory. ...
    """
    path, marker = _path_and_marker(name)
    documents = read_documents(Path(path), marker=marker)
    held_out = max(1, round(_HELD_OUT * len(documents)))
    splits, fingerprint = split_documents(documents, (held_out, held_out), seed, path)
    low, high = _SUBWORDS
    subwords = min(high, max(low, sum(map(len, documents)) // _CHARACTERS_PER_SUBWORD))
    return build_sequence_dataset(name, splits, fingerprint, SequenceForm(LENGTH, subwords))


def _path_and_marker(name: str) -> tuple[str, str]:
    if name.lower().endswith((*TEXT, *JSON)):
        return name, ""
    path, _, marker = name.rpartition(":")
    return path, marker
