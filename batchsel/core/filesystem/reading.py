"""Read files of users: whatever a library below raises becomes one `UserError` that names the file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchsel.errors import UserError

DAMAGED = "is damaged or truncated"
_LONGEST_PATH, _LONGEST_REASON = 300, 300
_OPEN_FILES = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def reading(
    path: Path | str, failed: str = DAMAGED, remedy: str = "Delete it and download it again.", *, writes: bool = False
) -> Iterator[None]:
    """Turn every failure of the block into one `UserError` that names the file, with the failure as its cause.

    Libraries do not document what they raise for damaged files, so no list of exceptions is complete. The cause is
    kept for whoever looks for an error in the block itself: `BATCHSEL_DEBUG=1` shows it on the command line. An
    interruption by the user is not a failure.

    Args:
        path: The file or folder. A pipe, a socket or a device is rejected before the block runs, because reading it
            may wait for ever.
        failed: Verb of the message, after the path.
        remedy: Advice, the end of the message.
        writes: Whether the block also writes files; then errors of the operating system are passed on.

    Raises:
        UserError: If the block raises anything, or the path is not a file or folder.

    Example:
        >>> with reading(__file__, "is not JSON", "Correct it."):
        ...     raise RecursionError("too deep")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: ...reading.py is not JSON (RecursionError: too deep). Correct it.
    """
    try:
        check_is_file(path)
        yield
    except UserError:
        raise
    except MemoryError as error:
        why = f"MemoryError{f': {error}' if str(error) else ''}; it asks for more memory than there is"
        raise UserError(f"{shorten_path(path)} {failed} ({why}). {remedy}") from error
    except OSError as error:
        # Libraries also raise OSError without a number, for damaged content.
        if error.errno is None:
            raise UserError(f"{shorten_path(path)} {failed} ({describe(error)}). {remedy}") from error
        if writes:
            raise
        raise UserError(
            f"cannot read {shorten_path(path)}: {error.strerror or error}. Check the path and its permissions."
        ) from error
    except BaseException as error:
        # Panics of libraries written in Rust are no subclass of Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UserError(f"{shorten_path(path)} {failed} ({describe(error)}). {remedy}") from error


def check_is_file(path: Path | str, *, allow_shell_pipes: bool = False) -> None:
    """Reject pipes, sockets and devices, at which a reader may wait for ever.

    Args:
        path: The file, or a link to it; folders pass.
        allow_shell_pipes: Whether open pipes pass, as a shell makes them for ``<(command)``: somebody writes to those.

    Raises:
        UserError: If it is one of them.
        OSError: If it does not exist, or a link to it leads nowhere.

    Example:
        >>> check_is_file("/dev/null")
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: /dev/null is a device. Expected a file; copy its content into one.
    """
    kind = _KINDS.get(stat.S_IFMT(os.stat(path).st_mode))
    if kind and not (allow_shell_pipes and str(path).startswith(_OPEN_FILES)):
        raise UserError(f"{shorten_path(path)} is {kind}. Expected a file; copy its content into one.")


def shorten_path(path: Path | str) -> str:
    """Return a path as text that fits into a message.

    Example:
        >>> len(shorten_path("a" * 5000))
        303
    """
    text = str(path)
    half = _LONGEST_PATH // 2
    return text if len(text) <= _LONGEST_PATH else f"{text[:half]}...{text[-half:]}"


def describe(error: BaseException) -> str:
    """Return an exception as a short text for a message: its first lines, or its kind if it has none.

    Example:
        >>> describe(KeyError("x")), describe(ValueError("too long")), describe(RecursionError())
        ("KeyError: 'x'", 'too long', 'RecursionError')
    """
    text = " ".join(str(error).split())[:_LONGEST_REASON].rstrip(". ")
    kind = type(error).__name__
    if not text:
        return kind
    return text if isinstance(error, ValueError | OSError) else f"{kind}: {text}"
