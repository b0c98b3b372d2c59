"""Data sets of text for language models, in files that their cards name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from batchsel.core.parameters import Between, Names, Parts
from batchsel.data.builders.language_model import (
    SequenceForm,
    build_sequence_dataset,
    join_documents,
    split_documents,
)
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder, find_or_fetch
from batchsel.data.formats.documents import JSON, TABLES, read_documents
from batchsel.data.storage.hashing import check_content
from batchsel.errors import UserError

_ALL = "all"


@dataclass(frozen=True)
class Options:
    """Options of a card, checked when the card is read."""

    subwords: Annotated[int, Between(2, 2**20)]
    files: Names = ()
    parts: Parts | None = None
    marker: str = ""
    columns: Names = ()


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Read documents, learn subwords on the training split, and cut all splits into sequences.

    Args:
        card: The card, whose sizes count documents. Its options name the accepted files: ``files`` (patterns; all
            matches of the first pattern that has any are read in the order of their names, and their first documents
            are split at random), or ``parts`` (one official file for each split); and the ``marker`` that ends
            documents, the ``columns`` of tables, and the largest number of ``subwords``.
        seed: Seed of the validation split, if there is no official one.
        folder: Where the files are or will be downloaded to.

    Returns:
        The data set: ``int32[n, length]`` subwords, ``int32[n, length]`` next subwords, with its encoder.

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
    expected = ", ".join(options["parts"].values()) if "parts" in options else " or ".join(options["files"])
    hint = "--dataset lm_text --file reads any text."
    files = find_or_fetch(card, folder, lambda: _find_files(options, folder), expected, hint)
    sizes = {_ALL: card.sizes.total, **dataclasses.asdict(card.sizes)}
    documents = {split: _read(paths, options, sizes[split]) for split, paths in files.items()}
    joined = {f"texts_{split}": join_documents(texts) for split, texts in documents.items()}
    check_content(joined, card.content, where=card.name, remedy="Get the files that the card describes.")
    fingerprint = ""
    if _ALL in documents:
        held_out = card.sizes.validation, card.sizes.test
        documents, fingerprint = split_documents(documents[_ALL], held_out, seed, card.name)
    return build_sequence_dataset(
        card.name, documents, fingerprint, SequenceForm(card.input_shape[0], options["subwords"])
    )


def find(card: Any, folder: DataFolder) -> str | None:
    """Return the names of the files, or None if one is missing.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "lm_text"), DataFolder(Path("/nowhere")))
    """
    files = _find_files(card.options, folder)
    return ", ".join(path.name for paths in files.values() for path in paths) if files else None


def _find_files(options: Any, folder: DataFolder) -> dict[str, list[Path]] | None:
    if "parts" in options:
        paths = {split: [folder.file(name)] for split, name in options["parts"].items()}
        return paths if all(path.is_file() for (path,) in paths.values()) else None
    matches = (folder.path.glob(pattern) for pattern in options["files"])
    visible = (sorted(path for path in paths if not path.name.startswith(".")) for paths in matches)
    found = next(filter(None, visible), None)
    return {_ALL: found} if found else None


def _read(paths: list[Path], options: Any, count: int) -> list[str]:
    columns = options.get("columns", ()) if str(paths[0]).lower().endswith((*TABLES, *JSON)) else ()
    documents: list[str] = []
    for path in paths:
        documents += read_documents(path, marker=options.get("marker", ""), columns=columns)
        if len(documents) >= count:
            return documents[:count]
    raise UserError(
        f"{paths[0].parent} holds {len(documents):,} documents ({', '.join(path.name for path in paths[:3])}), but the"
        f" card says {count:,}. Get the files that the card describes, or name your own with --file."
    )
