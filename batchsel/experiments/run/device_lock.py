"""Locks of the machine's devices: one timed run at a time on each, and none beside runs that are not timed.

A timed run on GPUs holds these alone; one on the CPU holds everything alone; runs that share a device share everything.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from batchsel.core.locking import gpus, locks
from batchsel.core.locking.holder import DEAD, STOPPED, Holder
from batchsel.core.locking.locks import NoLocks, report_no_locks, try_lock, unlock

PATIENCE = 60.0
"""Seconds after which a run no longer waits for processes that are stopped or dead."""
_NAME = "batchsel-device"
_QUIET = 1.0
"""Seconds of waiting before anything is said, and between two looks at who holds the lock."""
_RELEASED = b"released "
_UNTIMED = (
    "Other runs may use the device at the same time, so the seconds of runs do not count. Set TMPDIR to a folder on a"
    " local disk."
)


def print_line(line: str) -> None:
    """Print a line on standard error."""
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def lock_device(
    exclusive: bool = True, on_wait: Callable[[str], None] = print_line, used: Sequence[str] = ()
) -> Iterator[bool]:
    """Hold the devices of a run while the block runs.

    A timed run waits until no other run is under way. Runs that are started several at a time share the lock: they
    keep timed runs out, and must not be timed. The lock file says who holds it. If all of them are stopped (as by
    SIGSTOP or Ctrl-Z), or dead while a child process keeps the file open, for `PATIENCE` seconds, the run goes on
    without the lock and must not be timed; nor is it where the file cannot be locked at all.

    Args:
        exclusive: Whether to hold it alone.
        on_wait: Called with a line that says who holds the device, when the run has to wait for it, and whenever that
            changes.
        used: Numbers of the GPUs that the run uses; none for a run on the CPU.

    Yields:
        Whether the device was held alone. Always false where the system has no such locks.

    Example:
        >>> with lock_device() as alone:
        ...     pass
    """
    # Always in the same order, so that no two runs wait for each other.
    names = sorted(used, key=int) if exclusive and used else ["", *gpus.installed()]
    with contextlib.ExitStack() as stack:
        held = True
        for path in map(_path, names):
            try:
                file = stack.enter_context(open(path, "ab+"))
                if got := _wait(file, exclusive, on_wait):
                    stack.callback(_release, file, exclusive)
                held = held and got
            except (OSError, NoLocks) as error:
                report_no_locks(path, getattr(error, "strerror", None) or error, _UNTIMED)
                held = False
        yield held and exclusive


def _wait(file: IO[bytes], exclusive: bool, on_wait: Callable[[str], None]) -> bool:
    """Return True with the lock, or False if its holders have not been running for too long."""
    told: set[object] = set()
    idle_since, look = None, time.monotonic() + _QUIET
    while not _attempt(file, exclusive):
        now = time.monotonic()
        if now >= look:
            look = now + _QUIET
            holders = _read_holders(file)
            text = " and ".join(map(str, holders)) or "another run"
            # A comparison holds it anew for each of its runs, which is no news.
            news = tuple((holder.pid, holder.state()) for holder in holders)
            if news not in told and (news or not told):
                on_wait(f"waiting for the device, which is held by {text}")
                told.add(news)
            if not holders or any(holder.state() not in (STOPPED, DEAD) for holder in holders):
                idle_since = None
            elif idle_since is None:
                idle_since = now
            if idle_since is not None and now - idle_since >= PATIENCE:
                on_wait(f"{text} has not been running for {PATIENCE:g} s: going on, and the seconds will not count")
                return False
        time.sleep(locks.PAUSE)
    return True


def _attempt(file: IO[bytes], exclusive: bool) -> bool:
    """Try to get the lock, and write down who has it."""
    descriptor = file.fileno()
    if not locks.fcntl:
        raise NoLocks("this system has no locks that are shared")
    held = try_lock(descriptor)
    if held:
        _truncate(file)  # what earlier holders have left
    if not exclusive:
        held = try_lock(descriptor, exclusive=False)
    if held:
        _write(file, Holder.this_process().to_line())
    return held


def _release(file: IO[bytes], exclusive: bool) -> None:
    if exclusive:
        _truncate(file)
    else:
        _write(file, _RELEASED + Holder.this_process().to_line())
    unlock(file.fileno())


def _truncate(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)


def _write(file: IO[bytes], line: bytes) -> None:
    with contextlib.suppress(OSError):  # a full disk: the lock is held all the same
        os.write(file.fileno(), line)


def _read_holders(file: IO[bytes]) -> list[Holder]:
    """Return those that hold the lock: several if they share it."""
    holders: dict[int, Holder] = {}
    try:
        lines = os.pread(file.fileno(), 1 << 20, 0).splitlines()
    except OSError:
        return []
    for line in lines:
        holder = Holder.from_line(line.removeprefix(_RELEASED))
        if holder is None:
            continue
        holders.pop(holder.pid, None)
        if not line.startswith(_RELEASED):
            holders[holder.pid] = holder
    return list(holders.values())


def _path(gpu: str = "") -> Path:
    # One file per user: another user's could not be opened for writing.
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"{user}-{_NAME}{f'-gpu{gpu}' if gpu else ''}.lock"
