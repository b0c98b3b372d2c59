"""Temporary files and folders whose names state their writer, and removal of those whose writer is gone.

A killed process leaves its temporary files behind. The name says which process of which machine wrote them, so that
the next process that writes into the folder can tell them from those of a living one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import secrets
import shutil
import time
from pathlib import Path

from batchsel.core.locking.holder import DEAD, RUNNING, STOPPED, UNKNOWN, Holder

MAX_AGE = 7 * 24 * 3600.0
"""Seconds without a change after which the files of a process that cannot be looked up are stale."""
# The second form is that of version 0.1, whose names do not state the machine.
_NAME = re.compile(r"\..+\.(?:tmp-(?P<space>[0-9a-f]{8})-(?P<pid>\d+)-(?P<born>\d*)|\d+)-[0-9a-f]{8}(?:\.[^/]+)?")
_LONGEST = 60
_searched: set[str] = set()


def temporary_path(path: Path, ending: str | None = None) -> Path:
    """Return the path of a temporary file or folder beside a path; the name states this process.

    Args:
        path: What it will become.
        ending: End of the name, with its dot; by default, the suffix of the path, after its stem.

    Example:
        >>> temporary_path(Path("runs/a.npz")).suffix, temporary_path(Path("a.npz"), ".part").name[:11]
        ('.npz', '.a.npz.tmp-')
    """
    stem, ending = (path.stem, path.suffix) if ending is None else (path.name, ending)
    own = Holder.this_process()
    writer = f"tmp-{_hash(own.space)}-{own.pid}-{own.born}-{secrets.token_hex(4)}"
    return path.with_name(f".{stem[:_LONGEST]}.{writer}{ending}")


def remove_stale(folder: Path) -> None:
    """Remove temporary files and folders of writers that are gone; once per process and folder.

    Those of living processes are kept, and those of other machines, which share the folder, for a week after their
    last change.

    Args:
        folder: The folder, which need not exist. What cannot be removed is left.

    Example:
        >>> remove_stale(Path("/nowhere"))
    """
    key = os.path.abspath(folder)
    if key in _searched:
        return
    _searched.add(key)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and _is_stale(match, entry):
                _remove(entry)


def _is_stale(match: re.Match[str], entry: os.DirEntry[str]) -> bool:
    state = _writer_state(match)
    if state in (RUNNING, STOPPED):
        return False
    if state == DEAD:
        return True
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > MAX_AGE
    except OSError:
        return False


def _writer_state(match: re.Match[str]) -> str:
    own = Holder.this_process()
    # On Windows a process cannot be asked for without disturbing it.
    if match["space"] != _hash(own.space) or os.name == "nt":
        return UNKNOWN
    return dataclasses.replace(own, pid=int(match["pid"]), born=match["born"]).state()


def _remove(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _hash(space: str) -> str:
    return hashlib.sha256(space.encode(errors="surrogateescape")).hexdigest()[:8]
