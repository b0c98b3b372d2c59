"""Texts of users: find out what is text, and encode it by the words of the training split."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from batchsel.data.builders.texts import Texts, encode_texts, learn_encoder
from batchsel.data.dataset import Dataset
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder, learn_padded_subwords
from batchsel.data.encoding.vocabulary import WordEncoder
from batchsel.data.encoding.words import normalize
from batchsel.data.splits import SplitRows, fingerprint

WORDS, LONGEST = 20_000, 200
"""Largest vocabulary, and most words of a text that are kept."""
_LENGTH_QUANTILE = 0.95
"""Share of the texts that are kept whole, as long as they have no more than `LONGEST` words."""
_PROBED, _LONG = 2000, 1000
_FEWEST_WORDS, _SHARE_DIFFERENT = 2.5, 0.5


def is_text_column(values: Sequence[str]) -> bool:
    """Return whether texts are sentences, and not categories or names: mostly different, and of several words.

    Example:
        >>> is_text_column(["good food here", "no, not again", "so and so"]), is_text_column(["a", "b", "a"])
        (True, False)
    """
    probed = values[:_PROBED]
    words = sum(len(normalize(value[:_LONG]).split()) for value in probed) / max(len(probed), 1)
    return words >= _FEWEST_WORDS and len(set(probed)) > _SHARE_DIFFERENT * len(probed)


def build_texts(
    name: str, texts: np.ndarray, y: np.ndarray, classes: tuple[str, ...], rows: SplitRows, subwords: int = 0
) -> Dataset:
    """Encode texts by the words or subwords of the training split.

    Args:
        name: Name of the data set.
        texts: ``object[n]`` the texts.
        y: ``int32[n]`` class numbers.
        classes: Names of the classes.
        rows: Rows of each split.
        subwords: Size of a vocabulary of subwords; 0 for words.

    Raises:
        UserError: If the texts of the training split hold no words.
    """
    parts = {split: Texts(texts[chosen], y[chosen]) for split, chosen in rows._asdict().items()}
    encoder: WordEncoder | PaddedSubwordEncoder
    if subwords:
        encoder = learn_padded_subwords(parts["train"].texts.tolist(), subwords, LONGEST)
        lengths = (encoder.encode(parts["train"].texts.tolist()) > 0).sum(axis=1)
        encoder = dataclasses.replace(encoder, length=_length(lengths))
    else:
        lengths = [len(normalize(text).split()) for text in parts["train"].texts]
        encoder = learn_encoder(parts["train"].texts, WORDS, _length(lengths), version=2)
    splits = encode_texts(parts, encoder)
    return Dataset(
        name,
        "classification",
        splits["train"],
        splits["validation"],
        splits["test"],
        class_names=classes,
        split_fingerprint=fingerprint(*rows),
        encoder=encoder,
        raw=lambda split: parts[split].texts,
    )


def _length(lengths: Sequence[int] | np.ndarray) -> int:
    return min(LONGEST, max(1, int(np.quantile(lengths, _LENGTH_QUANTILE))))
