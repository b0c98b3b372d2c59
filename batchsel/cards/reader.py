"""Reading a TOML table key by key, so that every problem of a card is told at once.

A card is written by hand; whoever mends one key should not have to run again to hear of the next. So nothing
here raises: a wrong value leaves a sentence in the list of problems and reads as `None`, and the caller
raises when the whole card has been read.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from batchsel.errors import UserError

REQUIRED: Any = object()
"""Default of a key that must be there."""


class Table:
    """One table of a card, with the list of problems found so far.

    Args:
        values: The table as tomllib gives it; None for one that is missing, of which nothing more is said.
        path: Where the table stands in the card, as in ``"defaults."``; empty for the card itself.
        problems: The list to which sentences are added, shared by all tables of a card.

    Example:
        >>> problems = []
        >>> table = Table({"sead": 1, "size": "big"}, "", problems)
        >>> table.integer("size", minimum=1)
        >>> table.integer("seed", default=0)
        0
        >>> table.finish()
        >>> print(*problems, sep=" | ")
        size: expected a whole number of at least 1, got 'big'. | sead: unknown key. Did you mean 'seed'?
    """

    def __init__(self, values: dict[str, Any] | None, path: str, problems: list[str]) -> None:
        self._values = values
        self._path = path
        self._problems = problems
        self._known: list[str] = []

    def read(self, key: str, expected: str, accepts: Callable[[Any], bool], default: Any = REQUIRED) -> Any | None:
        """The value of a key if it is acceptable.

        Args:
            key: The key.
            expected: What is acceptable, in words that follow "expected".
            accepts: Whether a value is acceptable.
            default: The value where the key is absent; without one, the key must be there.

        Returns:
            The value, the default, or None where there was a problem.

        Example:
            >>> Table({"name": "iris"}, "", []).read("name", "a text", lambda value: isinstance(value, str))
            'iris'
        """
        self._known.append(key)
        if self._values is None:
            return None
        if key not in self._values:
            if default is REQUIRED:
                self.problem(key, f"missing key, expected {expected}.")
                return None
            return default
        value = self._values[key]
        if accepts(value):
            return value
        self.problem(key, f"expected {expected}, got {value!r}.")
        return None

    def problem(self, key: str, sentence: str) -> None:
        """Notes a problem.

        Args:
            key: The key at fault.
            sentence: What is wrong with it.

        Example:
            >>> problems = []
            >>> Table({}, "sizes.", problems).problem("test", "larger than the data.")
            >>> problems
            ['sizes.test: larger than the data.']
        """
        self._problems.append(f"{self._path}{key}: {sentence}")

    @property
    def found(self) -> int:
        """How many problems the card has so far.

        Example:
            >>> Table({}, "", ["name: missing key."]).found
            1
        """
        return len(self._problems)

    def text(self, key: str, default: Any = REQUIRED) -> str | None:
        """A text that is not empty.

        Args:
            key: The key.
            default: The value where the key is absent.

        Returns:
            The text without outer white space.

        Example:
            >>> Table({"title": " Iris "}, "", []).text("title")
            'Iris'
        """
        value = self.read(key, "a text", lambda value: isinstance(value, str) and value.strip(), default)
        return value.strip() if isinstance(value, str) else value

    def integer(self, key: str, minimum: int = 0, default: Any = REQUIRED) -> int | None:
        """A whole number.

        Args:
            key: The key.
            minimum: The least acceptable value.
            default: The value where the key is absent.

        Returns:
            The number.

        Example:
            >>> Table({"train": 120}, "sizes.", []).integer("train", minimum=1)
            120
        """
        return self.read(
            key,
            f"a whole number of at least {minimum}",
            lambda value: _is_number(value, int) and value >= minimum,
            default,
        )

    def positive(self, key: str, default: Any = REQUIRED) -> float | None:
        """A finite number above zero.

        Args:
            key: The key.
            default: The value where the key is absent.

        Returns:
            The number as a float.

        Example:
            >>> Table({"budget": 8}, "defaults.", []).positive("budget")
            8.0
        """
        value = self.read(
            key,
            "a number above 0",
            lambda value: _is_number(value, (int, float)) and 0 < value < float("inf"),
            default,
        )
        return float(value) if _is_number(value, int) else value

    def listed(self, key: str, kind: type, default: Any = REQUIRED) -> tuple[Any, ...] | None:
        """A list of texts or of whole numbers above zero.

        Args:
            key: The key.
            kind: `str` or `int`.
            default: The value where the key is absent.

        Returns:
            The list as a tuple.

        Example:
            >>> Table({"input_shape": [28, 28, 1]}, "", []).listed("input_shape", int)
            (28, 28, 1)
        """
        what = "texts" if kind is str else "whole numbers above 0"
        value = self.read(key, f"a list of {what}", lambda value: _is_list_of(value, kind), default)
        return tuple(value) if isinstance(value, list) else value

    def one_of(self, key: str, options: Sequence[str], default: Any = REQUIRED) -> str | None:
        """A text out of a few.

        Args:
            key: The key.
            options: The acceptable texts.
            default: The value where the key is absent.

        Returns:
            The text.

        Example:
            >>> Table({"task": "regression"}, "", []).one_of("task", ["classification", "regression"])
            'regression'
        """
        return self.read(key, " or ".join(map(repr, options)), lambda value: value in options, default)

    def table(self, key: str, default: Any = REQUIRED) -> Table:
        """A table inside this one.

        Args:
            key: The key.
            default: The value where the key is absent.

        Returns:
            The table, to be read in the same way.

        Example:
            >>> Table({"sizes": {"train": 5}}, "", []).table("sizes").integer("train")
            5
        """
        value = self.read(key, "a table", lambda value: isinstance(value, dict), default)
        return Table(value, f"{self._path}{key}.", self._problems)

    def tables(self, key: str) -> list[Table]:
        """A list of tables, as ``[[files]]`` writes it; empty where it is absent.

        Args:
            key: The key.

        Returns:
            The tables, to be read in the same way.

        Example:
            >>> [file.text("name") for file in Table({"files": [{"name": "a.gz"}]}, "", []).tables("files")]
            ['a.gz']
        """
        value = self.read(key, f"tables [[{key}]]", lambda value: _is_list_of(value, dict), [])
        return [Table(item, f"{self._path}{key}[{place}].", self._problems) for place, item in enumerate(value or [])]

    def finish(self) -> None:
        """Notes every key that nobody asked for, with the nearest of those that are known.

        Example:
            >>> problems = []
            >>> table = Table({"nmae": "iris"}, "", problems)
            >>> table.text("name", default="")
            ''
            >>> table.finish()
            >>> problems
            ["nmae: unknown key. Did you mean 'name'?"]
        """
        for key in self._values or ():
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(self._known)}."
                self.problem(key, f"unknown key. {hint}")


def refuse(problems: Sequence[str], source: str) -> None:
    """Raises if a card has problems, naming all of them.

    Args:
        problems: The sentences.
        source: Where the card was found.

    Raises:
        UserError: If there are any.
    """
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise UserError(f"the card {source} has {count}:{lines}\nMend the file; the cards of batchsel show the form.")


def _is_number(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)  # a bool is an int to Python


def _is_list_of(value: Any, kind: type) -> bool:
    if not isinstance(value, list):
        return False
    if kind is int:
        return all(_is_number(item, int) and item > 0 for item in value)
    return all(isinstance(item, kind) for item in value)
