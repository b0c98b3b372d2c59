"""Timed runs never share a device: one at a time holds a lock, machine-wide."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NAME = "batchsel-device.lock"


@contextlib.contextmanager
def device(exclusive: bool = True) -> Iterator[bool]:
    """Holds the machine's device while the block runs, and says whether it was had alone.

    A run that is timed waits until no other run is under way. Runs that are made several at a time share the
    lock among themselves: they keep timed runs out, and must not be timed.

    Args:
        exclusive: Whether to hold it alone.

    Yields:
        Whether the device was held alone. Always false where the system has no such locks.

    Example:
        >>> with device() as alone:
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
    # One file a user: another user's could not be opened for writing.
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"{user}-{_NAME}"
