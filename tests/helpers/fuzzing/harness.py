"""Try cases in limits of time and memory, and watch that nothing is written elsewhere and no code is run."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from batchsel.errors import UserError

SECONDS = 10
"""Longest time of a case."""
MEMORY = 2 << 30
"""Address space that a case may use beyond that of the process before it."""
_LONGEST = 20_000
"""Longest message; that of a card lists all problems."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1, "os.truncate": 1, "os.chmod": 1, "os.link": 2}
_CHANGES |= {"os.symlink": 2, "os.chown": 1, "os.utime": 1, "shutil.rmtree": 1}
"""Audited events that change files, and how many of their arguments are paths."""
_CODE = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
)


@dataclass(frozen=True)
class Target:
    """A reader, and the files to try it with.

    Args:
        name: Name of the reader.
        write: Writes the files of a case into an empty folder, and returns what `read` is given.
        read: Reads them.
        share: Relative number of cases; less for those that take long.
        prepare: Called once before the first case, and not counted.
    """

    name: str
    write: Callable[[Path, Random], Any]
    read: Callable[[Any], object]
    share: float = 1.0
    prepare: Callable[[], object] = lambda: None


class Outcome(NamedTuple):
    """Outcome of a case."""

    refused: bool
    seconds: float
    problem: str
    """What must not happen, with its traceback; empty if nothing did."""


class TooSlow(BaseException):
    """A case that takes longer than `SECONDS`; no reader takes this for a damaged file."""


class Escape(NamedTuple):
    """Things that a case did outside of its folder."""

    folder: str
    found: list[str]


_watched: Escape | None = None
_hooked = False


def try_case(target: Target, number: int, folder: Path) -> Outcome:
    """Write the files of a case into a folder, and read them.

    Args:
        target: The reader.
        number: Number of the case.
        folder: An empty folder, which is empty again afterwards.
    """
    with _quiet():
        made = target.write(folder, Random(f"{target.name} {number}"))
    refused, problem, start = False, "", time.monotonic()
    with _watching(folder) as found:
        try:
            with alarm(SECONDS), _quiet():
                target.read(made)
        except UserError as error:
            refused, problem = True, _check_message(error)
        except (TooSlow, Exception):
            problem = traceback.format_exc()
        except BaseException as error:
            # Panics of libraries written in Rust are no subclass of Exception.
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            problem = traceback.format_exc()
    seconds = time.monotonic() - start
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    problem = problem or "; ".join(found)
    return Outcome(refused, seconds, problem and f"{target.name}, case {number}: {problem}")


def _check_message(error: UserError) -> str:
    message = str(error)
    try:
        message.encode()
    except UnicodeEncodeError:
        return f"a message that cannot be printed: {message!a}"
    return f"a message of {len(message)} characters: {message[:300]}" if len(message) > _LONGEST else ""


@contextlib.contextmanager
def limited_memory(amount: int = MEMORY) -> Iterator[None]:
    """Limit the memory that may be added to the process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + amount, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


@contextlib.contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """End a block that takes too long by `TooSlow`, which no reader takes for a damaged file.

    Args:
        seconds: Whole seconds.
    """

    def raise_too_slow(*_: Any) -> None:
        raise TooSlow

    old = signal.signal(signal.SIGALRM, raise_too_slow)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out warnings, which Pillow and NumPy give about damage that they can live with, and notes."""
    with (
        warnings.catch_warnings(action="ignore"),
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        yield


@contextlib.contextmanager
def _watching(folder: Path) -> Iterator[list[str]]:
    """Yield a list to which is added whatever is written outside of a folder, and whatever code is run."""
    global _watched, _hooked
    if not _hooked:
        sys.addaudithook(_watch)
        _hooked = True
    _watched = Escape(os.path.realpath(folder), [])
    try:
        yield _watched.found
    finally:
        _watched = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is None:
        return
    if event == "open":
        path, mode, flags = arguments
        if (mode and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITES):
            _check_path(event, path)
    elif event in _CHANGES:
        relative = isinstance(arguments[-1], int) and arguments[-1] != -1  # to an open folder, whose path was checked
        for path in arguments[: _CHANGES[event]] if event != "os.symlink" else arguments[1:2]:
            _check_path(event, path, relative)
    elif event in _CODE:
        _watched.found.append(f"{event} {arguments!r:.200}")
    elif event == "exec":
        file = getattr(arguments[0], "co_filename", "")
        if file.startswith(_watched.folder):
            _watched.found.append(f"ran {file}")


def _check_path(event: str, path: Any, relative: bool = False) -> None:
    if _watched is None or isinstance(path, int):
        return
    name = os.fsdecode(path)
    if relative and not os.path.isabs(name):
        return
    name = os.path.realpath(name)
    # Modules that are imported during a case leave their bytecode.
    if not (name + os.sep).startswith(_watched.folder + os.sep) and "__pycache__" not in name and name != os.devnull:
        _watched.found.append(f"{event} {name}")
