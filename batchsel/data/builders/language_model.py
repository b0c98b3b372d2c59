"""Text for language models: documents, cut into sequences of subwords, each to be predicted from those before it.

A sample is a sequence: inputs are `length` subwords, targets the same shifted by one. The documents of a split follow
each other, separated by an end token, and the remainder at the end of a split is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from batchsel.data.dataset import Dataset, Split
from batchsel.data.encoding.subwords import SubwordEncoder, learn_subword_encoder
from batchsel.data.splits import fingerprint, split_rows
from batchsel.data.storage.cache import load_or_compute
from batchsel.data.storage.hashing import content_hash
from batchsel.errors import UserError

TASK = "language_model"
_CACHE = "subwords-2"
"""Folder of the cache; the number counts ways to encode."""

Documents = dict[str, list[str]]
"""The documents of each split."""


class SequenceForm(NamedTuple):
    """Form of the samples.

    Args:
        length: Number of subwords in a sequence.
        subwords: Largest size of the vocabulary.
    """

    length: int
    subwords: int


def split_documents(
    documents: Sequence[str], held_out: tuple[int, int], seed: int, where: str
) -> tuple[Documents, str]:
    """Split documents at random.

    Args:
        documents: All documents.
        held_out: Number of validation and of test documents.
        seed: Seed of the validation split.
        where: Source of the documents, for the message.

    Returns:
        The documents of each split, and the fingerprint of the split.

    Raises:
        UserError: If no training document would be left.

    Example:
        >>> splits, _ = split_documents(["a", "b", "c", "d"], (1, 1), 0, "mine")
        >>> {name: len(documents) for name, documents in splits.items()}
        {'train': 2, 'validation': 1, 'test': 1}
    """
    if sum(held_out) >= len(documents):
        raise UserError(
            f"{where} holds {len(documents)} documents; with {held_out[0]} for validation and {held_out[1]} for test"
            " none is left to train on. Split it into documents: with empty lines, or with a marker (--file"
            " FILE:MARKER)."
        )
    rows = split_rows(np.zeros(len(documents), np.int64), *held_out, seed)
    return {split: [documents[int(row)] for row in chosen] for split, chosen in rows._asdict().items()}, fingerprint(
        *rows
    )


def build_sequence_dataset(
    name: str, documents: Mapping[str, Sequence[str]], split_fingerprint: str, form: SequenceForm
) -> Dataset:
    """Learn subwords on the training split, and cut all splits into sequences.

    The encoded documents are cached, because learning subwords takes long.

    Args:
        name: Name of the data set.
        documents: The documents of each split.
        split_fingerprint: Fingerprint of the split; empty if it is official.
        form: Form of the samples.

    Raises:
        UserError: If a split is shorter than one sequence.
    """
    key = json.dumps([form, {split: content_hash(join_documents(texts)) for split, texts in documents.items()}])
    arrays = load_or_compute(
        _CACHE, key, lambda: _encode(documents, form.subwords), lambda found: _is_whole(found, documents)
    )
    encoder = SubwordEncoder(bytes(arrays["description"]).decode())
    splits = {split: _cut(arrays[split], form.length, f"{name}, {split} split") for split in documents}
    return Dataset(
        name,
        TASK,
        splits["train"],
        splits["validation"],
        splits["test"],
        split_fingerprint=split_fingerprint,
        encoder=encoder,
    )


def join_documents(documents: Sequence[str]) -> np.ndarray:
    r"""Return documents as ``uint8[n]`` bytes, with a separator between them, for a hash of their content.

    Example:
        >>> bytes(join_documents(["a", "b"]))
        b'a\n\x00\nb'
    """
    return np.frombuffer("\n\0\n".join(documents).encode(), np.uint8)


def _encode(documents: Mapping[str, Sequence[str]], subwords: int) -> dict[str, np.ndarray]:
    encoder = learn_subword_encoder(documents["train"], subwords)
    arrays: dict[str, np.ndarray] = {"description": np.frombuffer(encoder.serialize().encode(), np.uint8)}
    end = np.zeros(1, np.int32)
    for split, texts in documents.items():
        arrays[split] = np.concatenate([piece for code in encoder.encode(texts) for piece in (end, code)])
    return arrays


def _is_whole(arrays: Mapping[str, np.ndarray], documents: Mapping[str, Sequence[str]]) -> bool:
    size = len(SubwordEncoder(bytes(arrays["description"]).decode()).vocabulary)
    return all(
        arrays[split].ndim == 1
        and arrays[split].dtype == np.int32
        and 0 <= arrays[split].min() <= arrays[split].max() < size
        for split in documents
    )


def _cut(numbers: np.ndarray, length: int, where: str) -> Split:
    count = (len(numbers) - 1) // length
    if count < 1:
        raise UserError(
            f"{where}: {len(numbers)} subwords are fewer than a sequence of {length} needs. Provide a longer text."
        )
    inputs, targets = (
        numbers[first : first + count * length].reshape(count, length).astype(np.int32) for first in (0, 1)
    )
    return Split(inputs, targets)
