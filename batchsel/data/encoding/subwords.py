"""From texts to subwords and back: byte-pair encoding, learned on the training part.

Source: R. Sennrich, B. Haddow and A. Birch, *Neural Machine Translation of Rare Words with Subword Units*, ACL 2016,
https://arxiv.org/abs/1508.07909, over bytes as in GPT-2, so that every text has a code. Done by the library
``tokenizers``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from batchsel.errors import UserError

END = "<|end|>"
"""Stands between documents; number 0."""


@dataclass(frozen=True)
class Subwords:
    """Turns texts into numbers of subwords.

    Args:
        description: What was learned, JSON, as the library writes it.

    Raises:
        UserError: If the library is not installed, or cannot read the description.

    Example:
        >>> subwords = learn_subwords(["low lower lowest", "new newer newest"], 300)
        >>> subwords.decode(subwords.encode(["lower news"])[0])
        'lower news'
    """

    description: str

    FILE = "vocabulary.json"
    """Name of the file that a run keeps of it."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The subwords in the order of their numbers, as bytes that can be printed."""
        numbers = self._tokenizer.get_vocab()
        return tuple(sorted(numbers, key=numbers.__getitem__))

    def stored(self) -> str:
        """What a run keeps of it, so that its predictions can be read later."""
        return self.description

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Numbers of the subwords of each text.

        Args:
            texts: The texts.

        Returns:
            ``int32[length]`` for each.
        """
        return [np.array(code.ids, np.int32) for code in self._tokenizer.encode_batch_fast(list(texts))]

    def decode(self, numbers: Sequence[int] | np.ndarray) -> str:
        """The text that numbers stand for; bytes that make no character are shown as such.

        Args:
            numbers: ``int[length]``.
        """
        return self._tokenizer.decode(np.asarray(numbers).tolist(), skip_special_tokens=False)

    @functools.cached_property
    def _tokenizer(self) -> Any:
        try:
            return _library().Tokenizer.from_str(self.description)
        except Exception as error:  # the library raises Exception itself
            raise UserError(f"this is no vocabulary of subwords: {error}. Learn it anew.") from error


def learn_subwords(texts: Sequence[str], size: int) -> Subwords:
    """The subwords that occur most often, found by joining the most frequent pair again and again.

    Args:
        texts: The texts of the training part; of no other, or the test would leak into the training.
        size: Numbers in use at most, the 256 bytes and the end of a document among them.

    Raises:
        UserError: If there is no text, or the size leaves no room for bytes.

    Example:
        >>> len(learn_subwords(["a b c"], 257).vocabulary)
        257
    """
    if size < 257:
        raise UserError(f"a vocabulary of subwords needs 257 numbers at least (bytes and the end), got {size}.")
    if not any(texts):
        raise UserError("there is no text to learn subwords of.")
    library = _library()
    by_bytes = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = by_bytes
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=sorted(by_bytes.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return Subwords(tokenizer.to_str())


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise UserError(
            "language-model text needs the library tokenizers, which is not installed. Install it with"
            " pip install 'batchsel[text]'."
        ) from error
    import tokenizers.decoders
    import tokenizers.models
    import tokenizers.pre_tokenizers
    import tokenizers.trainers

    return tokenizers
