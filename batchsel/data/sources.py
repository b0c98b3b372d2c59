"""Random access to data that do not fit into memory: sample numbers in, arrays out.

A selector chooses sample numbers; a source turns them into arrays and never reads more than that. Anything with a
length and `take` is a source; `as_source` makes one of arrays, memory-mapped files and sequences of records such as
the data sources of TensorFlow Datasets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from batchsel.errors import UserError

_TARGET_KEYS = ("label", "labels", "y", "target", "class")


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

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Read samples.

        Args:
            indices: Numbers of the samples, ``int[k]`` in [0, n), in any order, possibly repeated.

        Returns:
            Inputs ``[k, ...]``, targets ``[k, ...]`` and, if the source has them, sample weights ``[k]``, in
            the order of the indices.
        """
        ...


class ArraySource:
    """Arrays as a source; memory-mapped files are read front to back, and each sample once.

    Args:
        x: Inputs, ``[n, ...]``: a NumPy array, a memory map or anything that accepts sorted row numbers.
        y: Targets, ``[n, ...]``.
        sample_weight: Weights, ``[n]``, if any.

    Raises:
        UserError: If the arrays differ in length.

    Example:
        >>> source = ArraySource(np.arange(10) * 10, np.arange(10))
        >>> source.take(np.array([7, 0, 7]))
        (array([70,  0, 70]), array([7, 0, 7]))
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any = None) -> None:
        self._arrays = (x, y) if sample_weight is None else (x, y, sample_weight)
        lengths = [len(array) for array in self._arrays]
        if len(set(lengths)) > 1:
            raise UserError(
                f"inputs, targets and weights have the lengths {lengths}. Expected the same number of each; "
                "check that all come from the same file and none was truncated."
            )

    def __len__(self) -> int:
        return len(self._arrays[0])

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
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
        indices = _check_indices(indices, len(self))
        if all(type(array) is np.ndarray for array in self._arrays):
            return tuple(array[indices] for array in self._arrays)
        rows, inverse = np.unique(indices, return_inverse=True)
        return tuple(np.asarray(array[rows])[inverse] for array in self._arrays)


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

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Read samples, see `Source.take`.

        Args:
            indices: ``int[k]`` numbers of the samples.

        Raises:
            IndexError: If a number is outside [0, n).
        """
        return self._source.take(self._rows[_check_indices(indices, len(self))])


class SequenceSource:
    """Sequence of records as a source; each record is a dictionary or a tuple.

    Args:
        records: Anything with a length and `__getitem__`; `__getitems__` is used if it exists.
        keys: Names of input and target (and weight) if records are dictionaries.

    Example:
        >>> records = [{"image": np.full(2, i), "label": i % 2} for i in range(5)]
        >>> SequenceSource(records, ("image", "label")).take(np.array([4, 1]))
        (array([[4, 4], [1, 1]]), array([0, 1]))
    """

    def __init__(self, records: Any, keys: Sequence[str] | None = None) -> None:
        self._records = records
        self._keys = keys

    def __len__(self) -> int:
        return len(self._records)

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Read samples, see `Source.take`.

        Args:
            indices: ``int[k]`` numbers of the samples.

        Returns:
            The fields of the records, stacked, in the order of the indices.

        Raises:
            IndexError: If a number is outside [0, n).
            UserError: If the records have different shapes.

        Example:
            >>> SequenceSource([(0.5, 1), (1.5, 0)]).take([1])
            (array([1.5]), array([0]))
        """
        rows, inverse = np.unique(_check_indices(indices, len(self)), return_inverse=True)
        read_several = getattr(self._records, "__getitems__", None)
        numbers = rows.tolist()
        records = read_several(numbers) if read_several else [self._records[number] for number in numbers]
        fields = zip(*(self._fields(record) for record in records), strict=True)
        return tuple(_stack(field)[inverse] for field in fields)

    def _fields(self, record: Any) -> tuple[Any, ...]:
        if not isinstance(record, Mapping):
            return tuple(record)
        return tuple(record[key] for key in self._keys or record)


def as_source(data: Any, keys: Sequence[str] | None = None) -> Source:
    """Return data of any accepted form as a source.

    Args:
        data: A source, ``(x, y)`` or ``(x, y, sample_weight)`` arrays, an object with arrays `x` and `y`, or
            a sequence of dictionaries or tuples.
        keys: Names of input and target (and weight) if records are dictionaries. The default is the supervised
            keys of a TensorFlow Datasets source, else the one key that is named like a label and the only other key.

    Raises:
        UserError: If the data have none of these forms, or the keys are ambiguous.

    Example:
        >>> len(as_source((np.zeros((3, 2)), np.zeros(3))))
        3
    """
    if _is_array_tuple(data):
        return ArraySource(*data)
    if hasattr(data, "x") and hasattr(data, "y"):
        return ArraySource(data.x, data.y)
    if isinstance(data, Source) and not isinstance(data, np.ndarray):  # an array has a `take` of its own
        return data
    if isinstance(data, np.ndarray) or not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        raise UserError(
            f"cannot take samples from {type(data).__name__}. Expected (x, y) arrays, a sequence of "
            "records, or an object with `__len__` and `take(indices)`."
        )
    return SequenceSource(data, keys or _guess_keys(data))


def _is_array_tuple(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) in (2, 3)


def _guess_keys(records: Any) -> tuple[str, ...] | None:
    supervised = getattr(getattr(records, "dataset_info", None), "supervised_keys", None)
    if supervised:
        return tuple(supervised)
    first = records[0] if len(records) else ()
    if not isinstance(first, Mapping):
        return None
    targets = [key for key in first if key in _TARGET_KEYS]
    if len(first) == 2 and len(targets) == 1:
        return (*(key for key in first if key not in targets), *targets)
    raise UserError(
        f"records have the keys {', '.join(map(str, first))}; which of them is input and which target is not "
        "clear. Name them, as in keys=('image', 'label')."
    )


def _check_indices(indices: np.ndarray, count: int) -> np.ndarray:
    indices = np.asarray(indices)
    if indices.size and not (indices.min() >= 0 and indices.max() < count):
        raise IndexError(
            f"sample numbers from {indices.min()} to {indices.max()} were requested, but the source has "
            f"{count} samples: expected numbers from 0 to {count - 1}."
        )
    return indices


def _stack(values: Sequence[Any]) -> np.ndarray:
    arrays = [np.asarray(value) for value in values]
    if len({array.shape for array in arrays}) > 1:
        shapes = sorted({array.shape for array in arrays})
        raise UserError(
            f"samples have different shapes: {', '.join(map(str, shapes[:3]))}. Expected one shape; "
            "crop, resize or pad them first."
        )
    return np.stack(arrays)
