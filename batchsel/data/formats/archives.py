"""Unpack archives safely and completely, and read members of tar archives in place.

An archive comes from the network or from a person, so its contents are not trusted. Python's own filter for tar
archives (PEP 706) is used where it exists; it has been circumvented by chains of links (CVE-2025-4517), so links that
point outside the folder are rejected first. For zip archives Python has no filter: it drops the unsafe pieces of a
name and goes on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from tarfile import ReadError
from typing import Any, Self

from batchsel.core.filesystem.reading import DAMAGED, reading
from batchsel.core.filesystem.temporary import remove_stale, temporary_path
from batchsel.core.locking.locks import hold_lock
from batchsel.data.formats.unpacked_size import check_unpacked_size
from batchsel.data.storage.disk_space import check_disk_space
from batchsel.errors import UserError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
_UNPACKING = ".unpacking"
_LARGEST_MEMBER = 1 << 30
"""Bytes of a member that is read in place; no file of a data set that is read so comes near."""

_LARGEST_HEADER = 1 << 20
_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
"""Members that describe the next one: its long name, and further attributes."""

_tarfile: Any = tarfile  # its type stubs lack the header errors
_NO_HEADER = (_tarfile.EmptyHeaderError, _tarfile.TruncatedHeaderError, _tarfile.InvalidHeaderError)


class _Member(tarfile.TarInfo):
    """Member of an archive whose size is possible; that of a header must fit into memory, because it is read whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.size < 0 or (member.type in _HEADERS and member.size > _LARGEST_HEADER):
            raise ReadError(f"{member.name[:100]!r} has {member.size} bytes")
        return member


