"""Read a TOML table key by key, so that all problems of a card are reported at once.

Cards are written by hand; a user who corrects one key should not have to run again to see the next problem. So
reading does not raise: a wrong value adds a sentence to the list of problems and reads as `None`, and the caller
raises when the whole card has been read.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from batchsel.core.parameters import INT32, LARGEST, Between, accepts, expected, is_integer, is_number
from batchsel.errors import UserError, show

REQUIRED: Any = object()
"""Default of a required key."""


class Table:
    """One table of a card, with the list of problems found so far.

    Args:
        values: The table as tomllib returns it; None for a missing one, about which nothing more is reported.
        path: Prefix of its keys, as in ``"defaults."``; empty for the card itself.
        problems: List of sentences, shared by all tables of a card.

    Example:
        >>> problems = []
        >>> table = Table({"sead": 1, "size": "big"}, "", problems)
        >>> table.integer("size", minimum=1)
        >>> table.integer("seed", default=0)
        0
        >>> table.report_unknown_keys()
        >>> print(*problems, sep=" | ")
        size: expected a whole number of at least 1, got 'big'. | sead: unknown key. Did you mean 'seed'?
    """

    def __init__(self, values: dict[str, Any] | None, path: str, problems: list[str]) -> None:
        self._values = values
        self._path = path
        self._problems = problems
        self._known: list[str] = []

    def read(self, key: str, expected: str, accepts: Callable[[Any], Any], default: Any = REQUIRED) -> Any:
        """Return the value of a key if it is acceptable.

        Args:
            key: The key.
            expected: Description of acceptable values, to follow "expected" in the message.
            accepts: Returns a true value for acceptable values.
            default: Value of an absent key; without it, the key is required.

        Returns:
            The value or the default; None after a problem.

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
        self.problem(key, f"expected {expected}, got {show(value)}.")
        return None

    def _exceeds(self, key: str) -> bool:
        value = (self._values or {}).get(key)
        return isinstance(value, int | float) and value > LARGEST

    def _read_as(self, key: str, hint: Any, default: Any) -> Any:
        wrong = expected(hint, (self._values or {}).get(key))
        return self.read(key, wrong, lambda value: accepts(hint, value), default)

    def problem(self, key: str, sentence: str) -> None:
        """Record a problem.

        Args:
            key: The key with the problem.
            sentence: Description of the problem.

        Example:
            >>> problems = []
            >>> Table({}, "sizes.", problems).problem("test", "larger than the data.")
            >>> problems
            ['sizes.test: larger than the data.']
        """
        self._problems.append(f"{self._path}{key}: {sentence}")

    @property
    def problem_count(self) -> int:
        """Number of problems of the card so far.

        Example:
            >>> Table({}, "", ["name: missing key."]).problem_count
            1
        """
        return len(self._problems)

    def text(self, key: str, default: Any = REQUIRED) -> Any:
        """Return a text that is not empty, without outer white space.

        Args:
            key: The key.
            default: Value of an absent key.

        Example:
            >>> Table({"title": " Iris "}, "", []).text("title")
            'Iris'
        """
        value = self.read(key, "a text", lambda value: isinstance(value, str) and value.strip(), default)
        return value.strip() if isinstance(value, str) else value

    def integer(self, key: str, minimum: int = 0, default: Any = REQUIRED, maximum: int = INT32) -> Any:
        """Return an integer.

        Args:
            key: The key.
            minimum: Smallest acceptable value.
            default: Value of an absent key.
            maximum: Largest acceptable value.

        Example:
            >>> Table({"train": 120}, "sizes.", []).integer("train", minimum=1)
            120
        """
        return self._read_as(key, Annotated[int, Between(minimum, maximum)], default)

    def positive(self, key: str, default: Any = REQUIRED) -> Any:
        """Return a finite number above zero, as a float.

        Args:
            key: The key.
            default: Value of an absent key.

        Example:
            >>> Table({"budget": 8}, "defaults.", []).positive("budget")
            8.0
        """
        value = self.read(
            key,
            f"a number of at most {LARGEST:.0f}" if self._exceeds(key) else "a number above 0",
            lambda value: is_number(value) and 0 < value <= LARGEST,
            default,
        )
        return float(value) if is_integer(value) else value

    def sequence(self, key: str, kind: type, default: Any = REQUIRED) -> Any:
        """Return a list of texts, or of integers above zero, as a tuple.

        Args:
            key: The key.
            kind: `str` or `int`.
            default: Value of an absent key.

        Example:
            >>> Table({"input_shape": [28, 28, 1]}, "", []).sequence("input_shape", int)
            (28, 28, 1)
        """
        items = "texts" if kind is str else "whole numbers above 0"
        value = self.read(key, f"a list of {items}", lambda value: _is_list_of(value, kind), default)
        return tuple(value) if isinstance(value, list) else value

    def choice(self, key: str, options: Sequence[str], default: Any = REQUIRED) -> Any:
        """Return a text that is one of the options.

        Args:
            key: The key.
            options: The acceptable texts.
            default: Value of an absent key.

        Example:
            >>> Table({"task": "regression"}, "", []).choice("task", ["classification", "regression"])
            'regression'
        """
        return self.read(
            key, " or ".join(map(repr, options)), lambda value: isinstance(value, str) and value in options, default
        )

    def mapping(self, key: str, default: Any = REQUIRED) -> Any:
        """Return a table inside this one as it is.

        Args:
            key: The key.
            default: Value of an absent key.

        Example:
            >>> table = Table({"options": {"words": 5}}, "", [])
            >>> table.mapping("options"), table.mapping("slurm", None)
            ({'words': 5}, None)
        """
        return self.read(key, "a table", lambda value: isinstance(value, dict), default)

    def table(self, key: str, default: Any = REQUIRED) -> Table:
        """Return a table inside this one, to be read in the same way.

        Args:
            key: The key.
            default: Value of an absent key.

        Example:
            >>> Table({"sizes": {"train": 5}}, "", []).table("sizes").integer("train")
            5
        """
        return Table(self.mapping(key, default), f"{self._path}{key}.", self._problems)

    def tables(self, key: str) -> list[Table]:
        """Return a list of tables, written as ``[[files]]``; empty if the key is absent.

        Args:
            key: The key.

        Example:
            >>> [file.text("name") for file in Table({"files": [{"name": "a.gz"}]}, "", []).tables("files")]
            ['a.gz']
        """
        value = self.read(key, f"tables [[{key}]]", lambda value: _is_list_of(value, dict), [])
        return [Table(item, f"{self._path}{key}[{place}].", self._problems) for place, item in enumerate(value or [])]

    def report_unknown_keys(self) -> None:
        """Record a problem for every key that was not read, with the nearest known key.

        Example:
            >>> problems = []
            >>> table = Table({"nmae": "iris"}, "", problems)
            >>> table.text("name", default="")
            ''
            >>> table.report_unknown_keys()
            >>> problems
            ["nmae: unknown key. Did you mean 'name'?"]
        """
        for key in self._values or ():
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(self._known)}."
                self.problem(key, f"unknown key. {hint}")


def raise_problems(problems: Sequence[str], source: str) -> None:
    """Raise an error that lists all problems of a card, if there are any.

    Args:
        problems: The sentences.
        source: Path of the card.

    Raises:
        UserError: If there are problems.
    """
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise UserError(
            f"the card {source} has {count}:{lines}\nCorrect the file; the cards of batchsel show the form."
        )


def _is_list_of(value: Any, kind: type) -> bool:
    if not isinstance(value, list):
        return False
    if kind is int:
        return all(is_integer(item) and 0 < item <= INT32 for item in value)
    return all(isinstance(item, kind) for item in value)
