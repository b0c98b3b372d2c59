"""Labeled texts: split, and encoded by a vocabulary of the training split."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.dataset import Dataset, Split
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder, learn_padded_subwords
from batchsel.data.encoding.vocabulary import WordEncoder, learn_word_encoder
from batchsel.data.splits import SplitRows, assign_rows
from batchsel.data.storage.hashing import check_content

_MOST_SINGLE = 0.5


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
        official: The official splits "train" and "test"; without "test", as many rows as the option ``drawn_test``
            says are drawn from the training texts, the same for every seed.
        seed: Seed of the validation split, which is carved from the training texts.
        reread: Reads an official split again: texts held in memory would burden runs that need only numbers.

    Raises:
        UserError: If the texts are not those that the card describes.
    """
    digests = {f"texts_{split}": _to_bytes(texts.texts) for split, texts in official.items()}
    check_content(digests, card.content, where=card.name, remedy="Get the files that the card describes.")
    labels = {split: texts.labels for split, texts in official.items()}
    chosen, split_fingerprint = assign_rows(labels, card.sizes.validation, card.options.get("drawn_test", 1), seed)
    texts = {split: official[origin].select(rows) for split, (origin, rows) in chosen.items()}
    encoder = learn_encoder(
        texts["train"].texts, card.options["words"], card.input_shape[0], subwords=card.options.get("subwords", 0)
    )
    splits = encode_texts(texts, encoder)
    return Dataset(
        card.name,
        card.task,
        splits["train"],
        splits["validation"],
        splits["test"],
        class_names=card.class_names,
        split_fingerprint=split_fingerprint,
        encoder=encoder,
        rows=SplitRows(*(chosen[split][1] for split in SplitRows._fields)),
        raw=lambda name: reread(chosen[name][0]).texts[chosen[name][1]],
    )


def learn_encoder(
    texts: np.ndarray, words: int, length: int, version: int = 1, subwords: int = 0
) -> WordEncoder | PaddedSubwordEncoder:
    """Learn an encoder from the texts of the training split.

    Args:
        texts: ``object[n]``.
        words: Size of a vocabulary of words, padding and unknown included.
        length: Number of words or subwords kept of each text.
        version: Version of the words, see `WordEncoder`.
        subwords: Size of a vocabulary of subwords, to be used in place of words; 0 for words.
    """
    if subwords:
        return learn_padded_subwords(texts.tolist(), subwords, length)
    return learn_word_encoder(texts.tolist(), words, length, version)


def encode_texts(splits: Mapping[str, Texts], encoder: WordEncoder | PaddedSubwordEncoder) -> dict[str, Split]:
    """Encode texts as numbers, and note it if most of those to train on are a single word.

    Args:
        splits: The texts of each split.
        encoder: The encoder.

    Returns:
        ``int32[n, length]`` numbers and ``int32[n]`` classes of each split.

    Example:
        >>> texts = Texts(np.array(["a b", "b"], object), np.array([0, 1], np.int32))
        >>> encode_texts({"train": texts}, learn_encoder(texts.texts, 4, 2))["train"].x.tolist()
        [[3, 2], [2, 0]]
    """
    encoded = {name: Split(encoder.encode(texts.texts.tolist()), texts.labels) for name, texts in splits.items()}
    share = ((encoded["train"].x > 0).sum(axis=1) == 1).mean()
    if encoder.length > 1 and isinstance(encoder, WordEncoder) and share > _MOST_SINGLE:
        print(
            f"note: {share:.0%} of the texts are a single word. Words are separated by blanks; subwords (--subwords"
            " 4000, or the option subwords of a card) need none.",
            file=sys.stderr,
            flush=True,
        )
    return encoded


def _to_bytes(texts: np.ndarray) -> np.ndarray:
    return np.frombuffer("\n".join(texts.tolist()).encode(), np.uint8)
