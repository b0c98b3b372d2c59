"""Single arrays in the forms of other libraries: series, sparse matrices, tensors, and lists, as arrays of NumPy."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from batchsel.core.sources import frames
from batchsel.errors import UserError

DENSE_LIMIT = 1 << 30
"""Bytes up to which a sparse array is made dense at once."""


class SparseRows:
    """Sparse matrix that is made dense row by row, as it is read.

    Args:
        matrix: A sparse matrix of SciPy, ``[n, d]``.

    Example:
        >>> import scipy.sparse
        >>> SparseRows(scipy.sparse.csr_array([[0, 2], [1, 0]]))[np.array([1])]
        array([[1., 0.]], dtype=float32)
    """

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix.tocsr()
        self.shape: tuple[int, int] = matrix.shape
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self._matrix[rows].toarray().astype(np.float32)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._matrix.toarray().astype(dtype or np.float32)


def as_array(name: str, leaf: Any) -> Any:
    """Return an array of NumPy for an array of any library; arrays on disk, and tensors, stay what they are.

    Args:
        name: Origin of the array, for the message.
        leaf: An array, a column or table of pandas or polars, a sparse matrix, a tensor, or a list.

    Returns:
        An array; `SparseRows` for a sparse matrix that would be larger than `DENSE_LIMIT` when it is dense.

    Raises:
        UserError: If it is ragged, or a table that holds anything but numbers.

    Example:
        >>> as_array("x", [[1, 2], [3, 4]]).shape
        (2, 2)
    """
    if frames.is_frame(leaf):
        return frames.to_matrix(name, leaf)
    if frames.is_series(leaf):
        return frames.to_values(name, leaf)
    if is_kind(leaf, "RaggedTensor", "tensorflow") or is_kind(leaf, "RaggedTensorValue", "tensorflow"):
        raise UserError(
            f"{name} is a RaggedTensor, whose rows have different lengths. Pad them to one length, as in"
            f" {name}.to_tensor(), and mask the padding if the model depends on it."
        )
    if is_kind(leaf, "SparseTensor", "tensorflow"):
        return _from_sparse_tensor(leaf)
    if is_kind(leaf, "spmatrix", "scipy") or is_kind(leaf, "sparray", "scipy"):
        return _dense(leaf) if len(leaf.shape) == 2 else leaf.toarray()
    if is_kind(leaf, "Tensor", "torch"):
        return leaf.detach().cpu().numpy()
    if isinstance(leaf, list | tuple):
        return _from_list(name, leaf)
    if isinstance(leaf, np.ndarray) and leaf.dtype == object:
        return _from_objects(name, leaf)
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "mM":
        raise UserError(
            f"{name} holds dates or times ({leaf.dtype}). Turn them into numbers that mean something to the model, such"
            " as days since the first or the day of the week."
        )
    return leaf


def is_list_of_values(nest: Any) -> bool:
    """Return whether a list or tuple holds numbers or texts, in lists of lists at most, and no arrays.

    Args:
        nest: Anything.

    Example:
        >>> is_list_of_values([[1, 2], [3]]), is_list_of_values([np.zeros(2), np.zeros(2)]), is_list_of_values([])
        (True, False, False)
    """
    while isinstance(nest, list | tuple) and nest:
        nest = nest[0]
    return isinstance(nest, str | bytes | Number | np.generic)


def is_kind(value: Any, name: str, package: str) -> bool:
    """Return whether a class of that name, of that package, is among the classes of a value; imports nothing.

    Args:
        value: Anything.
        name: Name of the class.
        package: First part of the name of its module.
    """
    return any(parent.__name__ == name and parent.__module__.startswith(package) for parent in type(value).__mro__)


def _from_sparse_tensor(tensor: Any) -> Any:
    shape = tuple(map(int, tensor.dense_shape))
    if len(shape) == 2:
        import scipy.sparse

        indices = np.asarray(tensor.indices)
        return _dense(scipy.sparse.coo_array((np.asarray(tensor.values), (indices[:, 0], indices[:, 1])), shape))
    dense = np.zeros(shape, tensor.values.dtype.as_numpy_dtype)
    dense[tuple(np.asarray(tensor.indices).T)] = np.asarray(tensor.values)
    return dense


def _dense(matrix: Any) -> Any:
    size = matrix.shape[0] * matrix.shape[1] * matrix.dtype.itemsize
    return matrix.toarray() if size <= DENSE_LIMIT else SparseRows(matrix)


def _from_list(name: str, values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:
        array = None
    if array is not None and array.dtype.kind in "US":
        return np.array(values, object)
    if array is None or (array.dtype == object and not _is_flat(values)):
        lengths = sorted({len(row) for row in values if isinstance(row, list | tuple)})
        shown = f" ({lengths[0]} to {lengths[-1]})" if len(lengths) > 1 else ""
        raise UserError(
            f"{name} is a list of lists of different lengths{shown}. Pad them to one length, as in"
            f" keras.utils.pad_sequences({name}, padding='post')."
        )
    return _from_objects(name, array) if array.dtype == object else array


def _is_flat(values: Any) -> bool:
    return not any(isinstance(value, list | tuple) for value in values)


def _from_objects(name: str, array: np.ndarray) -> np.ndarray:
    """Return numbers, or texts as they are, of an array of objects."""
    values = array.ravel().tolist()
    if all(isinstance(value, str | bytes) for value in values):
        return array
    rows = [value for value in values if isinstance(value, list | tuple | np.ndarray)]
    if len(rows) == len(values):
        if len({np.shape(row) for row in rows}) == 1:
            return np.stack([np.asarray(row) for row in rows])
        raise UserError(
            f"{name} is an array of {len(rows)} lists of different lengths. Pad them to one length, as in"
            f" keras.utils.pad_sequences({name}, padding='post')."
        )
    try:
        # None would become NaN, which is a missing value and no number.
        numbers = array.astype(np.float64) if None not in values else None
    except (TypeError, ValueError):
        numbers = None
    if numbers is None:
        kinds = sorted({type(value).__name__ for value in values[:1000]})
        raise UserError(
            f"{name} must hold numbers, got an array of object ({', '.join(kinds)}). Convert it, as in"
            f" {name}.astype('float32'), after replacing missing values and encoding texts as numbers."
        )
    whole = all(isinstance(value, int | np.integer) for value in values)
    try:
        return array.astype(np.int64) if whole else numbers
    except OverflowError:
        raise UserError(f"{name} holds whole numbers of more than 64 bits. Scale them, or use floats.") from None
