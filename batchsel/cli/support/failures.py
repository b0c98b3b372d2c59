"""Failures and warnings on the command line: one message for whatever nobody foresaw, and no traceback."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import click

from batchsel.errors import show

DEBUG = "BATCHSEL_DEBUG"
"""Environment variable that brings the traceback back."""
_REMEDIES = {
    "ENOSPC": "Free space, or choose a folder on another disk.",
    "ENAMETOOLONG": "Choose a shorter path.",
    "EACCES": "Check its permissions.",
    "EMFILE": "Raise the limit of open files, as with `ulimit -n 4096`.",
}


def report_failure(error: Exception) -> int:
    """Print what failed and what to do, and return the exit code, 1.

    Errors of the operating system name their file. Anything else is a bug: the message names the
    command, what was being worked on (the notes of the exception), and how to report it.

    Args:
        error: Any exception that is not a `UserError`.
    """
    show_traceback(error)
    _echo(_describe_os_error(error) if isinstance(error, OSError) and error.errno else _describe(error))
    return 1


def show_traceback(error: Exception) -> None:
    """Print the traceback of an exception, with its causes, if BATCHSEL_DEBUG=1 asks for it."""
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        _echo("".join(traceback.format_exception(error)).rstrip())


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings meant for users as a sentence: the line of code that they come from says nothing to them."""
    shown = warnings.formatwarning

    def format_warning(message: Any, category: type[Warning], *place: Any, **line: Any) -> str:
        return f"warning: {message}\n" if category is UserWarning else shown(message, category, *place, **line)

    warnings.formatwarning = format_warning
    try:
        yield
    finally:
        warnings.formatwarning = shown


def close_stdout() -> None:
    """Discard output that cannot be written, which the interpreter would try to flush once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _describe_os_error(error: OSError) -> str:
    import errno

    files = " and ".join(show(os.fsdecode(name)) for name in (error.filename, error.filename2) if _is_path(name))
    place = f" {files}" if files else " its output" if error.errno == errno.ENOSPC else ""
    remedy = _REMEDIES.get(errno.errorcode.get(error.errno or 0, ""), "")
    return f"Error: batchsel cannot read or write{place}: {error.strerror or error}. {remedy}".rstrip()


def _is_path(name: object) -> bool:
    return isinstance(name, str | bytes | os.PathLike)


def _describe(error: Exception) -> str:
    kind = type(error).__name__
    with contextlib.suppress(Exception):  # whatever its text does
        first = (str(error).strip().splitlines() or [""])[0]
        kind += f": {show(first)[1:-1]}" if first else ""
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    if isinstance(error, MemoryError):
        return (
            f"Error: there is not enough memory{notes}. Use less data or smaller batches, or a larger machine. ({kind})"
        )
    return (
        f"Error: {_command()} failed unexpectedly{notes}: {kind}. This is a bug: please report it with the traceback"
        f" that the same command prints with {DEBUG}=1."
    )


def _command() -> str:
    words = shlex.join(["batchsel", *sys.argv[1:]])
    return f"`{show(words)[1:-1]}`"


def _echo(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # standard error may be closed, or its disk full
        click.echo(text, err=True)
