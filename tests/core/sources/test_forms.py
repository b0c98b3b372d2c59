"""Data of other libraries as sources: the right samples, in the right order, and columns named where they are unclear."""

import io
import zipfile

import h5py
import numpy as np
import pandas
import pyarrow
import pytest
import scipy.sparse
import tensorflow as tf

from batchsel.data import source_of
from batchsel.errors import UserError

N = 12
X = np.arange(N * 6, dtype=np.float32).reshape(N, 2, 3)
Y = np.arange(N) % 3
W = np.linspace(0.5, 1, N)
ROWS = np.array([7, 0, 7, 11])


class HuggingFace:
    """Behaves as `datasets.Dataset`: read by number, slice, list or column; `take(n)` is the first n."""

    def __init__(self, columns):
        self._columns = columns
        self.column_names = list(columns)

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self._columns[key]
        if isinstance(key, int):
            return {name: column[key] for name, column in self._columns.items()}
        rows = range(len(self))[key] if isinstance(key, slice) else key
        return {name: [column[row] for row in rows] for name, column in self._columns.items()}

    def take(self, n):
        return HuggingFace({name: column[:n] for name, column in self._columns.items()})

    def select(self, indices):
        return HuggingFace({name: [column[row] for row in indices] for name, column in self._columns.items()})

    def select_columns(self, names):
        return HuggingFace({name: self._columns[name] for name in names})


class MapStyle:
    """Behaves as a map-style data set of torch."""

    def __init__(self, make):
        self._make = make

    def __len__(self):
        return N

    def __getitem__(self, row):
        if not 0 <= row < N:
            raise IndexError(row)
        return self._make(row)


class CountingTake(MapStyle):
    """Has `take(n)` for the first n, as many libraries do."""

    def take(self, n):
        return [self[row] for row in range(n)]


class Zarr:
    """Behaves as an array of zarr: brackets with row numbers are not for rows; `oindex` is."""

    def __init__(self, array):
        self._array, self.shape, self.dtype = array, array.shape, array.dtype

    @property
    def oindex(self):
        return self._array

    def __len__(self):
        return len(self._array)

    def __getitem__(self, key):
        raise IndexError("use oindex")


COLUMNS = {"image": list(X), "label": Y.tolist(), "id": [f"n{i}" for i in range(N)], "weight": W.tolist()}


@pytest.mark.parametrize(
    "data",
    [
        HuggingFace(COLUMNS),
        [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)],
        CountingTake(lambda row: {name: column[row] for name, column in COLUMNS.items()}),
        {name: np.array(column) for name, column in COLUMNS.items()},
    ],
    ids=["hugging_face", "list", "counting_take", "dict"],
)
def test_named_columns_are_read_in_the_order_of_the_indices(data):
    source = source_of(data, x="image", y="label", sample_weight="weight")
    x, y, weights = source.take(ROWS)
    np.testing.assert_array_equal(x, X[ROWS])
    np.testing.assert_array_equal(y, Y[ROWS])
    np.testing.assert_allclose(weights, W[ROWS])
    assert len(source) == N
    inputs, y = source_of(data, x={"a": "image", "b": "label"}, y="weight").take(ROWS)
    np.testing.assert_array_equal(inputs["a"], X[ROWS])
    np.testing.assert_array_equal(inputs["b"], Y[ROWS])
    matrix, _ = source_of(data, x=["label", "weight"], y="label").take(ROWS)
    np.testing.assert_allclose(matrix, np.stack([Y, W], 1)[ROWS])
    for columns in ({"x": "pixels", "y": "label"}, {"x": "image", "y": "kind"}):
        with pytest.raises(UserError, match="no column '(pixels|kind)'.*image, label"):
            source_of(data, **columns).take(ROWS)
    with pytest.raises(UserError, match=r"which of them is input.*source_of\(data, x='image', y='label'\)"):
        source_of(data)


def test_texts_of_columns_have_one_type_whatever_their_length():
    source = source_of(HuggingFace({"text": ["a", "longer", "ab"], "label": [0, 1, 0]}))
    assert {source.take([row])[0].dtype for row in range(3)} == {np.dtype(object)}
    assert source.take([1, 0])[0].tolist() == ["longer", "a"]


