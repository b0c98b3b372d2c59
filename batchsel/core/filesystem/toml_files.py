"""Read TOML, with one sentence for every text that is not."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from batchsel.errors import UserError

_DEEPEST = 20


def parse_toml(content: bytes, where: str) -> dict[str, Any]:
    """Return the table that a TOML text holds.

    Args:
        content: The text in UTF-8.
        where: Name of the text, for errors, as in "the card mine.toml".

    Raises:
        UserError: If it is not TOML, an integer does not fit into 64 bits, or tables are nested too deeply.

    Example:
        >>> parse_toml(b"seeds = 3", "the card mine.toml")
        {'seeds': 3}
        >>> parse_toml(b"seeds = 0x1" + 99 * b"0", "the card mine.toml")
        Traceback (most recent call last):
        batchsel.errors.UserError: the card mine.toml is not valid TOML: an integer has more than 64 bits. Correct ...
    """
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8 text: {error}. Save it in UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not valid TOML: {error}. Correct that line.") from error
    except (RecursionError, MemoryError) as error:
        raise _error(where, "values are nested too deeply") from error
    except ValueError as error:  # Python reads no integer of more than 4,300 digits
        raise _error(where, "an integer has more than 64 bits") from error
    for value, depth in _leaves(values):
        if depth > _DEEPEST:
            raise _error(where, "values are nested too deeply")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise _error(where, "an integer has more than 64 bits")
    return values


def _error(where: str, reason: str) -> UserError:
    return UserError(f"{where} is not valid TOML: {reason}. Correct that value.")


def _leaves(values: Any) -> Iterator[tuple[Any, int]]:
    """Yield all values that are neither tables nor lists, and the depth of each, without recursion."""
    waiting = [(values, 0)]
    while waiting:
        value, depth = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        if inner is None or depth > _DEEPEST:
            yield value, depth
        else:
            waiting += [(one, depth + 1) for one in inner]
