"""From texts to numbers: a vocabulary learned on the training part, sequences cut and padded to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from batchsel.errors import UserError

PADDING, UNKNOWN = 0, 1


@dataclass(frozen=True)
class Encoder:
    """Turns texts into sequences of word numbers, by `keras.layers.TextVectorization`.

    Texts are put in lower case, punctuation is removed, words are what stands between spaces. Number 0 is padding, 1 a
    word that is not in the vocabulary.

    Args:
        vocabulary: The words, numbered from 2 on.
        length: Words that are kept of a text.

    Example:
        >>> Encoder(("good", "bad"), 4).encode(["Good, not bad!"]).tolist()
        [[2, 1, 3, 0]]
    """

    vocabulary: tuple[str, ...]
    length: int
    _layer: list[Any] = field(default_factory=list, repr=False, compare=False)

    FILE = "vocabulary.txt"
    """Name of the file that a run keeps of it: the words, a line each, numbered from 2 on."""

    def stored(self) -> str:
        """What a run keeps of it, so that its predictions can be read later."""
        return "".join(f"{word}\n" for word in self.vocabulary)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Sequences of word numbers.

        Args:
            texts: The texts.

        Returns:
            ``int32[n, length]``, padded with 0 behind.
        """
        if not self._layer:
            self._layer.append(_layer(self.length, vocabulary=list(self.vocabulary)))
        return _applied(self._layer[0], texts, self.length)


def learn_encoder(texts: Sequence[str], words: int, length: int) -> Encoder:
    """An encoder whose vocabulary are the most frequent words of some texts.

    Args:
        texts: The texts of the training part; of no other, or the test would leak into the training.
        words: Numbers in use, padding and unknown among them.
        length: Words that are kept of a text.

    Raises:
        UserError: If there is no word in any of the texts.

    Example:
        >>> learn_encoder(["a b b", "b c c"], words=4, length=3).vocabulary
        ('b', 'c')
    """
    layer = _layer(length, max_tokens=words)
    layer.adapt(np.asarray(texts, dtype=object).astype(str), batch_size=8192)
    vocabulary = tuple(map(str, layer.get_vocabulary(include_special_tokens=False)))
    if not vocabulary:
        raise UserError("there is no word in any of the texts. Expected text with spaces between words.")
    return Encoder(vocabulary, length)


def _layer(length: int, **options: Any) -> Any:
    from keras.layers import TextVectorization

    return TextVectorization(output_sequence_length=length, **options)


def _applied(layer: Any, texts: Sequence[str], length: int, rows: int = 65_536) -> np.ndarray:
    parts = [texts[start : start + rows] for start in range(0, len(texts), rows)]
    found = [np.asarray(layer(np.asarray(part, dtype=object).astype(str)), np.int32) for part in parts]
    return np.concatenate(found) if found else np.zeros((0, length), np.int32)
