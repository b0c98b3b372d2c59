"""Download one file from the first address that serves the right bytes.

A download grows beside its target as `.NAME.part` and is renamed only when its checksum is right. The bytes of an
interrupted one stay, and the next resumes there. A file with wrong content is kept as `NAME.corrupt` for inspection,
and is never read.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from batchsel.core.filesystem.byte_sizes import format_bytes
from batchsel.core.filesystem.temporary import remove_stale
from batchsel.core.locking.locks import hold_lock
from batchsel.data.download.http_download import DownloadError, download_url
from batchsel.data.download.partial_download import PartialDownload
from batchsel.data.storage.hashing import Checksum, note_sha256
from batchsel.errors import UserError


class RemoteFile(Protocol):
    """A file to download. An attribute `bytes` is its size, or None; `md5` stands for a lacking SHA-256."""

    @property
    def name(self) -> str:
        """Plain name."""
        ...

    @property
    def sha256(self) -> str:
        """SHA-256 of its bytes, in hexadecimal digits; empty if only an MD5 is known."""
        ...

    @property
    def urls(self) -> tuple[str, ...]:
        """Addresses, tried in this order."""
        ...


def download_file(file: RemoteFile, path: Path, progress: Callable[[str], Any] | None = None) -> None:
    """Download a file; if another process or thread is doing so, wait for it.

    Args:
        file: SHA-256 and addresses.
        path: Where it will be; the folder exists.
        progress: Creates a progress bar for a label, see `batchsel.data.storage.progress`; None for silence.

    Raises:
        UserError: If no address serves the right bytes, or the disk has no space for them.
        OSError: If they cannot be written.

    Example:
        >>> from types import SimpleNamespace
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     download_file(SimpleNamespace(name="a.gz", sha256="0" * 64, urls=("https://",)), Path(folder, "a.gz"))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: a.gz could not be downloaded:
          https://: InvalidURL: ...
    """

    def say() -> None:
        if progress:
            print(f"another process is downloading {file.name}; waiting for it", file=sys.stderr, flush=True)

    with hold_lock(path, say) as alone:
        remove_stale(path.parent)
        if not path.is_file():
            _download(file, path, progress, alone)


def _download(file: RemoteFile, path: Path, progress: Callable[[str], Any] | None, alone: bool) -> None:
    partial = PartialDownload.from_target(path, alone)
    failures = []
    try:
        for url in file.urls:
            failure = _try_url(url, file, path, partial, progress)
            if failure is None:
                return
            failures.append(f"\n  {url}: {failure}")
    except OSError:
        # Free the space again if the disk is full.
        with contextlib.suppress(OSError):
            partial.remove()
        raise
    finally:
        if not alone or not partial.size:
            partial.remove()
    kept = f" The {format_bytes(partial.size)} received are kept; the next try resumes there." if partial.size else ""
    raise UserError(
        f"{file.name} could not be downloaded:{''.join(failures)}\n"
        f"Check the network and try again, or get the file elsewhere ({' '.join(Checksum.stated(file))}) and put it "
        f"into {path.parent}.{kept}"
    )


def _try_url(
    url: str, file: RemoteFile, path: Path, partial: PartialDownload, progress: Callable[[str], Any] | None
) -> str | None:
    """Try one address, and return None if the file is in its place now, else the reason."""
    found, checksum = "", Checksum.stated(file)
    for restart in (True, False):
        try:
            one_piece = _download_with_bar(url, partial, file.name, progress)
        except DownloadError as error:
            return str(error)
        if not partial.size:
            return "the answer was empty"
        found = checksum.of(partial.path)
        if found == checksum.digits:
            partial.move(path)
            if not file.sha256:
                note_sha256(path)
            return None
        if one_piece or not restart:
            break
        # Pieces of different files may have been joined: an older version, another mirror, two writers.
        partial.remove()
    aside = path.with_name(f"{path.name}.corrupt")
    partial.move(aside)
    digits = f"{found[:8]}... instead of {checksum.digits[:8]}..."
    return f"wrong content, {checksum.kind} {digits}; it is kept as {aside}"


def _download_with_bar(url: str, partial: PartialDownload, name: str, progress: Callable[[str], Any] | None) -> bool:
    bar = progress(name) if progress else None
    try:
        return download_url(url, partial, name, bar)
    finally:
        if bar is not None:
            bar.close()
