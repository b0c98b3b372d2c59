"""One process, and one thread, at a time makes a file or folder; the others wait for it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None
try:
    import msvcrt
except ImportError:
    msvcrt = None

_PAUSE = 0.1
"""Seconds between two looks at a lock that another holds."""


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Holds the lock on what is to be made at a path while the block runs.

    It is a lock of the operating system on a file `.NAME.lock` beside the path, which is removed afterwards. A
    process that dies lets go of it, even if its file stays.

    Args:
        path: What is to be made; its folder exists.
        waiting: Called once, if another holds the lock.

    Yields:
        Whether the lock is held. False where there are no locks, as on some network file systems: then nobody else
        is kept away.

    Raises:
        OSError: If the folder cannot be written to.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, locked(Path(folder, "train.gz")) as held:
        ...     os.listdir(folder)
        ['.train.gz.lock']
    """
    name = path.with_name(f".{path.name}.lock")
    try:
        descriptor = _wait(name, waiting)
    except _NoLocks:
        name.unlink(missing_ok=True)
        yield False
        return
    try:
        yield True
    finally:
        _release(descriptor, name)


class _NoLocks(Exception):
    """The file system, or the system, knows no locks."""


def _wait(name: Path, waiting: Callable[[], None]) -> int:
    told = False
    while (descriptor := _attempt(name)) is None:
        if not told:
            waiting()
        told = True
        time.sleep(_PAUSE)
    return descriptor


def _attempt(name: Path) -> int | None:
    """An open file on which we hold the lock; None while another does."""
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if _lock(descriptor) and _is_still(descriptor, name):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    try:
        if fcntl:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            raise _NoLocks
    except OSError as error:
        # Windows says of a lock that another holds that permission is denied.
        if isinstance(error, BlockingIOError) or not fcntl:
            return False
        raise _NoLocks from error
    return True


def _is_still(descriptor: int, name: Path) -> bool:
    """Whether the file we locked still has the name: who held the lock before us has removed his."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(name))
    except FileNotFoundError:
        return False


def _release(descriptor: int, name: Path) -> None:
    if fcntl:
        # Removed before it is let go: nobody can have locked a file of this name yet.
        name.unlink(missing_ok=True)
        os.close(descriptor)
    else:
        # Windows removes no file that is open, be it by us or by who comes next.
        os.close(descriptor)
        with contextlib.suppress(OSError):
            name.unlink()
