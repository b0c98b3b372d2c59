"""Hashes of arrays, independent of their file format, and of files; comparison with a card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from batchsel.errors import UserError


def content_hash(array: np.ndarray) -> str:
    """Return the SHA-256 of the values of an array, as 64 hexadecimal digits.

    Args:
        array: Any array; its bytes are hashed in C order and little-endian, so file formats and machines agree.

    Example:
        >>> content_hash(np.array([1, 2], ">i4")) == content_hash(np.array([1, 2], "<i4"))
        True
    """
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(array.data.cast("B") if array.size else b"").hexdigest()


_compared: ContextVar[set[str] | None] = ContextVar("compared", default=None)


@contextmanager
def record_comparisons() -> Iterator[set[str]]:
    """Collect the names of the arrays that `check_content` compares in this block: only these are known to be right.

    Yields:
        The names.

    Example:
        >>> with record_comparisons() as names:
        ...     check_content({"x": np.zeros(2)}, {}, where="mine", remedy="Fetch it again.")
        >>> names
        set()
    """
    names: set[str] = set()
    token = _compared.set(names)
    try:
        yield names
    finally:
        _compared.reset(token)


def check_content(arrays: Mapping[str, np.ndarray], expected: Mapping[str, str], *, where: str, remedy: str) -> None:
    """Reject arrays that are not those that the card describes.

    Args:
        arrays: Arrays by name.
        expected: Their hashes by name, from `content_hash`; arrays without one are not checked.
        where: Name and origin of the arrays, the beginning of the message.
        remedy: Advice, the end of the message.

    Raises:
        UserError: If a hash differs; the message names all arrays that differ.

    Example:
        >>> check_content({"x": np.zeros(2)}, {"x": "0" * 64}, where="mine", remedy="Fetch it again.")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine: the content differs from the card: x has SHA-256 374708ff...,
        expected 00000000.... Fetch it again.
    """
    found = {name: content_hash(array) for name, array in arrays.items() if name in expected}
    if (names := _compared.get()) is not None:
        names.update(found)
    wrong = [
        f"{name} has SHA-256 {value[:8]}..., expected {expected[name][:8]}..."
        for name, value in found.items()
        if value != expected[name]
    ]
    if wrong:
        raise UserError(f"{where}: the content differs from the card: {'; '.join(wrong)}. {remedy}")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the bytes of a file, as 64 hexadecimal digits.

    Example:
        >>> file_sha256(Path(__file__)) == file_sha256(Path(__file__))
        True
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
