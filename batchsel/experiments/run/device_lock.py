"""Lock of the machine's device: one timed run at a time."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NAME = "batchsel-device.lock"


@contextlib.contextmanager
def lock_device(exclusive: bool = True) -> Iterator[bool]:
    """Hold the machine's device while the block runs.

    A timed run waits until no other run is under way. Runs that are started several at a time share the lock: they
    keep timed runs out, and must not be timed.

    Args:
        exclusive: Whether to hold it alone.

    Yields:
        Whether the device was held alone. Always false where the system has no such locks.

    Example:
        >>> with lock_device() as alone:
        ...     pass
    """
    try:
        import fcntl
    except ImportError:
        yield False
        return
    with open(_path(), "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield exclusive


def _path() -> Path:
    # One file per user: another user's could not be opened for writing.
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"{user}-{_NAME}"
