"""Batches are cached once, in their order, in memory or on disk; endless and shapeless ones are refused with a remedy."""

import gc
import itertools
import os
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from batchsel.core.sources import batches, source_of
from batchsel.core.sources.batches import cache_batches
from batchsel.errors import UserError

N, B = 22, 5
X = np.arange(N * 3, dtype=np.float32).reshape(N, 3)
Y = np.arange(N) % 3
W = np.linspace(0.5, 1, N)
STARTS = range(0, N, B)


class Batches(keras.utils.PyDataset):
    def __init__(self, endless=False, **options):
        super().__init__(**options)
        self.endless = endless

    @property
    def num_batches(self):
        return None if self.endless else len(STARTS)

    def __getitem__(self, number):
        start = STARTS[number % len(STARTS)]
        return X[start : start + B], Y[start : start + B]


class DataLoader:
    """Behaves as that of torch: a length in batches, and lists of arrays."""

    def __len__(self):
        return len(STARTS)

    def __iter__(self):
        return ([X[start : start + B], Y[start : start + B]] for start in STARTS)


def generator(weights=False):
    for start in STARTS:
        rows = slice(start, start + B)
        yield (X[rows], Y[rows], W[rows]) if weights else (X[rows], Y[rows])


def reused():
    """Yield the same array again and again, with other values, as many generators do to save memory."""
    buffer = np.empty([2, 3], np.float32)
    for i in range(3):
        buffer[:] = i
        yield buffer, np.full(2, i)


FORMS = {
    "generator": generator,
    "iterator": lambda: iter(list(generator())),
    "py_dataset": Batches,
    "py_dataset with workers": lambda: Batches(workers=3),
    "tf.data": lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(B),
    "tf.data of unknown length": lambda: tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: True).batch(B),
    "data loader": DataLoader,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("memory_limit", [1 << 20, 300, 0])
def test_all_samples_are_cached_in_their_order(form, memory_limit):
    files = len(os.listdir("/proc/self/fd"))
    source = cache_batches(FORMS[form](), verbose=0, memory_limit=memory_limit)
    assert (len(source), source.batch_size, source.in_memory) == (N, B, memory_limit > 300)
    rows = np.array([21, 0, 7, 7])
    x, y = source.take(rows)
    np.testing.assert_array_equal(x, X[rows])
    np.testing.assert_array_equal(y, Y[rows])
    np.testing.assert_array_equal(np.asarray(source.x), X)
    del source, x, y
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= files + 1


def test_nothing_is_left_in_the_folder(tmp_path):
    source = cache_batches(generator(weights=True), verbose=0, memory_limit=0, folder=tmp_path)
    np.testing.assert_allclose(source.take(np.array([3, 1]))[2], W[[3, 1]])
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_a_generator_reuses_are_copied():
    assert cache_batches(reused(), verbose=0).x[:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_as_many_batches_as_said_are_read():
    endless = itertools.cycle(generator())
    assert len(cache_batches(endless, steps=3, verbose=0)) == 3 * B
    assert cache_batches(endless, steps=1, verbose=0).y.tolist() == Y[15:20].tolist()  # and no batch more
    assert len(cache_batches(Batches(endless=True), steps=7, verbose=0)) == N + 2 * B
    assert len(cache_batches(generator(), steps=100, verbose=0)) == N


def test_nests_are_cached_by_name_whatever_their_order():
    def nested():
        yield {"a": X[:2], "b": (Y[:2], [W[:2]])}, {"out": Y[:2]}
        yield {"b": (Y[2:4], [W[2:4]]), "a": X[2:4]}, {"out": Y[2:4]}

    source = cache_batches(nested(), verbose=0)
    np.testing.assert_array_equal(source.x["a"], X[:4])
    np.testing.assert_array_equal(source.x["b"][1][0], W[:4])
    np.testing.assert_array_equal(source.take([3])[1]["out"], Y[[3]])


def test_columns_of_dictionaries_are_named():
    data = tf.data.Dataset.from_tensor_slices({"image": X, "label": Y}).batch(B)
    np.testing.assert_array_equal(source_of(data, x="image", y="label").take([4])[0], X[[4]])
    with pytest.raises(UserError, match="gave a dict. If they are dictionaries, say which column is which"):
        source_of(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(B).repeat(), r"endless.*steps_per_epoch=100.*take\(100\)"),
        (lambda: Batches(endless=True), "endless: a Batches that never ends"),
        (lambda: itertools.cycle(generator()), "endless"),
        (lambda: tf.data.Dataset.from_tensor_slices((X, Y)), r"shapes \[3\], \[\]\. Single samples have to be batched"),
        (lambda: iter([]), "is empty: it gave no batch"),
        (lambda: iter([(X,)]), r"must give batches \(x, y\).*gave a tuple of 1"),
        (lambda: iter([X]), "gave a ndarray"),
        (lambda: iter([(X, Y[:4])]), r"shapes \[22, 3\], \[4\]"),
        (lambda: iter([(X, Y), (X[:, :2], Y)]), r"different forms: samples have the shapes \[3\] and \[2\]"),
        (lambda: iter([(X, Y), (X, Y, W)]), "different forms"),
        (lambda: iter([(X, Y), (X, Y + 0.5)]), "samples are of the types int64 and float64"),
        (lambda: iter([({"a": X}, Y), ({"b": X}, Y)]), "different forms: their names differ"),
        (lambda: iter([(tf.ragged.constant([[1], [2, 3]]), Y[:2])]), "a batch of x is a RaggedTensor"),
    ],
)  # fmt: skip
def test_what_cannot_be_cached_is_refused_with_a_remedy(data, words):
    with pytest.raises(UserError, match=words):
        cache_batches(data(), verbose=0)


def test_a_generator_that_does_not_end_is_refused(monkeypatch):
    def endless():
        while True:
            yield X[:2], Y[:2]

    monkeypatch.setattr(batches, "ENDLESS_BATCHES", 50)
    with pytest.raises(UserError, match=r"gave 50 batches \(2\.0 kB\) and has not ended.*steps_per_epoch=1000"):
        cache_batches(endless(), verbose=0)
    assert len(cache_batches(endless(), steps=60, verbose=0)) == 120


def test_the_size_is_said_first(capsys):
    def watched():
        yield X[:B], Y[:B]
        assert "caching x: 3 batches, about 300 B, in memory" in capsys.readouterr().err
        yield from itertools.islice(generator(), 1, 3)

    cache_batches(watched(), steps=3)
    cache_batches(generator(), memory_limit=0)
    assert capsys.readouterr().err == "caching x: batches, on disk\ncaching x: 440 B\n"
    cache_batches(generator(), verbose=0)
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_refused_before_anything_is_read(monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match=rf"x has about 1\.0 kB.*{tempfile.gettempdir()}, where 100 B are free"):
        cache_batches(itertools.cycle(generator()), steps=10, verbose=0, memory_limit=0)
