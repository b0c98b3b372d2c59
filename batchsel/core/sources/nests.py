"""Nests: tuples, lists and dictionaries of arrays, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def map_leaves(function: Callable[[Any], Any], nest: Any) -> Any:
    """Apply a function to each leaf of a nest; None stays None.

    Args:
        function: Takes a leaf.
        nest: Tuples, lists and dictionaries of leaves.

    Example:
        >>> map_leaves(abs, {"a": -1, "b": (2, [-3, None])})
        {'a': 1, 'b': (2, [3, None])}
    """
    if nest is None:
        return None
    if isinstance(nest, Mapping):
        return {name: map_leaves(function, member) for name, member in nest.items()}
    if isinstance(nest, tuple | list):
        return (list if isinstance(nest, list) else tuple)(map_leaves(function, member) for member in nest)
    return function(nest)


def map_rows(function: Callable[[list[Any]], Any], nests: Sequence[Any]) -> Any:
    """Apply a function to the leaves at the same place of several nests of one structure.

    Lists are leaves: a record may hold a list of numbers.

    Args:
        function: Takes the list of leaves.
        nests: The nests, one for each sample or batch.

    Raises:
        ValueError: If their structures differ.

    Example:
        >>> map_rows(sum, [{"a": 1, "b": (2, 3)}, {"a": 10, "b": (20, 30)}])
        {'a': 11, 'b': (22, 33)}
    """
    first = nests[0]
    if first is None:
        if any(nest is not None for nest in nests):
            raise ValueError("some parts are missing")
        return None
    if isinstance(first, Mapping):
        if any(not isinstance(nest, Mapping) or set(nest) != set(first) for nest in nests):
            raise ValueError("their names differ")
        return {name: map_rows(function, [nest[name] for nest in nests]) for name in first}
    if isinstance(first, tuple):
        if any(not isinstance(nest, tuple | list) or len(nest) != len(first) for nest in nests):
            raise ValueError("their lengths differ")
        return tuple(map_rows(function, [nest[i] for nest in nests]) for i in range(len(first)))
    return function(list(nests))
