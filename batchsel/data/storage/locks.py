"""Locks: one process, and one thread, at a time creates a file or folder; the others wait for it."""

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
"""Seconds between two attempts at a lock that another process holds."""


@contextlib.contextmanager
def hold_lock(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Hold the lock on the creation of a path while the block runs.

    It is a lock of the operating system on a file `.NAME.lock` beside the path, which is removed afterwards. A
    process that dies releases it, even if its file remains.

    Args:
        path: The file or folder to be created; its parent exists.
        on_wait: Called once, if another process holds the lock.

    Yields:
        True if the lock is held. False if the file system has no locks, as some network file systems: then other
        processes are not kept away.

    Raises:
        OSError: If the folder cannot be written to.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, hold_lock(Path(folder, "train.gz")) as held:
        ...     os.listdir(folder)
        ['.train.gz.lock']
    """
    name = path.with_name(f".{path.name}.lock")
    try:
        descriptor = _wait(name, on_wait)
    except _NoLocks:
        name.unlink(missing_ok=True)
        yield False
        return
    try:
        yield True
    finally:
        _release(descriptor, name)


class _NoLocks(Exception):
    """The operating system, or the file system, has no locks."""


def _wait(name: Path, on_wait: Callable[[], None]) -> int:
    waited = False
    while (descriptor := _attempt(name)) is None:
        if not waited:
            on_wait()
        waited = True
        time.sleep(_PAUSE)
    return descriptor


def _attempt(name: Path) -> int | None:
    """Return an open file whose lock we hold; None while another process holds it."""
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if _lock(descriptor) and _is_current(descriptor, name):
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
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            raise _NoLocks
    except OSError as error:
        # Windows denies permission for a lock that another process holds.
        if isinstance(error, BlockingIOError) or not fcntl:
            return False
        raise _NoLocks from error
    return True


def _is_current(descriptor: int, name: Path) -> bool:
    """Return whether the file we locked still has the name: the previous holder of the lock removes its file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(name))
    except FileNotFoundError:
        return False


def _release(descriptor: int, name: Path) -> None:
    if fcntl:
        # Removed before it is released: nobody can have locked a file of this name yet.
        name.unlink(missing_ok=True)
        os.close(descriptor)
    else:
        # Windows cannot remove a file that is open, whether here or in the next process.
        os.close(descriptor)
        with contextlib.suppress(OSError):
            name.unlink()