@pytest.mark.parametrize(
    "make", [lambda r: (X[r], Y[r]), lambda r: (tf.constant(X[r]), int(Y[r])), lambda r: [X[r], Y[r]]]
)
def test_samples_by_number_are_pairs(make):
    x, y = source_of(MapStyle(make)).take(ROWS)
    np.testing.assert_array_equal(x, X[ROWS])
    np.testing.assert_array_equal(y, Y[ROWS])


def test_members_of_longer_samples_are_named_by_position():
    source = source_of(MapStyle(lambda row: (row, X[row], {"kind": Y[row]}, 0.0)), x=1, y=2)
    x, y = source.take(ROWS)
    np.testing.assert_array_equal(x, X[ROWS])
    np.testing.assert_array_equal(y["kind"], Y[ROWS])
    with pytest.raises(UserError, match=r"a sample must be \(x, y\).*it is a tuple of 4"):
        source_of(MapStyle(lambda row: (0, 0, 0, 0))).take([0])
    with pytest.raises(UserError, match=r"it is a float32"):
        source_of(MapStyle(lambda row: np.float32(0))).take([0])


def test_arrays_on_disk_are_read_by_sorted_rows(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = X, Y
        for source in (source_of((file["x"], file["y"])), source_of(file, x="x", y="y"), source_of(file)):
            x, y = source.take(ROWS)
            np.testing.assert_array_equal(x, X[ROWS])
            np.testing.assert_array_equal(y, Y[ROWS])
    x, y = source_of((Zarr(X), Zarr(Y))).take(ROWS)
    np.testing.assert_array_equal(x, X[ROWS])
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(source_of(file).take(ROWS)[0], X[ROWS])


def test_members_of_an_npz_are_read_once(monkeypatch, tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    opened, original = [], zipfile.ZipFile.open
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *a, **k: opened.append(a[1]) or original(*a, **k))
    with np.load(io.BytesIO((tmp_path / "a.npz").read_bytes())) as file:
        source = source_of(file, x="x", y="y")
        before = len(opened)
        source.take(ROWS), source.take(ROWS)
    assert len(opened) == before


def test_tables_give_numbers_side_by_side():
    frame = pandas.DataFrame({"age": [31, 45, 27], "member": [True, False, True], "label": [0, 1, 1]})
    x, y = source_of(frame).take([2, 0])
    assert x.tolist() == [[27, 1], [31, 1]]
    assert y.tolist() == [1, 0]
    x, y, weights = source_of(frame, x=["age"], y="label", sample_weight="member").take([1])
    assert (x.tolist(), y.tolist(), weights.tolist()) == ([[45]], [1], [0])
    table = pyarrow.table({"age": [31, 45, 27], "label": [0, 1, 1]})
    x, y = source_of(table).take([2, 0])
    assert (x.tolist(), y.tolist()) == ([27, 31], [1, 0])


def test_sparse_and_listed_arrays_are_dense():
    x = scipy.sparse.random_array((N, 5), density=0.4, rng=np.random.default_rng(0), format="coo", dtype=np.float32)
    for form in (x, x.tocsr(), x.tocsc(), tf.sparse.from_dense(x.toarray())):
        np.testing.assert_array_equal(source_of((form, Y)).take(ROWS)[0], x.toarray()[ROWS])
    np.testing.assert_array_equal(source_of((X.tolist(), Y.tolist())).take(ROWS)[0], X[ROWS])
    np.testing.assert_array_equal(source_of((tf.constant(X), tf.constant(Y))).take(ROWS)[1], Y[ROWS])


def test_large_sparse_matrices_are_dense_row_by_row(monkeypatch):
    monkeypatch.setattr("batchsel.core.sources.leaves.DENSE_LIMIT", 10)
    x = scipy.sparse.random_array((N, 5), density=0.4, rng=np.random.default_rng(0), dtype=np.float64)
    source = source_of((x, Y))
    np.testing.assert_array_equal(source.take(ROWS)[0], x.toarray()[ROWS].astype(np.float32))
    assert source.take(ROWS)[0].dtype == np.float32


def test_a_source_with_arrays_named_x_and_y_is_read_by_its_own_take():
    class Doubled:
        x, y = X, Y

        def __len__(self):
            return N

        def take(self, indices):
            return 2 * self.x[indices], self.y[indices]

    np.testing.assert_array_equal(source_of(Doubled()).take(ROWS)[0], 2 * X[ROWS])
