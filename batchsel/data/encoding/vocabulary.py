"""Word encoding: a vocabulary learned on the training split, sequences truncated and padded to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from batchsel.errors import UserError

PADDING, UNKNOWN = 0, 1


@dataclass(frozen=True)
class WordEncoder:
    """Encoder of texts as sequences of word numbers, by `keras.layers.TextVectorization`.

    Texts are lowercased, punctuation is removed, and words are separated by whitespace. Number 0 is padding, 1 a word
    that is not in the vocabulary.

    Args:
        vocabulary: The words, numbered from 2 on.
        length: Number of words kept of each text.

    Example:
        >>> WordEncoder(("good", "bad"), 4).encode(["Good, not bad!"]).tolist()
        [[2, 1, 3, 0]]
    """

    vocabulary: tuple[str, ...]
    length: int
    _layer: list[Any] = field(default_factory=list, repr=False, compare=False)

    FILE = "vocabulary.txt"
    """Name of its file in the folder of a run: the words, one per line, numbered from 2 on."""

    def serialize(self) -> str:
        """Return the encoder as text, which a run stores so that its predictions can be read later."""
        return "".join(f"{word}\n" for word in self.vocabulary)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts as word numbers.

        Returns:
            ``int32[n, length]``, padded with 0 at the end.
        """
        if not self._layer:
            self._layer.append(_layer(self.length, vocabulary=list(self.vocabulary)))
        return _apply(self._layer[0], texts, self.length)


def learn_word_encoder(texts: Sequence[str], words: int, length: int) -> WordEncoder:
    """Return an encoder whose vocabulary are the most frequent words of some texts.

    Args:
        texts: The texts of the training split; of no other, or the test would leak into the training.
        words: Size of the vocabulary, padding and unknown included.
        length: Number of words kept of each text.

    Raises:
        UserError: If the texts contain no words.

    Example:
        >>> learn_word_encoder(["a b b", "b c c"], words=4, length=3).vocabulary
        ('b', 'c')
    """
    layer = _layer(length, max_tokens=words)
    layer.adapt(np.asarray(texts, dtype=object).astype(str), batch_size=8192)
    vocabulary = tuple(map(str, layer.get_vocabulary(include_special_tokens=False)))
    if not vocabulary:
        raise UserError("there is no word in any of the texts. Expected text with spaces between words.")
    return WordEncoder(vocabulary, length)


def _layer(length: int, **options: Any) -> Any:
    from keras.layers import TextVectorization

    return TextVectorization(output_sequence_length=length, **options)


def _apply(layer: Any, texts: Sequence[str], length: int, rows: int = 65_536) -> np.ndarray:
    blocks = [texts[start : start + rows] for start in range(0, len(texts), rows)]
    encoded = [np.asarray(layer(np.asarray(block, dtype=object).astype(str)), np.int32) for block in blocks]
    return np.concatenate(encoded) if encoded else np.zeros((0, length), np.int32)
