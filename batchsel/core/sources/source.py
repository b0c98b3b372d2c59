"""Sources: anything with a length and `take` that turns sample numbers into arrays, and reads no other samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from batchsel.core.sources.nests import map_leaves, map_rows
from batchsel.errors import UserError

Columns = Any
"""Columns of a record: a name (or position), a list of names for numbers side by side, or a dictionary of them."""


@runtime_checkable
class Source(Protocol):
    """Samples that are read on access.

    Example:
        >>> isinstance(ArraySource(np.zeros((3, 2)), np.zeros(3)), Source)
        True
    """

    def __len__(self) -> int:
        """Return the number of samples, n."""
        ...

    def take(self, indices: np.ndarray) -> tuple[Any, ...]:
        """Read samples.

        Args:
            indices: Numbers of the samples, ``int[k]`` in [0, n), in any order, possibly repeated.

        Returns:
            Inputs ``[k, ...]``, targets ``[k, ...]`` and, if the source has them, sample weights ``[k]``, in
            the order of the indices.
        """
        ...


class ArraySource:
    """Arrays as a source; those on disk are read front to back, and each sample once.

    Args:
        x: Inputs, ``[n, ...]``: a NumPy array, a memory map, an array of h5py or zarr, or anything that accepts sorted
            row numbers; or a list or dictionary of these.
        y: Targets, likewise.
        sample_weight: Weights, ``[n]``, if any.

    Raises:
        UserError: If the arrays differ in length.

    Example:
        >>> source = ArraySource(np.arange(10) * 10, np.arange(10))
        >>> source.take(np.array([7, 0, 7]))
        (array([70,  0, 70]), array([7, 0, 7]))
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any = None) -> None:
        self._parts = (x, y) if sample_weight is None else (x, y, sample_weight)
        leaves: list[Any] = []
        map_leaves(leaves.append, self._parts)
        lengths = [len(array) for array in leaves]
        if len(set(lengths)) > 1:
            raise UserError(
                f"inputs, targets and weights have the lengths {lengths}. Expected the same number of each; "
                "check that all come from the same file and none was truncated."
            )
        self._length = lengths[0]
        self._in_memory = all(type(array) is np.ndarray for array in leaves)

    def __len__(self) -> int:
        return self._length

    def take(self, indices: np.ndarray) -> tuple[Any, ...]:
        """Read samples, see `Source.take`.

        Args:
            indices: ``int[k]`` numbers of the samples.

        Returns:
            The rows of the arrays in the order of the indices, as copies.

        Raises:
            IndexError: If a number is outside [0, n).

        Example:
            >>> ArraySource(np.arange(4.0), np.arange(4)).take([2])[0]
            array([2.])
        """
        indices = check_indices(indices, len(self))
        if self._in_memory:
            return map_leaves(lambda array: array[indices], self._parts)
        rows, inverse = np.unique(indices, return_inverse=True)
        return map_leaves(lambda array: _rows(array, rows)[inverse], self._parts)


class Subset:
    """Some samples of a source.

    Args:
        source: The source.
        rows: ``int[n]``, their numbers in it.

    Example:
        >>> Subset(ArraySource(np.arange(10) * 10, np.arange(10)), np.array([5, 7])).take([1])
        (array([70]), array([7]))
    """

    def __init__(self, source: Source, rows: np.ndarray) -> None:
        self._source = source
        self._rows = np.asarray(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, indices: np.ndarray) -> tuple[Any, ...]:
        """Read samples, see `Source.take`.

        Args:
            indices: ``int[k]`` numbers of the samples.

        Raises:
            IndexError: If a number is outside [0, n).
        """
        return self._source.take(self._rows[check_indices(indices, len(self))])


