"""Open text files (plain, gzip, zip), with clear errors for damaged ones."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

from batchsel.core.filesystem.reading import reading
from batchsel.data.formats.unpacked_size import bound_unpacked
from batchsel.errors import UserError

_ENCRYPTED = 1


@contextmanager
def open_text(path: Path, encoding: str = "utf-8", member: str = "", newline: str | None = None) -> Iterator[TextIO]:
    """Open a text file; errors while it is read become clear messages, too.

    Args:
        path: The file; its content, not its suffix, decides whether it is decompressed.
        encoding: Encoding of the text.
        member: Name of the file in a zip archive; by default the only one.
        newline: As for `open`.

    Yields:
        The file.

    Raises:
        UserError: If it cannot be read, is damaged, or is not text of that encoding.

    Example:
        >>> with open_text(Path("/nowhere.txt")) as file:
        ...     file.read()
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere.txt: No such file or directory. Check the path ...
    """
    with reading(path), open_unpacked(path, member) as packed:
        codec = _marked(packed) or "utf-8-sig" if encoding == "utf-8" else encoding
        try:
            yield io.TextIOWrapper(packed, codec, newline=newline)
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path} is not {encoding} text: byte {error.object[error.start]:#04x} at {error.start} of a block"
                f" ({error.reason}). Save it as UTF-8."
            ) from error


def _marked(file: Any) -> str:
    """Return the encoding of a file of UTF-16, which begins with a byte-order mark and which Excel writes; else ""."""
    start = file.peek(2)[:2] if isinstance(file, io.BufferedReader) else b""
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ""


@contextmanager
def open_unpacked(path: Path, member: str = "") -> Iterator[Any]:
    """Open a file of bytes, decompressed if its content is, within the bounds of `bound_unpacked`.

    Args:
        path: The file; its content, not its suffix, decides whether it is decompressed.
        member: Name of the file in a zip archive; by default the only one.

    Yields:
        The stream of its bytes.

    Raises:
        UserError: If an archive holds other than one file, or unpacks to far more than its size.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            yield bound_unpacked(gzip.GzipFile(fileobj=file), path)
        elif magic == b"PK\x03\x04":
            yield bound_unpacked(_member(zipfile.ZipFile(file), member, path), path)
        else:
            yield file


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> IO[bytes]:
    files = [info for info in archive.infolist() if not info.is_dir()]
    if name:
        files = [info for info in files if info.filename == name]
        if not files:
            raise UserError(f"{path} does not contain {name}. Get the official archive.")
    if len(files) != 1:
        raise UserError(f"{path} holds {len(files)} files; expected one. Unpack it, and name the file itself.")
    if files[0].flag_bits & _ENCRYPTED:
        raise UserError(f"{path}: its member {files[0].filename} is encrypted. Unpack it, and name the file itself.")
    return archive.open(files[0])
