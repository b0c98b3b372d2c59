"""Holder of a lock: the process that a lock file names, and whether it is running, stopped or dead."""

from __future__ import annotations

import datetime
import functools
import json
import os
import shlex
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from batchsel.core.filesystem.json_text import parse_json

RUNNING, STOPPED, DEAD, UNKNOWN = "running", "stopped", "dead", "unknown"
_MAX_COMMAND = 200


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock, as it writes itself into the lock file.

    Args:
        pid: Its ID.
        command: Its command line.
        since: Time since when it holds the lock.
        born: Start of the process in ticks since boot, by which another process with the same ID is told apart.
        space: Machine and name space of process IDs; the state of a process of another one is unknown.
    """

    pid: int
    command: str
    since: str
    born: str = ""
    space: str = ""

    @classmethod
    def this_process(cls) -> Holder:
        """Return this process, as holder from now on.

        Example:
            >>> Holder.this_process().pid == os.getpid(), Holder.this_process().state()
            (True, 'running')
        """
        since = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        born = (_process_stat(os.getpid()) or ("", ""))[1]
        return cls(os.getpid(), _command(), since, born, _space())

    @classmethod
    def from_line(cls, line: bytes) -> Holder | None:
        """Return the holder that a line of a lock file states, or None for any other line.

        Example:
            >>> Holder.from_line(b"half a li") is None
            True
        """
        try:
            values = parse_json(line)
            holder = cls(**{item.name: values[item.name] for item in fields(cls)})
        except (ValueError, KeyError, TypeError):
            return None
        return holder if isinstance(holder.pid, int) else None

    def to_line(self) -> bytes:
        """Return a line for `from_line`."""
        return json.dumps(asdict(self)).encode() + b"\n"

    def state(self) -> str:
        """Return "running", "stopped" (as by SIGSTOP or Ctrl-Z), "dead", or "unknown" on other machines."""
        if self.space != _space():
            return UNKNOWN
        if not Path("/proc/self/stat").exists():
            return _state_by_signal(self.pid)
        stat = _process_stat(self.pid)
        if stat is None or stat[1] != self.born or stat[0] in "ZX":
            return DEAD
        return STOPPED if stat[0] in "Tt" else RUNNING

    def __str__(self) -> str:
        state = self.state()
        note = f", which is {state}" if state in (STOPPED, DEAD) else ""
        return f"`{self.command}` (process {self.pid}{note})" + (f" since {self.since}" if self.since else "")


def find_users(path: Path) -> list[Holder]:
    """Return the other processes that have a file open, as far as this user may look into them; none without /proc.

    A lock on a file of records is not written down anywhere: its holder is one of these.

    Args:
        path: The file.

    Example:
        >>> find_users(Path("/nowhere"))
        []
    """
    try:
        own, numbers = os.stat(path), [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    return [_of_process(pid) for pid in sorted(numbers) if pid != os.getpid() and _has_open(pid, own)]


def _has_open(pid: int, wanted: os.stat_result) -> bool:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(_is_same(entry, wanted) for entry in entries)
    except OSError:  # ended, or of another user
        return False


def _is_same(entry: os.DirEntry[str], wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(entry.stat(), wanted)
    except OSError:
        return False


def _of_process(pid: int) -> Holder:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").rstrip("\0").split("\0")
    except OSError:
        words = ["?"]
    return Holder(pid, _shortened(shlex.join(words)), "", (_process_stat(pid) or ("", ""))[1], _space())


def _process_stat(pid: int) -> tuple[str, str] | None:
    """Return the state and the start of a process; None if there is none, or no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    values = text.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    return values[0], values[19]


def _state_by_signal(pid: int) -> str:
    if os.name == "nt":
        return UNKNOWN  # signal 0 is Ctrl-C there, and reaches every process of the console
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return DEAD
    except OSError:
        return UNKNOWN
    return RUNNING


@functools.cache
def _space() -> str:
    parts = [os.uname().nodename if hasattr(os, "uname") else ""]
    for name, read in (("/proc/sys/kernel/random/boot_id", Path.read_text), ("/proc/self/ns/pid", os.readlink)):
        try:
            parts.append(str(read(Path(name))).strip())
        except OSError:
            parts.append("")
    return " ".join(parts)


def _command() -> str:
    path = Path(sys.argv[0] if sys.argv else "")
    name = path.parent.name if path.name == "__main__.py" else path.name
    return _shortened(shlex.join([name or "python", *sys.argv[1:]]))


def _shortened(command: str) -> str:
    command = " ".join(command.split())  # a script in it may have many lines
    return command if len(command) <= _MAX_COMMAND else command[: _MAX_COMMAND - 3] + "..."
