"""Atomic writes: a file of results is complete or not written at all.

What stands at its path is never replaced. A new file and the content of a regular one change at once; whatever else
stands there is written through: the file behind a symbolic link, all names of a file with hard links, devices, pipes
and standard output.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from batchsel.core.filesystem.temporary import remove_stale, temporary_path
from batchsel.errors import UserError

STANDARD_OUTPUT = Path("/dev/stdout")
# To open these by name would begin a file anew that a shell has opened for several commands.
_DESCRIPTOR = re.compile(r"/dev/(?P<name>stdout|stderr)|/(?:dev|proc/self)/fd/(?P<number>\d+)")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path; its content takes the place of the file's only if the block succeeds.

    Mode and owner of a file that is there stay. Temporary files that killed processes left in the folder are removed.

    Args:
        path: The file to write, or a link, device or pipe.

    Yields:
        A path with the same suffix.

    Raises:
        UserError: If the path is a folder, the folder is missing or not writable, or the disk is full. An existing
            file stays as it was.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with atomic_write(Path(folder, "a.txt")) as temporary:
        ...         _ = temporary.write_text("done")
        ...     Path(folder, "a.txt").read_text(), len(os.listdir(folder))
        ('done', 1)
    """
    try:
        with ExitStack() as cleanup:
            target, status = _find(path)
            beside = not is_stream(path) and (status is None or os.access(target.parent, os.W_OK))
            if beside:
                remove_stale(target.parent)
                temporary = temporary_path(target)
                cleanup.callback(temporary.unlink, missing_ok=True)
            else:
                folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="batchsel-"))
                temporary = Path(folder, f"output{path.suffix}")
            yield temporary
            if beside and _inherit(temporary, status):
                os.replace(temporary, target)
            else:
                _copy(temporary, target)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _DESCRIPTOR.fullmatch(str(path)):
            raise  # its reader, such as head, has seen enough
        raise UserError(_refusal(path, error)) from error


def check_output(path: Path) -> None:
    """Check that a file can be written, before anything is computed for it.

    Raises:
        UserError: If it cannot be; see `atomic_write`.

    Example:
        >>> check_output(Path("/nowhere/a.csv"))
        Traceback (most recent call last):
        batchsel.errors.UserError: cannot write /nowhere/a.csv: No such file or directory. An existing file is unharmed.
        Choose a folder that exists, is writable and has space.
    """
    try:
        target, status = _find(path)
        if status is None:
            os.stat(target.parent)
            if not os.access(target.parent, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(_refusal(path, error)) from error


def is_stream(path: Path) -> bool:
    """Return True for what is written from beginning to end and has no content of its own, as a device or a pipe."""
    try:
        return _DESCRIPTOR.fullmatch(str(path)) is not None or not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _find(path: Path) -> tuple[Path, os.stat_result | None]:
    """Return the file behind links and its status, None if it is new."""
    if match := _DESCRIPTOR.fullmatch(str(path)):
        return path, os.fstat(_number(match))
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return Path(os.path.realpath(path)), None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISBLK(status.st_mode):
        raise OSError(errno.EINVAL, "it is a disk")
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return (Path(os.path.realpath(path)) if stat.S_ISREG(status.st_mode) else path), status


def _inherit(temporary: Path, status: os.stat_result | None) -> bool:
    """Give mode and owner of a file to the one that replaces it; return whether it then stands for the old one."""
    if status is None:
        return True
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        return False
    # The owner first, because a change of owner clears bits of the mode.
    made = os.stat(temporary)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        with suppress(OSError, AttributeError):
            os.chown(temporary, status.st_uid, status.st_gid)
        made = os.stat(temporary)
    os.chmod(temporary, stat.S_IMODE(status.st_mode))
    return (made.st_uid, made.st_gid) == (status.st_uid, status.st_gid)


def _copy(temporary: Path, target: Path) -> None:
    with open(temporary, "rb") as source, _open(target) as sink:
        shutil.copyfileobj(source, sink)


@contextmanager
def _open(target: Path) -> Iterator[BinaryIO]:
    match = _DESCRIPTOR.fullmatch(str(target))
    if match is None:
        with open(target, "wb") as file:
            yield file
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    standard = {1: sys.stdout, 2: sys.stderr}.get(_number(match))
    if standard is not None and hasattr(standard, "buffer"):
        yield standard.buffer
        standard.buffer.flush()
    else:
        with open(os.dup(_number(match)), "wb") as file:
            yield file


def _number(match: re.Match[str]) -> int:
    return {"stdout": 1, "stderr": 2}[match["name"]] if match["name"] else int(match["number"])


def _refusal(path: Path, error: OSError) -> str:
    return (
        f"cannot write {path}: {error.strerror or error}. An existing file is unharmed. Choose a folder that exists, "
        "is writable and has space."
    )
