"""From an archive to a folder: whole, inside that folder, and within the space there is, or not at all.

An archive comes from the network or from a person, so nothing that it says is believed. Python's own guard for tar
archives (PEP 706) is used where there is one; it has been circumvented by chains of links (CVE-2025-4517), therefore
links that climb are refused before it is asked. For zip archives Python has none: it drops what is wrong in a name and
goes on.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import secrets
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from batchsel.data.download.disk_space import check_space
from batchsel.data.download.locks import locked
from batchsel.errors import UserError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
)


class _WholeMember(tarfile.TarInfo):
    """A member of an archive that has an end: tarfile takes what follows a cut for the end, silently."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(archive)
        except (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError, tarfile.InvalidHeaderError) as error:
            raise tarfile.ReadError(f"no end of archive: {error}") from error


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks an archive into a folder of its own.

    Everything is written to a folder beside it, `.NAME.unpacking`, which gets its name when it is whole. When two
    processes unpack into the same folder at once, one does and the other waits for it.

    Args:
        archive: The archive, one of `ENDINGS`; it stays.
        folder: The folder. If it is there and has anything in it, it is taken for what the archive holds.

    Returns:
        The folder.

    Raises:
        UserError: If the archive is missing, damaged or cut off, has members that would be written outside the
            folder, or is larger than the space there is. The folder is not there then.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as place:
        ...     with zipfile.ZipFile(Path(place, "set.zip"), "w") as archive:
        ...         archive.writestr("train/a.txt", "a")
        ...     folder = unpack(Path(place, "set.zip"), Path(place, "set"))
        ...     sorted(path.name for path in folder.rglob("*"))
        ['a.txt', 'train']
    """
    if not archive.name.endswith(ENDINGS):
        raise UserError(f"{archive} cannot be unpacked. Expected a name that ends with {', '.join(ENDINGS)}.")
    if not archive.is_file():
        raise UserError(f"there is no archive {archive}. Put it there, or fetch it.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder) as alone:
            if not _is_filled(folder):
                _unpack(archive, folder, alone)
    except OSError as error:
        raise UserError(
            f"cannot unpack {archive} into {folder}: {error.strerror or error}. Nothing of it was kept; free space, "
            "make the folder writable, or name another with --data-dir or BATCHSEL_DATA."
        ) from error
    return folder


def _is_filled(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _unpack(archive: Path, folder: Path, alone: bool) -> None:
    own = "" if alone else f".{os.getpid()}-{secrets.token_hex(4)}"
    beside = folder.with_name(f".{folder.name}{own}.unpacking")
    # Whoever was killed while unpacking left it.
    _remove(beside)
    try:
        beside.mkdir()
        _extract(archive, beside)
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
        os.rename(beside, folder)
    finally:
        _remove(beside)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _extract(archive: Path, folder: Path) -> None:
    try:
        if archive.name.endswith(".zip"):
            _extract_zip(archive, folder)
        else:
            _extract_tar(archive, folder)
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError(
            f"{archive} is damaged or cut off ({type(error).__name__}: {error}). Expected a whole archive; delete it "
            "and get it anew."
        ) from error


def _extract_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        total = 0
        for member in opened.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, member.filename, "is a link or a device")
            if member.flag_bits & 1:
                raise _refused(archive, member.filename, "is encrypted")
            _check_name(archive, member.filename)
            total += member.file_size
        check_space(folder.parent, total, f"{archive.name}, unpacked,")
        opened.extractall(folder)


def _extract_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, tarinfo=_WholeMember) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None) or (lambda member, path: member)
        total, free = 0, shutil.disk_usage(folder).free
        for member in opened:
            _check_member(archive, member)
            total += member.size
            # Not only at the end, which a bomb may not come to in our time.
            if total > free:
                check_space(folder.parent, total, f"{archive.name}, unpacked,")
        _read_to_the_end(opened)
        try:
            opened.extractall(folder)
        except getattr(tarfile, "FilterError", ()) as error:
            raise _refused(archive, error.tarinfo.name, f"is not safe ({error})") from error


def _read_to_the_end(opened: tarfile.TarFile) -> None:
    # The check sum of gzip stands at its end, which tarfile does not ask for.
    while opened.fileobj.read(1 << 20):
        pass


def _check_member(archive: Path, member: tarfile.TarInfo) -> None:
    _check_name(archive, member.name)
    if member.size < 0:
        raise tarfile.ReadError(f"{member.name!r} has {member.size} bytes")
    if member.issym() or member.islnk():
        if _climbs(member.linkname):
            raise _refused(archive, member.name, f"is a link to {member.linkname!r}, out of the folder")
    elif not member.isreg() and not member.isdir():
        raise _refused(archive, member.name, "is a device or a pipe")


def _check_name(archive: Path, name: str) -> None:
    if _climbs(name):
        raise _refused(archive, name, "leads out of the folder")


def _climbs(name: str) -> bool:
    windows = PureWindowsPath(name)  # knows both slashes
    return bool(windows.drive or windows.root) or PurePosixPath(name).is_absolute() or ".." in windows.parts


def _refused(archive: Path, name: str, why: str) -> UserError:
    return UserError(
        f"{archive} was not unpacked: its member {name!r} {why}. Expected plain files and folders; get it "
        "from where the data set is at home, or look at it yourself."
    )
