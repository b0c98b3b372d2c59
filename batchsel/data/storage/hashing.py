"""Hashes of arrays, independent of their file format, and of files; comparison with a card."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.filesystem.atomic_write import atomic_write
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
    return Checksum("SHA-256", "").of(path)


class Checksum(NamedTuple):
    """Checksum of a file that its publisher states.

    Args:
        kind: "SHA-256", or "MD5" where no other is published: it tells damaged files, not forged ones.
        digits: Hexadecimal digits.

    Example:
        >>> from types import SimpleNamespace
        >>> Checksum.stated(SimpleNamespace(sha256="", md5="0" * 32)).kind
        'MD5'
    """

    kind: str
    digits: str

    @classmethod
    def stated(cls, file: Any) -> Checksum:
        """Return the checksum that a card states for a file, SHA-256 before MD5."""
        return cls("SHA-256", file.sha256) if file.sha256 else cls("MD5", file.md5)

    def of(self, path: Path) -> str:
        """Return the digits of this kind for the bytes of a file."""
        new = hashlib.sha256 if self.kind == "SHA-256" else functools.partial(hashlib.md5, usedforsecurity=False)
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, new).hexdigest()


def note_sha256(path: Path) -> None:
    """Write down the SHA-256 of a file beside it, in the form of sha256sum: what was received can be recognized later.

    Args:
        path: The file.
    """
    with atomic_write(_noted_path(path)) as beside:
        beside.write_text(f"{file_sha256(path)}  {path.name}\n", encoding="utf-8")


def noted_sha256(path: Path) -> str | None:
    """Return the SHA-256 that was written down for a file, or None.

    Args:
        path: The file.
    """
    try:
        words = _noted_path(path).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return words[0] if words else None


def _noted_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
