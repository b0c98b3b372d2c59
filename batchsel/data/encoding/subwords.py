"""Subword encoding: byte-pair encoding, learned on the training split.

Source: R. Sennrich, B. Haddow and A. Birch, *Neural Machine Translation of Rare Words with Subword Units*, ACL 2016,
https://arxiv.org/abs/1508.07909, over bytes as in GPT-2, so every text has a code. Implemented by the
library ``tokenizers``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from batchsel.errors import UserError

END = "<|end|>"
"""Separator of documents; number 0."""


@dataclass(frozen=True)
class SubwordEncoder:
    """Encoder of texts as numbers of subwords.

    Args:
        description: The learned vocabulary, as JSON of the library.

    Raises:
        UserError: If the library is not installed, or cannot read the description.

    Example:
        >>> subwords = learn_subword_encoder(["low lower lowest", "new newer newest"], 300)
        >>> subwords.decode(subwords.encode(["lower news"])[0])
        'lower news'
    """

    description: str

    FILE = "vocabulary.json"
    """Name of its file in the folder of a run."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The subwords in the order of their numbers, as printable bytes."""
        numbers = self._tokenizer.get_vocab()
        return tuple(sorted(numbers, key=numbers.__getitem__))

    def serialize(self) -> str:
        """Return the encoder as text, which a run stores so that its predictions can be read later."""
        return self.description

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Encode texts as subword numbers.

        Returns:
            ``int32[length]`` for each text.
        """
        return [np.array(code.ids, np.int32) for code in self._tokenizer.encode_batch_fast(list(texts))]

    def decode(self, numbers: Sequence[int] | np.ndarray) -> str:
        """Decode subword numbers as text; bytes that do not form a character are replaced.

        Args:
            numbers: ``int[length]``.
        """
        return self._tokenizer.decode(np.asarray(numbers).tolist(), skip_special_tokens=False)

    @functools.cached_property
    def _tokenizer(self) -> Any:
        try:
            tokenizer = _library().Tokenizer.from_str(self.description)
        except Exception as error:  # the library raises Exception itself
            raise UserError(f"this is not a vocabulary of subwords: {error}. Learn it again.") from error
        # Numbers are rows of an embedding.
        known = tokenizer.get_vocab()
        largest = max(known.values(), default=0)
        if largest >= max(len(known), 1):
            raise UserError(
                f"this is not a vocabulary of subwords: it numbers {len(known):,} subwords up to {largest:,}. Learn it"
                " again."
            )
        tokenizer.encode_special_tokens = True  # the separator is none where a text holds its characters
        return tokenizer


def learn_subword_encoder(texts: Sequence[str], size: int) -> SubwordEncoder:
    """Learn the most frequent subwords, by repeatedly merging the most frequent pair.

    Args:
        texts: The texts of the training split; of no other, or the test would leak into the training.
        size: Largest size of the vocabulary, the 256 bytes and the end of a document included.

    Raises:
        UserError: If there is no text, or the size is too small for the bytes.

    Example:
        >>> len(learn_subword_encoder(["a b c"], 257).vocabulary)
        257
    """
    if size < 257:
        raise UserError(f"a vocabulary of subwords needs at least 257 numbers (bytes and the end), got {size}.")
    if not any(texts):
        raise UserError("there is no text to learn subwords from. Expected at least one document that is not empty.")
    library = _library()
    by_bytes = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = by_bytes
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END], initial_alphabet=sorted(by_bytes.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return SubwordEncoder(tokenizer.to_str())


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise UserError(
            "subwords need the library tokenizers, which is not installed. Install it with"
            " pip install 'batchsel[text]'."
        ) from error
    import tokenizers.decoders
    import tokenizers.models
    import tokenizers.pre_tokenizers
    import tokenizers.trainers

    return tokenizers
