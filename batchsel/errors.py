"""What a user did wrong, said so that it can be mended."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in what batchsel was given: a name, a value, a file.

    The message says what happened, what was expected and what to do; the command line prints it
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
    """A `UserError` that is visible in the words of the call alone (exit code 2 on the command line)."""


_MANY = 20
"""More names are not listed where a near one is known."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not known, with the nearest names that are.

    Args:
        kind: What the name stands for, as in ``"selector"``.
        name: The name that was given.
        known: All names that would have been right.

    Returns:
        The error, to be raised by the caller.

    Example:
        >>> print(unknown_name("selector", "randon", ["random", "smart"]))
        unknown selector 'randon'. Did you mean 'random'? Known: random, smart.
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    guess = f" Did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
    if len(known) > _MANY and close:
        return UsageError(f"unknown {kind} {name!r}.{guess} There are {len(known)}.")
    return UsageError(f"unknown {kind} {name!r}.{guess} Known: {', '.join(known) or 'none'}.")
