"""Subwords of texts for classification: sequences of one length, truncated and padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from batchsel.data.encoding.subwords import SubwordEncoder, learn_subword_encoder

PADDING = 0
"""Number of the end of a document, which occurs in no text."""
_BLOCK = 4096
_CHARACTERS = 100
"""More than a subword has: longer texts are cut before they are encoded."""


@dataclass(frozen=True)
class PaddedSubwordEncoder:
    """Encoder of texts as subword numbers, for texts in any script and without blanks.

    Args:
        subwords: The vocabulary; its number 0 is padding.
        length: Number of subwords kept of each text.

    Example:
        >>> encoder = learn_padded_subwords(["low lower", "new newer"], 300, 4)
        >>> encoder.encode(["low", ""]).shape, encoder.encode([""]).tolist()
        ((2, 4), [[0, 0, 0, 0]])
    """

    subwords: SubwordEncoder
    length: int

    FILE = SubwordEncoder.FILE
    """Name of its file in the folder of a run."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The subwords in the order of their numbers."""
        return self.subwords.vocabulary

    @property
    def size(self) -> int:
        """Number of different numbers."""
        return len(self.vocabulary)

    def serialize(self) -> str:
        """Return the encoder as text, which a run stores so that its predictions can be read later."""
        return self.subwords.serialize()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts as subword numbers.

        Returns:
            ``int32[n, length]``, padded with 0 at the end.
        """
        encoded = np.full((len(texts), self.length), PADDING, np.int32)
        for start in range(0, len(texts), _BLOCK):
            block = [str(text)[: _CHARACTERS * self.length] for text in texts[start : start + _BLOCK]]
            for row, numbers in enumerate(self.subwords.encode(block), start):
                kept = numbers[: self.length]
                encoded[row, : len(kept)] = kept
        return encoded


def learn_padded_subwords(texts: Sequence[str], size: int, length: int) -> PaddedSubwordEncoder:
    """Learn the most frequent subwords of some texts.

    Args:
        texts: The texts of the training split; of no other, or the test would leak into the training.
        size: Largest size of the vocabulary, padding and the 256 bytes included.
        length: Number of subwords kept of each text.

    Raises:
        UserError: If there is no text, or the size is too small for the bytes.
    """
    return PaddedSubwordEncoder(learn_subword_encoder([str(text) for text in texts], size), length)
