"""Folder of a data set, and files that are downloaded into it: complete and right, or not at all.

`mirrors.py` chooses the address and checks the bytes, `http_download.py` downloads from one address.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from batchsel.core.filesystem.reading import shorten_path
from batchsel.core.locking.locks import Held, hold_lock, lock_path
from batchsel.data.download.mirrors import RemoteFile, download_file
from batchsel.data.download.partial_download import PartialDownload
from batchsel.data.storage.cache import cache_folder
from batchsel.data.storage.disk_space import check_disk_space
from batchsel.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class DataFolder:
    """Folder that contains, or will contain, the files of one data set.

    Args:
        path: The folder; it need not exist.
        offline: Whether downloads are forbidden.
        progress: Creates a progress bar for a label, see `batchsel.data.storage.progress`; None for silence.

    Example:
        >>> DataFolder(Path("/data/mnist")).file("mnist.npz").name
        'mnist.npz'
    """

    path: Path
    offline: bool = False
    progress: Callable[..., Any] | None = None

    def file(self, name: str) -> Path:
        """Return the path of a file of the data set, which may not exist.

        Links that lie in the folder are followed: machines share data by them.

        Args:
            name: Its name, relative to the folder.

        Raises:
            UserError: If the name points outside the folder.

        Example:
            >>> DataFolder(Path("/data/mnist")).file("../passwords")
            Traceback (most recent call last):
            ...
            batchsel.errors.UserError: '../passwords' points outside the data folder /data/mnist. ...
        """
        if os.path.isabs(name) or os.path.normpath(name).split(os.sep)[0] == os.pardir:
            raise UserError(
                f"{name!r} points outside the data folder {self.path}. Expected a plain relative name; put the file, or"
                " a link to it, there, or name its folder with --data-dir."
            )
        return self.path / name

    def fetch(self, file: RemoteFile) -> Path:
        """Return the path of a file, after downloading it if need be.

        Args:
            file: Name, SHA-256 and addresses of the file. A file that exists is not hashed: it may have been
                compressed again, and its content is checked when it is read.

        Raises:
            UserError: If it is missing and cannot be downloaded: offline, no address serves the right bytes, the disk
                is full or the folder is not writable. Existing files stay unchanged.

        Example:
            >>> from types import SimpleNamespace
            >>> file = SimpleNamespace(name="a.gz", sha256="0" * 64, urls=("https://example.org/a.gz",))
            >>> DataFolder(Path("/nowhere"), offline=True).fetch(file)
            Traceback (most recent call last):
            ...
            batchsel.errors.UserError: a.gz is not in /nowhere, and --offline forbids downloading it. ...
        """
        path = self.file(file.name)
        if path.is_file():
            _remove_leftover(path)
            return path
        if self.offline:
            raise UserError(
                f"{file.name} is not in {self.path}, and --offline forbids downloading it. Put it there, name "
                "another folder with --data-dir or BATCHSEL_DATA, or allow the download."
            )
        if not path.parent.resolve().is_relative_to(self.path.resolve()):
            raise UserError(
                f"{file.name!r} would be downloaded through a link that leads outside the data folder {self.path}. Put"
                " the file there by hand, or name another folder with --data-dir."
            )
        try:
            check_disk_space(self.path, self.missing_bytes([file]) or 0, file.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            download_file(file, path, self.progress)
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror or error}. Existing files are unchanged; free space, "
                "make the folder writable, or name another with --data-dir or BATCHSEL_DATA."
            ) from error
        return path

    def missing_bytes(self, files: Iterable[RemoteFile]) -> int | None:
        """Return the number of bytes to download; None if a size is unknown.

        Bytes of partial downloads count as already there.

        Example:
            >>> from types import SimpleNamespace
            >>> DataFolder(Path("/nowhere")).missing_bytes([SimpleNamespace(name="a.gz", bytes=500)])
            500
        """
        missing = 0
        for file in files:
            size = getattr(file, "bytes", None)
            path = self.file(file.name)
            if path.is_file():
                continue
            if size is None:
                return None
            missing += max(size - PartialDownload.from_target(path).size, 0)
        return missing


def _remove_leftover(path: Path) -> None:
    """Remove what killed downloads left beside a file that is there now; nobody resumes them."""
    partial = PartialDownload.from_target(path)
    if any(left.exists() for left in (partial.path, partial.metadata_path, lock_path(path))):
        # Releasing the lock removes its file; another process may hold it, which then cleans up itself.
        with contextlib.suppress(OSError, Held), hold_lock(path, wait=False):
            partial.remove()


def find_or_fetch(card: Any, folder: DataFolder, find: Callable[[], T | None], expected: str, hint: str = "") -> T:
    """Find data in a folder, after downloading them if they are missing.

    Args:
        card: The card, whose name, files and `by_hand` are used.
        folder: The folder.
        find: Returns the data, or None.
        expected: Names of the accepted files or folders, for the message.
        hint: Further advice, for the message.

    Raises:
        UserError: If the data are missing and cannot be downloaded, or the files of the card are not the data.

    Example:
        >>> from types import SimpleNamespace
        >>> card = SimpleNamespace(name="mine", files=(), by_hand="")
        >>> find_or_fetch(card, DataFolder(Path("/nowhere")), lambda: None, "mine.csv")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine is not in /nowhere. Expected mine.csv. Put it there, name ...
    """
    found = find()
    if found is not None:
        return found
    if card.by_hand:
        advice = f"{card.by_hand.rstrip()} Another folder can be named with --data-dir or BATCHSEL_DATA."
    else:
        advice = "Put it there, name another folder with --data-dir or BATCHSEL_DATA, or allow the download."
    advice = f"Expected {expected}. {advice} {hint}".rstrip()
    if folder.offline or not card.files:
        forbidden = ", and --offline forbids downloading it" if card.files else ""
        raise UserError(f"{card.name} is not in {folder.path}{forbidden}. {advice}")
    for file in card.files:
        folder.fetch(file)
    found = find()
    if found is None:
        raise UserError(f"the files on the card of {card.name} are not a whole data set. {advice} Correct the card.")
    return found


def data_folder(name: str, root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a data set, which may not exist.

    Args:
        name: Name of the data set.
        root: Folder with one folder for each data set; else the environment variable BATCHSEL_DATA, else the
            user's cache folder.

    Raises:
        UserError: If no folder can be there: its path is too long, or may not be searched.

    Example:
        >>> data_folder("mnist", "/data").as_posix()
        '/data/mnist'
    """
    root = root or os.environ.get("BATCHSEL_DATA")
    folder = (Path(root).expanduser() if root else cache_folder()) / name
    try:
        os.stat(folder)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise UserError(
            f"{shorten_path(folder)} cannot be a data folder: {getattr(error, 'strerror', None) or error}. Name another"
            " with --data-dir or BATCHSEL_DATA."
        ) from error
    return folder
