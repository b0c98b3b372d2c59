"""Sources return the requested samples, in the requested order, and read no others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsel.data import ArraySource, SequenceSource, Source, Split, as_source
from batchsel.errors import UserError

COUNT = 40
X = np.arange(COUNT * 6, dtype=np.float32).reshape(COUNT, 2, 3)
Y = np.arange(COUNT, dtype=np.int32) % 7
WEIGHTS = np.linspace(0, 1, COUNT)
indices = st.lists(st.integers(0, COUNT - 1), max_size=60).map(lambda values: np.array(values, np.int64))


class Watched:
    """Array that records the rows read, and rejects rows out of order."""

    def __init__(self, array):
        self._array = array
        self.read = []

    def __len__(self):
        return len(self._array)

    def __getitem__(self, rows):
        if np.any(np.diff(rows) <= 0):
            raise AssertionError("rows were read out of order or twice")
        self.read += list(rows)
        return self._array[rows]


@settings(deadline=None)
@given(indices)
def test_arrays_are_returned_in_requested_order(rows):
    x, y, weights = ArraySource(X, Y, WEIGHTS).take(rows)
    np.testing.assert_array_equal(x, X[rows])
    np.testing.assert_array_equal(y, Y[rows])
    np.testing.assert_array_equal(weights, WEIGHTS[rows])


@settings(deadline=None)
@given(indices)
def test_rows_on_disk_are_read_in_order_and_once(rows):
    watched = Watched(X)
    x, y = ArraySource(watched, Y).take(rows)
    np.testing.assert_array_equal(x, X[rows])
    np.testing.assert_array_equal(y, Y[rows])
    assert sorted(watched.read) == sorted(set(rows.tolist()))


@pytest.fixture(scope="module")
def memmap(tmp_path_factory):
    path = tmp_path_factory.mktemp("memmap") / "x.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


@settings(deadline=None)
@given(indices)
def test_memory_map_matches_the_array(memmap, rows):
    x, _ = ArraySource(memmap, Y).take(rows)
    assert type(x) is np.ndarray
    assert x.dtype == X.dtype
    np.testing.assert_array_equal(x, X[rows])


def test_large_memory_map_is_not_loaded(tmp_path):
    # A sparse file of 64 GB: more than this machine has memory, and nothing on the disk.
    big = np.memmap(tmp_path / "big.raw", np.uint8, "w+", shape=(2**26, 2**10))
    big[2**26 - 3] = 7
    x, _ = ArraySource(big, np.broadcast_to(np.int32(0), 2**26)).take(np.array([2**26 - 3, 0, 2**25]))
    np.testing.assert_array_equal(x[:, 0], [7, 0, 0])


def test_taken_samples_are_copies(memmap):
    x, _ = ArraySource(X, Y).take(np.array([3]))
    x += 1
    assert X[3, 0, 0] == 18
    ArraySource(memmap, Y).take(np.array([3]))[0][:] = 0


@pytest.mark.parametrize("rows", [[-1], [0, COUNT], [COUNT + 5]])
@pytest.mark.parametrize("source", [ArraySource(X, Y), SequenceSource(list(zip(X, Y, strict=True)))])
def test_numbers_outside_the_source_raise(source, rows):
    with pytest.raises(IndexError, match=f"the source has {COUNT} samples: expected numbers from 0 to"):
        source.take(np.array(rows))


def test_arrays_of_different_lengths_raise():
    with pytest.raises(UserError, match=r"the lengths \[40, 39\]"):
        ArraySource(X, Y[1:])
    with pytest.raises(UserError, match=r"the lengths \[40, 40, 3\]"):
        ArraySource(X, Y, WEIGHTS[:3])


class Records:
    """Data source as in TensorFlow Datasets: dictionaries by number, several at once."""

    def __init__(self):
        self.asked = []

    def __len__(self):
        return COUNT

    def __getitem__(self, row):
        return {"label": Y[row], "image": X[row]}

    def __getitems__(self, rows):
        self.asked.append(rows)
        return [self[row] for row in rows]


@settings(deadline=None)
@given(indices.filter(len))
def test_records_are_returned_in_requested_order_and_read_once(rows):
    records = Records()
    x, y = as_source(records).take(rows)
    np.testing.assert_array_equal(x, X[rows])
    np.testing.assert_array_equal(y, Y[rows])
    assert records.asked == [sorted(set(rows.tolist()))]


def test_tuples_and_named_keys_are_sources():
    x, y, weights = as_source(list(zip(X, Y, WEIGHTS, strict=True))).take(np.array([5, 1]))
    np.testing.assert_array_equal(x, X[[5, 1]])
    np.testing.assert_array_equal(weights, WEIGHTS[[5, 1]])
    records = [{"a": 1.0, "b": 2, "c": 3.0}]
    assert [field.item() for field in as_source(records, keys=("c", "b")).take(np.array([0]))] == [3.0, 2]
    with pytest.raises(UserError, match=r"the keys a, b, c; which of them.*Name them, as in keys="):
        as_source(records)
    assert y.tolist() == [5, 1]


def test_supervised_keys_are_the_default():
    class Info:
        supervised_keys = ("sound", "label")

    class Sounds(list):
        dataset_info = Info()

    x, y = as_source(Sounds([{"id": 9, "label": 1, "sound": 0.5}])).take(np.array([0]))
    assert (x.item(), y.item()) == (0.5, 1)


def test_samples_of_different_shapes_raise():
    with pytest.raises(UserError, match=r"different shapes: \(2,\), \(3,\)"):
        as_source([(np.zeros(2), 0), (np.zeros(3), 1)]).take(np.array([0, 1]))


def test_source_is_returned_unchanged():
    source = ArraySource(X, Y)
    assert as_source(source) is source
    assert isinstance(source, Source)
    assert len(as_source(Split(X, Y))) == COUNT
    assert len(as_source((X, Y, WEIGHTS))) == COUNT


@pytest.mark.parametrize("data", [X, 5, None])
def test_other_objects_are_not_sources(data):
    with pytest.raises(UserError, match="cannot take samples from"):
        as_source(data)