class _WholeMember(_Member):
    """Member of an archive that must have an end: tarfile silently takes a truncation for the end."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except _NO_HEADER as error:
            raise ReadError(f"no end of archive: {error}") from error


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive into a folder of its own.

    The members are written to a sibling folder, `.NAME.unpacking`, which is renamed once it is complete. If two
    processes unpack into the same folder, one works and the other waits for it.

    Args:
        archive: The archive, whose name ends with one of `ENDINGS`; it is kept.
        folder: The folder. If it exists and is not empty, it is assumed to hold the contents of the archive.

    Returns:
        The folder.

    Raises:
        UserError: If the archive is missing, damaged or truncated, has members that would be written outside the
            folder, or is larger than the free disk space. The folder does not exist then.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as directory:
        ...     with zipfile.ZipFile(Path(directory, "set.zip"), "w") as archive:
        ...         archive.writestr("train/a.txt", "a")
        ...     folder = unpack(Path(directory, "set.zip"), Path(directory, "set"))
        ...     sorted(path.name for path in folder.rglob("*"))
        ['a.txt', 'train']
    """
    if not archive.name.endswith(ENDINGS):
        raise UserError(f"{archive} cannot be unpacked. Expected a name that ends with {', '.join(ENDINGS)}.")
    if not archive.is_file():
        raise UserError(f"there is no archive {archive}. Put it there, or download it.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with hold_lock(folder) as alone:
            remove_stale(folder.parent)
            if not _is_nonempty(folder):
                _unpack(archive, folder, alone)
            elif alone:
                _remove(_incomplete(folder))
    except OSError as error:
        raise UserError(
            f"cannot unpack {archive} into {folder}: {error.strerror or error}. Nothing of it was kept; free space, "
            "make the folder writable, or name another with --data-dir or BATCHSEL_DATA."
        ) from error
    return folder


def read_tar_members(archive: Path, wanted: Callable[[str], object]) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the wanted files of a .tar.gz archive, in its order; nothing is unpacked.

    Args:
        archive: The archive.
        wanted: Decides by the name of a member, which is not checked, if it is read.

    Raises:
        UserError: If the archive is damaged or truncated.

    Example:
        >>> list(read_tar_members(Path("/nowhere.tar.gz"), lambda name: True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere.tar.gz: No such file or directory. Check ...
    """
    with reading(archive), tarfile.open(archive, "r:gz", tarinfo=_Member) as opened:
        total, packed = 0, archive.stat().st_size
        for member in opened:
            check_unpacked_size(archive, member.offset_data, packed)  # also of members that are not read
            if not member.isfile() or not wanted(member.name):
                continue
            if member.size > _LARGEST_MEMBER:
                raise UserError(
                    f"{archive} {DAMAGED}: its member {member.name!r} has {member.size:,} bytes. Delete it and download"
                    " it again."
                )
            total += member.size
            check_unpacked_size(archive, total, packed)
            file = opened.extractfile(member)
            if file is not None:
                yield member.name, file.read()


def _is_nonempty(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _unpack(archive: Path, folder: Path, alone: bool) -> None:
    beside = _incomplete(folder) if alone else temporary_path(folder, _UNPACKING)
    # A process that was killed while unpacking leaves it behind.
    _remove(beside)
    try:
        beside.mkdir()
        _extract(archive, beside)
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
        os.rename(beside, folder)
    finally:
        _remove(beside)


def _incomplete(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{_UNPACKING}")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _extract(archive: Path, folder: Path) -> None:
    remedy = "Expected a whole archive; delete it and download it again."
    # Errors of the operating system are those of writing: a full disk is no fault of the archive.
    with reading(archive, remedy=remedy, writes=True):
        if archive.name.endswith(".zip"):
            _extract_zip(archive, folder)
        else:
            _extract_tar(archive, folder)


def _extract_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        total = 0
        for member in opened.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _unsafe_member(archive, member.filename, "is a link or a device")
            if member.flag_bits & 1:
                raise _unsafe_member(archive, member.filename, "is encrypted")
            _check_name(archive, member.filename)
            total += member.file_size
        check_disk_space(folder.parent, total, f"{archive.name}, unpacked,")
        opened.extractall(folder)


def _extract_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, tarinfo=_WholeMember) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None) or (lambda member, path: member)
        total, free = 0, shutil.disk_usage(folder).free
        for member in opened:
            _check_member(archive, member)
            total += member.size
            # Checked at every member, because an archive bomb may never come to its end.
            if total > free:
                check_disk_space(folder.parent, total, f"{archive.name}, unpacked,")
        _read_to_the_end(opened)
        try:
            opened.extractall(folder)
        except getattr(tarfile, "FilterError", ()) as error:
            raise _unsafe_member(archive, error.tarinfo.name, f"is not safe ({error})") from error


def _read_to_the_end(opened: tarfile.TarFile) -> None:
    # The checksum of gzip is at its end, which tarfile does not read.
    while opened.fileobj is not None and opened.fileobj.read(1 << 20):
        pass


def _check_member(archive: Path, member: tarfile.TarInfo) -> None:
    _check_name(archive, member.name)
    if member.size < 0:
        raise ReadError(f"{member.name!r} has {member.size} bytes")
    if member.issym() or member.islnk():
        if _points_outside(member.linkname):
            raise _unsafe_member(archive, member.name, f"is a link to {member.linkname!r}, out of the folder")
    elif not member.isreg() and not member.isdir():
        raise _unsafe_member(archive, member.name, "is a device or a pipe")


def _check_name(archive: Path, name: str) -> None:
    if _points_outside(name):
        raise _unsafe_member(archive, name, "leads out of the folder")


def _points_outside(name: str) -> bool:
    windows = PureWindowsPath(name)  # knows both slashes
    return bool(windows.drive or windows.root) or PurePosixPath(name).is_absolute() or ".." in windows.parts


def _unsafe_member(archive: Path, name: str, why: str) -> UserError:
    return UserError(
        f"{archive} was not unpacked: its member {name!r} {why}. Expected plain files and folders; get it "
        "from the homepage of the data set, or inspect it."
    )
