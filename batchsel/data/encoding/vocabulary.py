"""Word encoding: a vocabulary learned on the training split, sequences truncated and padded to one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from batchsel.core.tf_support.tf_import import import_tensorflow
from batchsel.data.encoding.words import normalize
from batchsel.errors import UserError

PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2
_BLOCK_TEXTS, _BLOCK_CHARACTERS = 16_384, 4_000_000
"""Largest number of texts, and about that of characters, that are encoded at once."""


@dataclass(frozen=True)
class WordEncoder:
    """Encoder of texts as sequences of word numbers, by `keras.layers.TextVectorization`.

    Number 0 is padding, 1 a word that is not in the vocabulary. In version 1, which the cards of text data sets use,
    ASCII letters are lowercased, ASCII punctuation is removed, and words are separated by whitespace. Version 2 knows
    the words of all scripts, see `words.normalize`.

    Args:
        vocabulary: The words, numbered from 2 on.
        length: Number of words kept of each text.
        version: Version of the rule that makes words of a text.

    Example:
        >>> WordEncoder(("good", "bad"), 4).encode(["Good, not bad!"]).tolist()
        [[2, 1, 3, 0]]
    """

    vocabulary: tuple[str, ...]
    length: int
    version: int = 1
    _layer: list[Any] = field(default_factory=list, repr=False, compare=False)

    FILE = "vocabulary.txt"
    """Name of its file in the folder of a run: the words, one per line, numbered from 2 on."""

    @property
    def size(self) -> int:
        """Number of different numbers, padding and unknown included."""
        return FIRST_WORD + len(self.vocabulary)

    def serialize(self) -> str:
        """Return the encoder as text, which a run stores so that its predictions can be read later."""
        return "".join(f"{word}\n" for word in self.vocabulary)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts as word numbers.

        Returns:
            ``int32[n, length]``, padded with 0 at the end.
        """
        if not self._layer:
            self._layer.append(_layer(self.length, self.version, vocabulary=list(self.vocabulary)))
        return _apply(self._layer[0], texts, self.length, self.version)


def learn_word_encoder(texts: Sequence[str], words: int, length: int, version: int = 1) -> WordEncoder:
    """Return an encoder whose vocabulary are the most frequent words of some texts.

    Args:
        texts: The texts of the training split; of no other, or the test would leak into the training.
        words: Size of the vocabulary, padding and unknown included.
        length: Number of words kept of each text.
        version: As for `WordEncoder`.

    Raises:
        UserError: If the texts contain no words.

    Example:
        >>> learn_word_encoder(["a b b", "b c c"], words=4, length=3).vocabulary
        ('b', 'c')
    """
    layer = _layer(length, version, max_tokens=words)
    import tensorflow as tf

    blocks = (tf.constant(block) for block in _blocks(texts, version))
    layer.adapt(tf.data.Dataset.from_generator(lambda: blocks, output_signature=tf.TensorSpec([None], tf.string)))
    vocabulary = tuple(map(str, layer.get_vocabulary(include_special_tokens=False)))
    if not vocabulary:
        raise UserError("there is no word in any of the texts. Expected text with spaces between words.")
    return WordEncoder(vocabulary, length, version)


def _layer(length: int, version: int, **options: Any) -> Any:
    import_tensorflow()
    from keras.layers import TextVectorization

    if version > 1:
        options["standardize"] = None  # the texts are normalized already
    return TextVectorization(output_sequence_length=length, **options)


def _blocks(texts: Sequence[str], version: int) -> Iterator[list[str]]:
    """Yield texts in blocks of limited size; arrays of text would give all the room of the longest."""
    block: list[str] = []
    size = 0
    for text in texts:
        made = normalize(text) if version > 1 else str(text)
        block.append(made)
        size += len(made)
        if len(block) == _BLOCK_TEXTS or size > _BLOCK_CHARACTERS:
            yield block
            block, size = [], 0
    if block:
        yield block


def _apply(layer: Any, texts: Sequence[str], length: int, version: int) -> np.ndarray:
    import tensorflow as tf

    encoded = [np.asarray(layer(tf.constant(block)), np.int32) for block in _blocks(texts, version)]
    return np.concatenate(encoded) if encoded else np.zeros((0, length), np.int32)
