"""Data of any form as a source: arrays, tables, data sets of other libraries, sequences of records, batches."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsel.core.sources import frames
from batchsel.core.sources.batches import cache_batches, is_batches
from batchsel.core.sources.leaves import as_array, is_kind, is_list_of_values
from batchsel.core.sources.nests import map_leaves
from batchsel.core.sources.source import ArraySource, Columns, SequenceSource, Source, check_indices, pick, stack
from batchsel.errors import UserError

_TARGET_KEYS = ("label", "labels", "y", "target", "class")


class TableSource:
    """Data set that is stored by column and read by row, such as those of Hugging Face and Arrow.

    Args:
        table: Anything with a length that gives columns ``table[rows][name]``, or rows by `take`.
        keys: Columns of input and target (and weight).
    """

    def __init__(self, table: Any, keys: Sequence[Columns]) -> None:
        names = list(dict.fromkeys(name for columns in keys for name in _names(columns)))
        unknown = [name for name in names if name not in list(table.column_names)]
        if unknown:
            raise UserError(f"there is no column {unknown[0]!r}. The columns: {', '.join(table.column_names)}.")
        only = table.select if is_kind(table, "Table", "pyarrow") else getattr(table, "select_columns", None)
        self._table = table if only is None else only(names)
        self._keys = keys

    def __len__(self) -> int:
        return len(self._table)

    def take(self, indices: np.ndarray) -> tuple[Any, ...]:
        """Read samples, see `Source.take`.

        Args:
            indices: ``int[k]`` numbers of the samples.
        """
        rows, inverse = np.unique(check_indices(indices, len(self)), return_inverse=True)
        read = self._read(rows)
        values = {name: stack(list(read[name]))[inverse] for columns in self._keys for name in _names(columns)}
        return tuple(pick(values, columns) for columns in self._keys)

    def _read(self, rows: np.ndarray) -> Mapping[str, Any]:
        if not is_kind(self._table, "Table", "pyarrow"):
            return self._table[rows.tolist()]
        part = self._table.take(rows)
        return {name: part.column(name).to_pylist() for name in part.column_names}


def source_of(data: Any, x: Columns = None, y: Columns = None, sample_weight: Columns = None) -> Source:
    """Return data of any form as a source of samples.

    Args:
        data: Any of these: a source; ``(x, y)`` or ``(x, y, sample_weight)`` arrays, also on disk (memory maps, h5py,
            zarr); a dictionary or group of arrays by name; a table of pandas, polars or Arrow; a `Dataset` of Hugging
            Face; anything with a length that gives samples by number, as dictionaries or tuples (map-style data sets of
            torch, grain, TensorFlow Datasets, lists); or batches in an order of their own (`tf.data`, `PyDataset`,
            generators, data loaders), which are cached.
        x: Column of the inputs: its name (or its position in tuples); a list of names of numbers to put side by side;
            or a dictionary that maps the model's inputs to names. By default the supervised keys of TensorFlow
            Datasets, else all but the target.
        y: Column of the target, likewise; by default the one that is named like a label.
        sample_weight: Column of the weights, or None.

    Raises:
        UserError: If the data have none of these forms, or it is not clear which column is which.

    Example:
        >>> records = [{"image": np.full(2, i), "age": 30 + i, "label": i % 2} for i in range(5)]
        >>> source_of(records, x="image", y="label").take(np.array([4, 1]))
        (array([[4, 4], [1, 1]]), array([0, 1]))
        >>> source_of(records, x={"pixels": "image", "age": "age"}, y="label").take(np.array([3]))[0]["age"]
        array([33])
    """
    keys = (x, y) if sample_weight is None else (x, y, sample_weight)
    if x is None and y is None and sample_weight is None:
        keys = None
    if frames.is_frame(data):
        return _from_frame(data, x, y, sample_weight)
    if is_batches(data):
        return cache_batches(data, keys=None if keys is None else _complete(keys, None), name="the data")
    if keys is None and _is_array_tuple(data):
        return _from_arrays(*data)
    if keys is None and hasattr(data, "x") and hasattr(data, "y") and not takes_indices(data):
        return ArraySource(data.x, data.y)
    if hasattr(data, "column_names") and hasattr(data, "__len__"):
        return TableSource(data, _complete(keys, list(data.column_names)))
    if isinstance(data, Mapping):
        chosen = _complete(keys, list(data))
        return _from_arrays(*(pick(_Opened(data), columns) for columns in chosen))
    if keys is None and takes_indices(data):
        return data
    if hasattr(data, "shape") or not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        raise UserError(
            f"cannot take samples from {type(data).__name__}. Expected (x, y) arrays, a sequence of "
            "records, or an object with `__len__` and `take(indices)`."
        )
    if keys is not None and not any(columns is None for columns in keys):
        return SequenceSource(data, keys)
    return SequenceSource(data, _guess_keys(data, keys))


def as_source(data: Any, keys: Sequence[Columns] | None = None) -> Source:
    """Return data of any accepted form as a source.

    Args:
        data: As for `source_of`.
        keys: Columns of input and target (and weight), in this order; None to find them.

    Raises:
        UserError: If the data have no accepted form, or the keys are ambiguous.

    Example:
        >>> len(as_source((np.zeros((3, 2)), np.zeros(3))))
        3
    """
    return source_of(data, *(keys or ()))


def takes_indices(data: Any) -> bool:
    """Return whether `data.take` takes sample numbers, and not a count as in many libraries.

    Args:
        data: Anything.

    Example:
        >>> takes_indices(ArraySource(np.zeros(3), np.zeros(3))), takes_indices(np.zeros(3)), takes_indices([1])
        (True, False, False)
    """
    if not (hasattr(data, "take") and hasattr(data, "__len__")):
        return False
    if not hasattr(data, "__getitem__"):
        return True
    if hasattr(data, "shape"):  # arrays and tables
        return False
    try:
        first, *_ = inspect.signature(data.take).parameters
    except (TypeError, ValueError):
        return False
    return first not in ("n", "num", "count", "number", "size", "limit", "num_examples")


class _Opened(Mapping[Any, Any]):
    """Mapping of arrays, whose members are read once: those of an `.npz` are read again at each access."""

    def __init__(self, members: Mapping[Any, Any]) -> None:
        self._members, self._read = members, dict[Any, Any]()

    def __getitem__(self, name: Any) -> Any:
        if name not in self._read:
            self._read[name] = self._members[name]
        return self._read[name]

    def __iter__(self) -> Any:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def _from_frame(frame: Any, x: Columns, y: Columns, sample_weight: Columns) -> ArraySource:
    y = _find_target(list(frame.columns)) if y is None else y
    taken = [*_names(y), *([] if sample_weight is None else _names(sample_weight))]
    x = [name for name in frame.columns if name not in taken] if x is None else x

    def read(columns: Columns) -> Any:
        if columns is None:
            return None
        if isinstance(columns, Mapping):
            return {name: read(column) for name, column in columns.items()}
        names = _names(columns)
        matrix = frames.to_matrix("the table", frames.select(frame, names))
        return matrix if isinstance(columns, list | tuple) else matrix[:, 0]

    return ArraySource(read(x), read(y), read(sample_weight))


def _from_arrays(x: Any, y: Any, sample_weight: Any = None) -> ArraySource:
    def convert(name: str, part: Any) -> Any:
        if is_list_of_values(part):
            return as_array(name, part)
        return map_leaves(lambda leaf: _by_rows(as_array(name, leaf)), part)

    return ArraySource(convert("x", x), convert("y", y), convert("sample_weight", sample_weight))


def _by_rows(array: Any) -> Any:
    """Return an array that accepts row numbers, which tensors of TensorFlow do not."""
    return array if hasattr(array, "__getitem__") and not hasattr(array, "numpy") else np.asarray(array)


def _is_array_tuple(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) in (2, 3)


def _names(columns: Columns) -> list[Any]:
    if isinstance(columns, Mapping):
        return [name for column in columns.values() for name in _names(column)]
    return [name for column in columns for name in _names(column)] if isinstance(columns, list | tuple) else [columns]


def _complete(keys: Sequence[Columns] | None, names: list[Any] | None) -> tuple[Columns, ...]:
    """Return the columns of input and target (and weight), with those found that were not said."""
    x, y, *weights = keys or (None, None)
    if names is None:
        if x is None or y is None:
            raise UserError("say both columns, as in batchsel.data.source_of(data, x='image', y='label').")
        return (x, y, *weights)
    y = _find_target(names) if y is None else y
    if x is None:
        rest = [name for name in names if name not in {*_names(y), *(name for key in weights for name in _names(key))}]
        if len(rest) != 1:
            raise _unclear(names)
        x = rest[0]
    return (x, y, *weights)


def _find_target(names: list[Any]) -> Any:
    found = [name for name in names if name in _TARGET_KEYS]
    if len(found) != 1:
        raise _unclear(names)
    return found[0]


def _guess_keys(records: Any, keys: Sequence[Columns] | None) -> tuple[Columns, ...] | None:
    supervised = getattr(getattr(records, "dataset_info", None), "supervised_keys", None)
    if supervised and keys is None:
        return tuple(supervised)
    first = records[0] if len(records) else ()
    if not isinstance(first, Mapping):
        if keys is not None:
            raise UserError("say both columns, as in batchsel.data.source_of(data, x=0, y=1).")
        return None
    return _complete(keys, list(first))


def _unclear(names: Sequence[Any]) -> UserError:
    return UserError(
        f"records have the keys {', '.join(map(str, names))}; which of them is input and which target is not "
        "clear. Name them, as in keys=('image', 'label') or batchsel.data.source_of(data, x='image', y='label')."
    )
