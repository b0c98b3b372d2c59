"""The folder of a data set, and files that come into it: whole and right, or not at all.

How they come is in `mirrors.py` (which address, and whether the bytes are right) and `transfer.py` (one address).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from batchsel.data.download.disk_space import check_space
from batchsel.data.download.hashing import sha256_of
from batchsel.data.download.mirrors import RemoteFile, retrieve
from batchsel.data.download.partial_download import PartialFile
from batchsel.errors import UserError

__all__ = ["DataFolder", "RemoteFile", "data_folder", "found_or_fetched", "sha256_of"]

Found = TypeVar("Found")


@dataclass(frozen=True)
class DataFolder:
    """The folder in which the files of one data set lie or will lie.

    Args:
        path: The folder; it need not exist.
        offline: Whether downloads are forbidden.
        progress: Makes a progress bar for a label, see `batchsel.data.download.progress`; None for silence.

    Example:
        >>> DataFolder(Path("/data/mnist")).file("mnist.npz").name
        'mnist.npz'
    """

    path: Path
    offline: bool = False
    progress: Callable[[str], Any] | None = None

    def file(self, name: str) -> Path:
        """The path of a file of the data set, there or not.

        Args:
            name: Its name, relative to the folder.

        Returns:
            The path.

        Raises:
            UserError: If the name, or a link on its way, leads out of the folder.

        Example:
            >>> DataFolder(Path("/data/mnist")).file("../passwords")
            Traceback (most recent call last):
            ...
            batchsel.errors.UserError: '../passwords' leads out of the data folder /data/mnist. ...
        """
        path = self.path / name
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise UserError(
                f"{name!r} leads out of the data folder {self.path}. Expected a plain relative name and no "
                "link to elsewhere; put the file itself there, or name its folder with --data-dir."
            )
        return path

    def fetch(self, file: RemoteFile) -> Path:
        """The path of a file that is there afterwards, downloaded if need be.

        Args:
            file: Name, SHA-256 and addresses of the file. A file that is there already is not hashed: it may
                have been packed anew, and its content is checked when it is read.

        Returns:
            The path.

        Raises:
            UserError: If it is not there and cannot be had: offline, no address gives the right bytes, the
                disk is full or the folder cannot be written to. Nothing that was there is changed.

        Example:
            >>> from types import SimpleNamespace
            >>> file = SimpleNamespace(name="a.gz", sha256="0" * 64, urls=("https://example.org/a.gz",))
            >>> DataFolder(Path("/nowhere"), offline=True).fetch(file)
            Traceback (most recent call last):
            ...
            batchsel.errors.UserError: a.gz is not in /nowhere, and offline nothing is downloaded. ...
        """
        path = self.file(file.name)
        if path.is_file():
            return path
        if self.offline:
            raise UserError(
                f"{file.name} is not in {self.path}, and offline nothing is downloaded. Put it there, name "
                "another folder with --data-dir or BATCHSEL_DATA, or allow the download."
            )
        try:
            check_space(self.path, self.missing_bytes([file]) or 0, file.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            retrieve(file, path, self.progress)
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror or error}. What was there is unharmed; free space, "
                "make the folder writable, or name another with --data-dir or BATCHSEL_DATA."
            ) from error
        return path

    def missing_bytes(self, files: Iterable[RemoteFile]) -> int | None:
        """How much there is to download.

        Args:
            files: Files of the data set.

        Returns:
            Bytes of those that are not there, without what has come of them; None if a size is not known.

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
            missing += max(size - PartialFile.of(path).size, 0)
        return missing


def found_or_fetched(card: Any, folder: DataFolder, find: Callable[[], Found | None], missing: str) -> Found:
    """What is in a data folder, after a download if it was not there.

    Args:
        card: The card: name and files are used.
        folder: The folder.
        find: Looks for it.
        missing: What was expected and what to do, for the message.

    Raises:
        UserError: If it is not there and cannot be downloaded, or the files of the card are not what is looked for.

    Example:
        >>> from types import SimpleNamespace
        >>> card = SimpleNamespace(name="mine", files=())
        >>> found_or_fetched(card, DataFolder(Path("/nowhere")), lambda: None, "Expected mine.csv.")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: mine is not in /nowhere. Expected mine.csv.
    """
    found = find()
    if found is not None:
        return found
    if folder.offline or not card.files:
        raise UserError(f"{card.name} is not in {folder.path}. {missing}")
    for file in card.files:
        folder.fetch(file)
    found = find()
    if found is None:
        raise UserError(f"the files on the card of {card.name} do not make a whole set. {missing} Correct the card.")
    return found


def data_folder(name: str, root: str | os.PathLike[str] | None = None) -> Path:
    """Where the files of a data set lie.

    Args:
        name: Name of the data set.
        root: Folder with one folder for each data set; else the environment variable BATCHSEL_DATA, else the
            user's cache folder.

    Returns:
        The folder of the data set; it need not exist.

    Example:
        >>> data_folder("mnist", "/data").as_posix()
        '/data/mnist'
    """
    root = root or os.environ.get("BATCHSEL_DATA")
    if root:
        return Path(root).expanduser() / name
    import platformdirs

    return platformdirs.user_cache_path("batchsel") / name
