"""Conversion of integers to floats where an annotation means floats."""

from __future__ import annotations

import operator
import types
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin


def converted(hint: Any, value: Any) -> Any:
    """Return an integer as a float where an annotation means one, also within lists; other values as they are.

    TensorFlow does not mix the two, and texts may have either.

    Args:
        hint: The annotation.
        value: A value that it allows.

    Example:
        >>> from batchsel.core.parameters import Interval, Pool, Share
        >>> [converted(hint, 1) for hint in (Share, Share | None, Pool, Interval)]
        [1.0, 1.0, 1, 1]
    """
    origin = get_origin(hint)
    if origin is Annotated:
        base, *facts = get_args(hint)
        return value if any(getattr(fact, "keeps_integers", False) for fact in facts) else converted(base, value)
    if origin in (Union, types.UnionType):
        parts = get_args(hint)
        results = () if any(_base(part) is int for part in parts) else (converted(part, value) for part in parts)
        return next((result for result in results if result is not value), value)
    if origin is Sequence and isinstance(value, list | tuple):
        items = [converted(get_args(hint)[0], item) for item in value]
        return value if all(map(operator.is_, items, value)) else type(value)(items)
    return float(value) if hint is float and isinstance(value, int) and not isinstance(value, bool) else value


def _base(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint
