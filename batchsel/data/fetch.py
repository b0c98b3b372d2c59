"""The folder of a data set, and files that come into it: whole and right, or not at all.

A download is written to a temporary name beside its place and renamed only when its SHA-256 is right. What is
not right is kept as `NAME.corrupt`, for looking at, and is never read.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from batchsel.errors import UserError

_CHUNK = 1 << 16  # pooch's own 1 kB costs a system call and a progress update each


Found = TypeVar("Found")


class RemoteFile(Protocol):
    """What is needed to know of a file: its plain name, its SHA-256, its addresses."""

    name: str
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class DataFolder:
    """The folder in which the files of one data set lie or will lie.

    Args:
        path: The folder; it need not exist.
        offline: Whether downloads are forbidden.
        progress: Makes a progress bar for a label, see `batchsel.data.progress`; None for silence.

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
            path.parent.mkdir(parents=True, exist_ok=True)
            return self._download(file, path)
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror or error}. What was there is unharmed; free space, "
                "make the folder writable, or name another with --data-dir or BATCHSEL_DATA."
            ) from error

    def _download(self, file: RemoteFile, path: Path) -> Path:
        failures = []
        for url in file.urls:
            temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
            try:
                failure = self._attempt(url, temporary, path, file.sha256)
            finally:
                temporary.unlink(missing_ok=True)
            if failure is None:
                return path
            failures.append(f"\n  {url}: {failure}")
        raise UserError(
            f"{file.name} could not be downloaded:{''.join(failures)}\n"
            f"Check the network and try again, or get the file elsewhere (SHA-256 {file.sha256}) and put it "
            f"into {self.path}."
        )

    def _attempt(self, url: str, temporary: Path, path: Path, sha256: str) -> str | None:
        """One try at one address: None if the file is in its place now, else what went wrong."""
        broken = _retrieve(url, temporary, self.progress)
        if not temporary.exists() or not temporary.stat().st_size:
            return broken or "the answer was empty"
        found = sha256_of(temporary)
        if found == sha256:
            os.replace(temporary, path)
            return None
        aside = path.with_name(f"{path.name}.corrupt")
        os.replace(temporary, aside)
        reason = broken or f"wrong content, SHA-256 {found[:8]}... instead of {sha256[:8]}..."
        return f"{reason}; what came is kept as {aside}"


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


def sha256_of(path: Path) -> str:
    """SHA-256 of the bytes of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> sha256_of(Path(__file__)) == sha256_of(Path(__file__))
        True
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _retrieve(url: str, target: Path, progress: Callable[[str], Any] | None) -> str | None:
    import pooch
    import requests
    import urllib3

    bar = progress(url.rpartition("/")[2]) if progress else None
    try:
        # Identity: a server that packs on the fly would have its answer unpacked, and the hash is of the file
        # as it is.
        headers = {"Accept-Encoding": "identity"}
        download = pooch.HTTPDownloader(progressbar=bar or False, chunk_size=_CHUNK, headers=headers)
        download(url, str(target), None)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        if bar is not None:
            bar.close()
    return None
