"""Convert JSON values into typed ones by their annotations; an error names the field."""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Union

_LARGEST = 2**63
"""Integers beyond this have no place in a record, and overflow where they become floats."""

_NUMBERS = frozenset([int, float])
_PLAIN_NUMBERS: dict[Any, frozenset[type]] = {float: _NUMBERS, int: frozenset([int])}
"""Types of JSON values that fit a number as they are, unless they are too large or not finite."""
Convert = Callable[[Any], Any]


class FieldError(ValueError):
    """A value that does not fit its field.

    Args:
        message: The problem, such as "is text, expected a number".
        path: Keys and positions that lead to the field, the outermost first.
    """

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def inside(self, key: str | int) -> FieldError:
        """Return the same error, seen from the value that holds the field.

        Args:
            key: Key or position of the field in it.
        """
        return FieldError(self.message, key, *self.path)

    @property
    def field(self) -> str:
        """Name of the field, as in ``evaluations[3].loss``."""
        text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path)
        return text.removeprefix(".")

    def __str__(self) -> str:
        return f"its {self.field} {self.message}"


def convert(hint: Any, value: Any) -> Any:
    """Return a JSON value as an annotation states it.

    Args:
        hint: int, float, str, bool, one of them or None, a class with a `from_json`, a dataclass, or a `Sequence` or
            `Mapping` of these; `Any` for a value that is not checked. Dataclasses skip keys that they do not know.
        value: A value read from JSON.

    Raises:
        FieldError: If the value, or one inside it, does not fit. Numbers that are not finite never do.

    Example:
        >>> convert(Mapping[str, float], {"a": 1, "b": "2"})
        Traceback (most recent call last):
        batchsel.experiments.run.validation.typed_json.FieldError: its b is text, expected a finite number
    """
    return converter(hint)(value)


@functools.cache
def converter(hint: Any) -> Convert:
    """Return the function that converts values to an annotation; see `convert`."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _optional(next(item for item in arguments if item is not types.NoneType))
    if origin is Sequence:
        return _sequence(arguments[0])
    if origin in (Mapping, dict):
        return _mapping(arguments[1])
    if hasattr(hint, "from_json"):
        return hint.from_json
    assert is_dataclass(hint), hint
    return _dataclass(typing.cast(type, hint))


def _describe(value: Any) -> str:
    """Return what a JSON value is, for a message."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return f"not finite ({value})"
    kinds: dict[type, str] = {int: "a number", float: "a number", str: "text", list: "a list", dict: "a table"}
    return kinds.get(type(value), type(value).__name__)


def _number(value: Any) -> float:
    # Records hold many numbers, so the common case comes first.
    if (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) <= _LARGEST):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)  # NumPy's, in a record that was not written yet
    raise FieldError(f"is {_describe(value)}, expected a finite number")


def _integer(value: Any) -> int:
    if type(value) is int and abs(value) <= _LARGEST:
        return value
    raise FieldError(f"is {_describe(value)}, expected an integer")


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    raise FieldError(f"is {_describe(value)}, expected text")


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise FieldError(f"is {_describe(value)}, expected true or false")


_PLAIN: dict[Any, Convert] = {
    float: _number,
    int: _integer,
    str: _text,
    bool: _boolean,
    Any: lambda value: value,
}


def _optional(hint: Any) -> Convert:
    inner = converter(hint)
    return lambda value: None if value is None else inner(value)


def are_plain(values: Collection[Any], kinds: frozenset[type] = _NUMBERS) -> bool:
    """Return True for finite numbers of ordinary size; whole passes over them are faster than a test of each.

    Args:
        values: Values read from JSON.
        kinds: Types that they may have.

    Example:
        >>> are_plain([1, 0.5]), are_plain([1, 0.5], frozenset([int])), are_plain([1, float("nan")]), are_plain([])
        (True, False, False, False)
    """
    if not values or not set(map(type, values)) <= kinds:
        return False
    if not (min(values) > -_LARGEST and max(values) < _LARGEST):
        return False
    total = sum(values)  # NaN wherever one of them is
    return total == total


def _sequence(hint: Any) -> Convert:
    inner = converter(hint)
    plain = _PLAIN_NUMBERS.get(hint)
    # A class may convert a whole list at once; it returns None where something is unusual.
    convert_all = getattr(hint, "list_from_json", None)

    def convert_items(value: Any) -> list[Any]:
        if type(value) is not list:
            raise FieldError(f"is {_describe(value)}, expected a list")
        if plain and are_plain(value, plain):
            return value[:]
        if convert_all and (converted := convert_all(value)):
            return converted
        try:
            return [inner(item) for item in value]
        except FieldError:
            raise _first_error(inner, enumerate(value)) from None

    return convert_items


def _mapping(hint: Any) -> Convert:
    inner = converter(hint)
    plain = _PLAIN_NUMBERS.get(hint)

    def convert_values(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise FieldError(f"is {_describe(value)}, expected a table")
        if hint is Any or (plain and are_plain(value.values(), plain)):
            return dict(value)
        try:
            return {key: inner(item) for key, item in value.items()}
        except FieldError:
            raise _first_error(inner, value.items()) from None

    return convert_values


def _first_error(inner: Convert, items: Any) -> FieldError:
    """Return the first error among items; looked for only once there is one, since records are long."""
    for key, item in items:
        try:
            inner(item)
        except FieldError as error:
            return error.inside(key)
    raise AssertionError("no item is wrong")


def _dataclass(cls: type) -> Convert:
    hints = typing.get_type_hints(cls)
    known = [
        (item.name, converter(hints[item.name]), item.default is MISSING and item.default_factory is MISSING)
        for item in fields(cls)
    ]

    def build(value: Any) -> Any:
        if type(value) is not dict:
            raise FieldError(f"is {_describe(value)}, expected a table")
        found = {}
        for name, convert_field, required in known:
            if name in value:
                try:
                    found[name] = convert_field(value[name])
                except FieldError as error:
                    raise error.inside(name) from None
            elif required:
                raise FieldError("is missing", name)
        return cls(**found)

    return build
