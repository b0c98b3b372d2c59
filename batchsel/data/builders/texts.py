"""Labeled texts: split, and encoded by a vocabulary of the training split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.dataset import Dataset, Split
from batchsel.data.encoding.vocabulary import WordEncoder, learn_word_encoder
from batchsel.data.splits import SplitRows, carve_rows, fingerprint
from batchsel.data.storage.hashing import check_content


class Texts(NamedTuple):
    """Texts and their classes.

    Example:
        >>> Texts(np.array(["good"], object), np.array([1])).labels
        array([1])
    """

    texts: np.ndarray
    """``object[n]``."""
    labels: np.ndarray
    """``int32[n]``."""

    def select(self, rows: np.ndarray) -> Texts:
        """Return some of the texts, by their numbers."""
        return Texts(self.texts[rows], self.labels[rows])


def build_text_dataset(card: Any, official: Mapping[str, Texts], seed: int, reread: Callable[[str], Texts]) -> Dataset:
    """Check labeled texts against their card, split them, and encode them by a vocabulary of the training split.

    Args:
        card: The card, whose name, task, sizes, content, class names and option ``words`` are used.
        official: The official splits "train" and "test".
        seed: Seed of the validation split, which is carved from the training texts.
        reread: Reads an official split again: texts held in memory would burden runs that need only numbers.

    Raises:
        UserError: If the texts are not those that the card describes.
    """
    train, test = official["train"], official["test"]
    digests = {"texts_train": _to_bytes(train.texts), "texts_test": _to_bytes(test.texts)}
    check_content(digests, card.content, where=card.name, remedy="Get the files that the card describes.")
    carved, kept = carve_rows(train.labels, card.sizes.validation, seed)
    rows = SplitRows(kept, carved, np.arange(len(test.labels)))
    texts = {"train": train.select(kept), "validation": train.select(carved), "test": test}
    splits, encoder = encode_texts(texts, card.options["words"], card.input_shape[0])
    return Dataset(
        card.name,
        card.task,
        splits["train"],
        splits["validation"],
        splits["test"],
        class_names=card.class_names,
        split_fingerprint=fingerprint(kept, carved),
        encoder=encoder,
        rows=rows,
        raw=lambda name: reread("test" if name == "test" else "train").texts[getattr(rows, name)],
    )


def encode_texts(
    splits: Mapping[str, Texts], words: int, length: int, version: int = 1
) -> tuple[dict[str, Split], WordEncoder]:
    """Encode texts as numbers of words, by a vocabulary of the training split.

    Args:
        splits: The texts of each split.
        words: Size of the vocabulary, padding and unknown included.
        length: Number of words kept of each text.
        version: Version of the encoder, see `WordEncoder`.

    Returns:
        ``int32[n, length]`` words and ``int32[n]`` classes of each split, and the encoder.

    Example:
        >>> texts = Texts(np.array(["a b", "b"], object), np.array([0, 1], np.int32))
        >>> encode_texts({"train": texts}, 4, 2)[0]["train"].x.tolist()
        [[3, 2], [2, 0]]
    """
    encoder = learn_word_encoder(splits["train"].texts.tolist(), words, length, version)
    encoded = {name: Split(encoder.encode(texts.texts.tolist()), texts.labels) for name, texts in splits.items()}
    return encoded, encoder


def _to_bytes(texts: np.ndarray) -> np.ndarray:
    return np.frombuffer("\n".join(texts.tolist()).encode(), np.uint8)
