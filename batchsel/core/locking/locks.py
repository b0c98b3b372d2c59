"""File locks: one process, and one thread, at a time does a thing; the others wait for it or are refused.

Every lock of batchsel is taken here, so that all of them go on, and say so once, where a file system has no locks.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from batchsel.core.locking.holder import Holder

try:
    import fcntl
except ImportError:
    fcntl = None
try:
    import msvcrt
except ImportError:
    msvcrt = None

PAUSE = 0.1
"""Seconds between two attempts at a lock that another process holds."""

_TWICE = "Going on without the lock: several processes at once may do the same work."

_reported: set[str] = set()


class NoLocks(Exception):
    """The operating system, or the file system, has no locks."""


class Held(Exception):
    """Another process holds the lock.

    Args:
        holder: The process; None if it is unknown.
    """

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(str(holder))
        self.holder = holder


def try_lock(descriptor: int, exclusive: bool = True) -> bool:
    """Lock an open file, and return whether that succeeded; if not, another process holds the lock.

    Args:
        descriptor: The file; closing it releases the lock.
        exclusive: Whether to hold the lock alone, rather than to share it.

    Raises:
        NoLocks: If the system or the file system has no such locks, as some network file systems (ENOLCK).
    """
    try:
        if fcntl:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        elif msvcrt and exclusive:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            raise NoLocks("this system has no locks that are shared")
    except OSError as error:
        # Windows denies permission for a lock that another process holds.
        if isinstance(error, BlockingIOError) or not fcntl:
            return False
        raise NoLocks(error.strerror or str(error)) from error
    return True


def wait_for_lock(
    descriptor: int, pause: float = 0.002, on_wait: Callable[[], None] = lambda: None, patience: float = 3.0
) -> None:
    """Lock an open file alone, once no other process holds the lock; for locks that are held for moments only.

    On Windows it does nothing, because locks there apply to bytes at a position in the file.

    Args:
        descriptor: The file.
        pause: Seconds between two attempts.
        on_wait: Called once, if another process holds the lock for so long that it may be stopped.
        patience: Seconds after which that is so.

    Raises:
        NoLocks: As `try_lock`.
    """
    start = time.monotonic()
    while fcntl and not try_lock(descriptor):
        if start is not None and time.monotonic() - start >= patience:
            on_wait()
            start = None
        time.sleep(pause)


def unlock(descriptor: int) -> None:
    """Release a lock, also where a child process has inherited the open file.

    Args:
        descriptor: The file.
    """
    if fcntl:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def report_no_locks(path: Path, reason: object, consequence: str) -> None:
    """Say on standard error, once for each consequence, that something goes on without its lock.

    Args:
        path: The file that could not be locked.
        reason: The reason, as the system states it.
        consequence: A sentence: what the user should know or do.
    """
    if consequence not in _reported:
        _reported.add(consequence)
        print(f"cannot lock {path}: {reason}. {consequence}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def hold_lock(
    path: Path, on_wait: Callable[[], None] = lambda: None, wait: bool = True, without: str = _TWICE
) -> Iterator[bool]:
    """Hold the lock on the creation of a path while the block runs.

    It is a lock of the operating system on a file `.NAME.lock` beside the path, which says who holds it and is removed
    afterwards. A process that dies releases it, even if its file remains.

    Args:
        path: The file or folder to be created; its parent exists.
        on_wait: Called once, if another process holds the lock.
        wait: Whether to wait for that process.
        without: Sentence for the user where there are no locks.

    Yields:
        True if the lock is held. False if the file system has no locks, as some network file systems: then other
        processes are not kept away.

    Raises:
        OSError: If the folder cannot be written to.
        Held: If another process holds the lock, and `wait` is false.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, hold_lock(Path(folder, "train.gz")) as held:
        ...     os.listdir(folder)
        ['.train.gz.lock']
    """
    name = lock_path(path)
    try:
        descriptor = _wait(name, on_wait, wait)
    except NoLocks as error:
        name.unlink(missing_ok=True)
        report_no_locks(path, error, without)
        descriptor = None
    if descriptor is None:
        yield False
        return
    try:
        with contextlib.suppress(OSError):  # a full disk
            os.write(descriptor, Holder.this_process().to_line())
        yield True
    finally:
        _release(descriptor, name)


def lock_path(path: Path) -> Path:
    """Return the file that `hold_lock` locks for a path.

    Example:
        >>> lock_path(Path("/data/train.gz")).as_posix()
        '/data/.train.gz.lock'
    """
    return path.with_name(f".{path.name}.lock")


def _wait(name: Path, on_wait: Callable[[], None], wait: bool) -> int:
    waited = False
    while (descriptor := _attempt(name)) is None:
        if not wait:
            raise Held(_read_holder(name))
        if not waited:
            on_wait()
        waited = True
        time.sleep(PAUSE)
    return descriptor


def _attempt(name: Path) -> int | None:
    """Return an open file whose lock we hold; None while another process holds it."""
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if try_lock(descriptor) and _is_current(descriptor, name):
            os.ftruncate(descriptor, 0)  # the name of a process that was killed
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_current(descriptor: int, name: Path) -> bool:
    """Return whether the file we locked still has the name: the previous holder of the lock removes its file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(name))
    except FileNotFoundError:
        return False


def _read_holder(name: Path) -> Holder | None:
    try:
        return Holder.from_line(name.read_bytes())
    except OSError:  # released meanwhile; on Windows, not readable
        return None


def _release(descriptor: int, name: Path) -> None:
    if fcntl:
        # Removed before it is released: nobody can have locked a file of this name yet.
        name.unlink(missing_ok=True)
        unlock(descriptor)
        os.close(descriptor)
    else:
        # Windows cannot remove a file that is open, whether here or in the next process.
        os.close(descriptor)
        with contextlib.suppress(OSError):
            name.unlink()
