"""Tables of pandas and polars as arrays: columns of numbers and truth values, and the others named with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from batchsel.errors import UserError

_SHOWN = 5


def is_frame(value: Any) -> bool:
    """Return whether a value is a table of pandas, polars or a library with the same classes.

    Args:
        value: Anything.
    """
    return type(value).__name__ == "DataFrame" and hasattr(value, "columns") and hasattr(value, "to_numpy")


def is_series(value: Any) -> bool:
    """Return whether a value is a column of pandas or polars.

    Args:
        value: Anything.
    """
    return type(value).__name__ == "Series" and hasattr(value, "to_numpy")


def to_matrix(name: str, frame: Any) -> np.ndarray:
    """Return the columns of a table side by side.

    Args:
        name: Origin of the table, for the message.
        frame: The table.

    Returns:
        ``[n, d]`` numbers; truth values are 0 and 1.

    Raises:
        UserError: If columns hold anything else, or values are missing; it names them and the remedies.

    Example:
        >>> import pandas
        >>> to_matrix("x", pandas.DataFrame({"age": [31, 45], "member": [True, False]})).tolist()
        [[31, 1], [45, 0]]
        >>> to_matrix("x", pandas.DataFrame({"age": [31, 45], "town": ["Bern", "Basel"]}))
        Traceback (most recent call last):
        batchsel.errors.UserError: x cannot be trained on: column 'town' holds text (encode it, as in ...
    """
    arrays, problems = [], []
    for label, column in _columns(frame):
        values, problem = _numbers(column)
        arrays.append(values)
        problems += [f"column {label!r} {problem}"] if problem else []
    if not arrays:
        raise UserError(f"{name} has no columns.")
    if problems:
        more = f"; and {len(problems) - _SHOWN} more columns" if len(problems) > _SHOWN else ""
        raise UserError(f"{name} cannot be trained on: {'; '.join(problems[:_SHOWN])}{more}.")
    kind = np.result_type(*(array.dtype for array in arrays))
    kind = np.dtype(np.int64) if kind.kind == "b" else kind
    return np.stack([array.astype(kind) for array in arrays], axis=1)


def to_values(name: str, series: Any) -> np.ndarray:
    """Return the values of a column: numbers, or texts.

    Args:
        name: Origin of the column, for the message.
        series: The column.

    Returns:
        ``[n]``

    Raises:
        UserError: If it holds anything else, or values are missing.
    """
    values = _values(series)
    texts = values.dtype == object and values.size and all(isinstance(value, str) for value in values)
    if texts and not _is_category(series):
        return values
    values, problem = _numbers(series)
    if problem:
        label = getattr(series, "name", None)
        raise UserError(f"{name} cannot be trained on: column {label!r} {problem}." if label else
                        f"{name} cannot be trained on: it {problem}.")  # fmt: skip
    return values


def select(frame: Any, columns: list[Any]) -> Any:
    """Return a table of some columns of a table.

    Args:
        frame: The table.
        columns: Their names.

    Raises:
        UserError: If there is none of a name.
    """
    unknown = [column for column in columns if column not in list(frame.columns)]
    if unknown:
        raise UserError(
            f"the table has no column {unknown[0]!r}. Its columns: {', '.join(map(str, list(frame.columns)[:20]))}."
        )
    return frame[list(columns)]


def _columns(frame: Any) -> Iterator[tuple[Any, Any]]:
    # By position: pandas allows several columns of one name.
    for position, label in enumerate(frame.columns):
        yield label, frame.iloc[:, position] if hasattr(frame, "iloc") else frame[label]


def _numbers(series: Any) -> tuple[np.ndarray, str]:
    """Return the numbers of a column, or the reason and the remedy if they are none."""
    kind = str(series.dtype)
    if _is_category(series):
        return np.zeros(0), "is a category (its codes are numbers: .cat.codes; or one column for each: get_dummies)"
    missing, values = _count_missing(series), _values(series)
    if values.dtype.kind in "mM" or "date" in kind.lower():
        return values, "holds dates or times (turn them into numbers, such as days since the first)"
    known = values
    if values.dtype == object:
        known = values[~_gaps(series)]
        if any(isinstance(value, str) for value in known):
            return values, "holds text (encode it, as in pandas.get_dummies, or leave it out)"
        try:
            known = known.astype(np.float64)
        except (TypeError, ValueError):
            kinds = ", ".join(sorted({type(value).__name__ for value in known[:1000]}))
            return values, f"holds objects ({kinds}), which are no numbers"
    if missing and not (isinstance(series.dtype, np.dtype) and series.dtype.kind == "f"):
        return values, f"has {missing} missing values (fill them, as in fillna(0), or leave those rows out)"
    if known.dtype.kind not in "biuf":
        return values, f"is of type {kind} (expected numbers)"
    return known, ""


def _is_category(series: Any) -> bool:
    return str(series.dtype).lower().startswith(("category", "categorical", "enum"))


def _values(series: Any) -> np.ndarray:
    """Return the values as an array, those of nullable types in the type of NumPy if none is missing."""
    try:
        values = np.asarray(series.to_numpy())
    except (TypeError, ValueError):
        return np.array(list(series), object)
    kind = getattr(series.dtype, "numpy_dtype", None)
    if values.dtype == object and isinstance(kind, np.dtype) and kind.kind in "biuf" and not _count_missing(series):
        return values.astype(kind)
    return values


def _count_missing(series: Any) -> int:
    return int(series.null_count() if hasattr(series, "null_count") else series.isna().sum())


def _gaps(series: Any) -> np.ndarray:
    """Return ``bool[n]``, true for missing values."""
    return np.asarray(series.is_null() if hasattr(series, "is_null") else series.isna())
