"""Exceptions for user mistakes, with actionable messages."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

_LONG = 120
"""Length of the longest value in a message."""


class UserError(ValueError):
    """A mistake in user input: a name, a value, a file.

    The message says what is wrong, what was expected and what to do; the command line prints it
    without a traceback.

    Example:
        >>> from batchsel.errors import UserError
        >>> try:
        ...     raise UserError("batch_size must be at least 1, got 0.")
        ... except ValueError as error:
        ...     print(error)
        batch_size must be at least 1, got 0.
    """


class UsageError(UserError):
    """A `UserError` that is visible in the call alone, before any file is read (exit code 2 on the command line)."""


_ANSI = re.compile(r"\x1b\[\d*m")
_FRAMES = (
    re.compile(r"^Exception encountered when calling .*?\.\s*\n", re.DOTALL),
    re.compile(r"\s*Arguments received by .*", re.DOTALL),
    re.compile(r"\{\{[^}]*\}\}\s*"),
    re.compile(r"\s*\[Op:\w+\].*", re.DOTALL),
)
"""Parts of the texts of errors of Keras and TensorFlow that name where, not what."""


def shorten(text: str, length: int = 60) -> str:
    """Cut a text for a message.

    Args:
        text: Text of a user, of any length.
        length: Largest length.

    Example:
        >>> shorten("accuracy of the model", 12)
        'accuracy ...'
    """
    return text if len(text) <= length else f"{text[: length - 3]}..."


def reason_of(error: BaseException) -> str:
    r"""Return what an error of Keras or TensorFlow says, on one line and without its frame.

    Args:
        error: The error; of another one, its whole text on one line.

    Example:
        >>> reason_of(ValueError("Exception encountered when calling Dense.call().\n\n\x1b[1mToo wide.\x1b[0m"))
        'Too wide.'
    """
    text = _ANSI.sub("", str(getattr(error, "message", None) or error))
    for frame in _FRAMES:
        text = frame.sub("", text)
    return " ".join(text.split()).removesuffix(".") + "."


def show(value: Any) -> str:
    """Return a value as it is written in Python, on one line and cut in the middle if it is long, for a message.

    Args:
        value: Any value: also one that is nested too deeply, has too many digits, or cannot be written at all.

    Example:
        >>> show("a"), show(0.5), show(10**5000), len(show("a" * 1000))
        ("'a'", '0.5', 'a number of about 5000 digits', 120)
    """
    kind = type(value).__name__
    try:
        if getattr(value, "ndim", 0):
            return f"an array of shape {list(value.shape)}"
        text = repr(value)
        text = " ".join(text.split()) if len(text.splitlines()) > 1 else text
    except (RecursionError, MemoryError):
        return f"a {kind} nested too deeply"
    except Exception as error:  # whatever the user's own class raises
        if not isinstance(error, ValueError) or not isinstance(value, int | list | tuple | dict):
            return f"an object of type {kind}"
        # Python writes no integer of more than 4,300 digits.
        digits = value.bit_length() * 0.30103 if isinstance(value, int) else 0
        return f"a number of about {digits:.0f} digits" if digits else f"a {kind} with a huge number"
    half = (_LONG - 3) // 2
    return text if len(text) <= _LONG else f"{text[:half]} ... {text[-(_LONG - 5 - half) :]}"


_MANY = 20
"""Longer lists of names are left out of the message if a near name is known, or a command that lists them."""


@contextlib.contextmanager
def working_on(task: str) -> Iterator[None]:
    """Note on any exception but a `UserError` what was being worked on, for the message on the command line.

    Args:
        task: As in "loading the data set iris".

    Example:
        >>> try:
        ...     with working_on("loading the data set iris"):
        ...         1 / 0
        ... except ZeroDivisionError as error:
        ...     print(error.__notes__)
        ['loading the data set iris']
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        error.add_note(task)
        raise


def unknown_name(kind: str, name: str, known: Iterable[str], listing: str = "") -> UsageError:
    """Return the error for an unknown name, with the nearest known names.

    Args:
        kind: The kind of thing named, as in ``"selector"``.
        name: The unknown name.
        known: All known names.
        listing: The command that lists them, if there is one; named in place of a long list.

    Returns:
        The error, for the caller to raise.

    Example:
        >>> print(unknown_name("selector", "randon", ["random", "smart"]))
        unknown selector 'randon'. Did you mean 'random'? Known: random, smart.
    """
    known, name = sorted(known), shorten(name)
    spelled = {each.lower(): each for each in reversed(known)}
    close = [spelled[match] for match in difflib.get_close_matches(name.lower(), spelled, n=2, cutoff=0.6)]
    guess = f" Did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
    if len(known) > _MANY and (close or listing):
        shown = f": `{listing}` shows them" if listing else ""
        return UsageError(f"unknown {kind} {name!r}.{guess} There are {len(known)}{shown}.")
    return UsageError(f"unknown {kind} {name!r}.{guess} Known: {', '.join(known) or 'none'}.")