class SequenceSource:
    """Sequence of records as a source; each record is a dictionary or a tuple.

    Args:
        records: Anything with a length and `__getitem__`; `__getitems__` is used if it exists.
        keys: Columns of input and target (and weight); by default the members of a record in their order.

    Example:
        >>> records = [{"image": np.full(2, i), "label": i % 2} for i in range(5)]
        >>> SequenceSource(records, ("image", "label")).take(np.array([4, 1]))
        (array([[4, 4], [1, 1]]), array([0, 1]))
    """

    def __init__(self, records: Any, keys: Sequence[Columns] | None = None) -> None:
        self._records = records
        self._keys = keys

    def __len__(self) -> int:
        return len(self._records)

    def take(self, indices: np.ndarray) -> tuple[Any, ...]:
        """Read samples, see `Source.take`.

        Args:
            indices: ``int[k]`` numbers of the samples.

        Returns:
            The fields of the records, stacked, in the order of the indices.

        Raises:
            IndexError: If a number is outside [0, n).
            UserError: If the records have different shapes, or are no records.

        Example:
            >>> SequenceSource([(0.5, 1), (1.5, 0)]).take([1])
            (array([1.5]), array([0]))
        """
        rows, inverse = np.unique(check_indices(indices, len(self)), return_inverse=True)
        read_several = getattr(self._records, "__getitems__", None)
        numbers = rows.tolist()
        records = read_several(numbers) if read_several else [self._records[number] for number in numbers]
        fields = [self._fields(record) for record in records]
        return map_leaves(lambda array: array[inverse], map_rows(stack, fields))

    def _fields(self, record: Any) -> tuple[Any, ...]:
        if self._keys is not None:
            return tuple(pick(record, columns) for columns in self._keys)
        members = tuple(record.values()) if isinstance(record, Mapping) else record
        if not isinstance(members, tuple | list) or len(members) not in (2, 3):
            found = f" of {len(members)}" if isinstance(members, tuple | list) else ""
            raise UserError(
                f"a sample must be (x, y), (x, y, sample_weight) or a dictionary, and it is a"
                f" {type(record).__name__}{found}. For dictionaries and longer tuples, say which member is which, as in"
                " batchsel.data.source_of(data, x='image', y='label')."
            )
        return tuple(members)


def pick(record: Any, columns: Columns) -> Any:
    """Return the columns of a record, or of a table that is indexed by column.

    Args:
        record: A dictionary, tuple, or table.
        columns: Name or position; a list of them for numbers side by side; or a dictionary of them.

    Raises:
        UserError: If there is none of that name.

    Example:
        >>> pick({"a": 1, "b": 2.5}, "b"), pick({"a": 1, "b": 2.5}, ["a", "b"]), pick((7, 8), {"image": 1})
        (2.5, array([1. , 2.5]), {'image': 8})
    """
    if isinstance(columns, Mapping):
        return {name: pick(record, column) for name, column in columns.items()}
    if isinstance(columns, list | tuple):
        return np.stack([np.asarray(pick(record, column)) for column in columns], axis=-1)
    try:
        return record[columns]
    except (KeyError, IndexError, TypeError):
        known = ", ".join(map(str, record)) if isinstance(record, Mapping) else f"a {type(record).__name__}"
        raise UserError(f"samples have no column {columns!r}. They have: {known}.") from None


def check_indices(indices: Any, count: int) -> np.ndarray:
    """Return sample numbers as an array, once they are known to lie within a source.

    Args:
        indices: ``int[k]``.
        count: Samples of the source.

    Raises:
        IndexError: If one lies outside.
    """
    indices = np.asarray(indices)
    if indices.size and not (indices.min() >= 0 and indices.max() < count):
        raise IndexError(
            f"sample numbers from {indices.min()} to {indices.max()} were requested, but the source has "
            f"{count} samples: expected numbers from 0 to {count - 1}."
        )
    return indices


def stack(values: Sequence[Any]) -> np.ndarray:
    """Return the values of one member of several samples as an array.

    Args:
        values: Numbers, arrays, images or texts, one for each sample.

    Raises:
        UserError: If they differ in shape.

    Example:
        >>> stack(["a", "bc"]).dtype, stack([np.zeros(2), np.ones(2)]).shape
        (dtype('O'), (2, 2))
    """
    if values and isinstance(values[0], str | bytes):
        return np.array(values, object)  # texts of one type, however long the longest is
    arrays = [np.asarray(value) for value in values]
    if len({array.shape for array in arrays}) > 1:
        shapes = sorted({array.shape for array in arrays})
        raise UserError(
            f"samples have different shapes: {', '.join(map(str, shapes[:3]))}. Expected one shape; "
            "crop, resize or pad them first."
        )
    return np.stack(arrays)


def _rows(array: Any, rows: np.ndarray) -> np.ndarray:
    # Arrays of zarr take lists of rows by `oindex`; their brackets mean single points.
    return np.asarray(getattr(array, "oindex", array)[rows])
