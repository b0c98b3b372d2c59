"""One file from the first address that gives the right bytes.

A download grows beside its place as `.NAME.part` and is renamed only when its SHA-256 is right. What came of one
that is interrupted stays, and the next goes on from there. What is not right is kept as `NAME.corrupt`, for looking
at, and is never read.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from batchsel.data.download.disk_space import size_text
from batchsel.data.download.hashing import sha256_of
from batchsel.data.download.http_download import TransferFailure, transfer
from batchsel.data.download.locks import locked
from batchsel.data.download.partial_download import PartialFile
from batchsel.errors import UserError


class RemoteFile(Protocol):
    """What is needed to know of a file: its plain name, its SHA-256, its addresses; and, if known, its `bytes`."""

    name: str
    sha256: str
    urls: tuple[str, ...]


def retrieve(file: RemoteFile, path: Path, progress: Callable[[str], Any] | None = None) -> None:
    """Downloads a file, unless another process or thread does so meanwhile: then its file is waited for.

    Args:
        file: SHA-256 and addresses.
        path: Where it will be; the folder exists.
        progress: Makes a progress bar for a label, see `batchsel.data.download.progress`; None for silence.

    Raises:
        UserError: If no address gives the right bytes, or there is no space for them.
        OSError: If they cannot be written.

    Example:
        >>> from types import SimpleNamespace
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     retrieve(SimpleNamespace(name="a.gz", sha256="0" * 64, urls=("https://",)), Path(folder, "a.gz"))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: a.gz could not be downloaded:
          https://: InvalidURL: ...
    """

    def say() -> None:
        if progress:
            print(f"another process fetches {file.name}; waiting for it", file=sys.stderr, flush=True)

    with locked(path, say) as alone:
        if not path.is_file():
            _download(file, path, progress, alone)


def _download(file: RemoteFile, path: Path, progress: Callable[[str], Any] | None, alone: bool) -> None:
    part = PartialFile.of(path, alone)
    failures = []
    try:
        for url in file.urls:
            failure = _attempt(url, file, path, part, progress)
            if failure is None:
                return
            failures.append(f"\n  {url}: {failure}")
    except OSError:
        # A full disk gets back the space that we filled.
        with contextlib.suppress(OSError):
            part.remove()
        raise
    finally:
        if not alone or not part.size:
            part.remove()
    kept = f" The {size_text(part.size)} that came are kept; the next try goes on from there." if part.size else ""
    raise UserError(
        f"{file.name} could not be downloaded:{''.join(failures)}\n"
        f"Check the network and try again, or get the file elsewhere (SHA-256 {file.sha256}) and put it "
        f"into {path.parent}.{kept}"
    )


def _attempt(
    url: str, file: RemoteFile, path: Path, part: PartialFile, progress: Callable[[str], Any] | None
) -> str | None:
    """One try at one address: None if the file is in its place now, else what went wrong."""
    for anew in (True, False):
        try:
            one_piece = _transfer(url, part, file.name, progress)
        except TransferFailure as error:
            return str(error)
        if not part.size:
            return "the answer was empty"
        found = sha256_of(part.path)
        if found == file.sha256:
            part.move(path)
            return None
        if one_piece or not anew:
            break
        # Pieces of different files may have met: an older version, another mirror, two writers.
        part.remove()
    aside = path.with_name(f"{path.name}.corrupt")
    part.move(aside)
    return f"wrong content, SHA-256 {found[:8]}... instead of {file.sha256[:8]}...; what came is kept as {aside}"


def _transfer(url: str, part: PartialFile, name: str, progress: Callable[[str], Any] | None) -> bool:
    bar = progress(name) if progress else None
    try:
        return transfer(url, part, name, bar)
    finally:
        if bar is not None:
            bar.close()
