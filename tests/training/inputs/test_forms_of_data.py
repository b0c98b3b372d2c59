"""Data of every form train as in Keras, or are refused with a remedy before anything is trained."""

import itertools

import h5py
import keras
import numpy as np
import pandas
import pytest
import scipy.sparse
import tensorflow as tf
from against_keras import assert_equal_training, train_both
from problems import classes, compile_model, mlp

import batchsel
from batchsel import Trainer, UserError

N, B = 20, 8
X, Y = classes(N)
VALIDATION = classes(11, seed=4)


class Batches(keras.utils.PyDataset):
    def __init__(self, x=X, y=Y):
        super().__init__()
        self._x, self._y = x, y

    @property
    def num_batches(self):
        return -(-len(self._x) // B)

    def __getitem__(self, number):
        rows = slice(number * B, (number + 1) * B)
        return self._x[rows], self._y[rows]


class MapStyle:
    """Behaves as a map-style data set of torch; `take(n)` is the first n, as in other libraries."""

    def __init__(self, x=X, y=Y):
        self._x, self._y = x, y

    def __len__(self):
        return len(self._x)

    def __getitem__(self, row):
        return self._x[row], int(self._y[row])

    def take(self, n):
        return [self[row] for row in range(n)]


def generator(*parts, batch=B, endless=False):
    for start in itertools.cycle(range(0, N, batch)) if endless else range(0, N, batch):
        yield tuple(part[start : start + batch] for part in parts)


def pipeline(x=X, y=Y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(B)


def frame(x=X):
    return pandas.DataFrame(x, columns=list("abcd"))


ARRAYS = lambda: (X, Y)  # noqa: E731
AS_KERAS = {
    "pandas": (lambda: (frame(), pandas.Series(Y)), None),
    "pandas, nullable": (lambda: (frame().astype("Float32"), pandas.Series(Y)), ARRAYS),
    "pandas, truth values beside numbers": (lambda: (frame().assign(a=X[:, 0] > 0), Y), lambda: (np.hstack([X[:, :1] > 0, X[:, 1:]]), Y)),
    "pandas in a dictionary": (lambda: (dict(frame()), Y), None),
    "lists of lists": (lambda: (X.tolist(), Y.tolist()), ARRAYS),
    "objects": (lambda: (X.astype(object), Y), ARRAYS),
    "bfloat16": (lambda: (X.astype(tf.bfloat16.as_numpy_dtype), Y), lambda: (X.astype(tf.bfloat16.as_numpy_dtype).astype("float32"), Y)),
    "scipy csr": (lambda: (scipy.sparse.csr_matrix(X), Y), None),
    "scipy coo": (lambda: (scipy.sparse.coo_array(X), Y), ARRAYS),
    "sparse tensor": (lambda: (tf.sparse.from_dense(X), Y), None),
    "tf.data": (lambda: (pipeline(),), None),
    "PyDataset": (lambda: (Batches(),), None),
    "generator": (lambda: (generator(X, Y),), ARRAYS),
    "map-style": (lambda: (MapStyle(),), ARRAYS),
    "list of samples": (lambda: (list(zip(X, Y, strict=True)),), ARRAYS),
}  # fmt: skip


def dictionary_model():
    inputs = {name: keras.Input((1,), name=name) for name in "abcd"}
    outputs = keras.layers.Dense(3)(keras.layers.Concatenate()(list(inputs.values())))
    model = keras.Model(inputs, outputs)
    model.set_weights([np.arange(12).reshape(4, 3) / 10, np.zeros(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.parametrize("form", AS_KERAS)
def test_data_of_a_form_train_as_in_keras(form):
    data, in_keras = AS_KERAS[form]
    build = dictionary_model if form == "pandas in a dictionary" else mlp
    options = {"epochs": 2}
    if data()[-1] is Y or len(data()) == 2 or in_keras is ARRAYS:
        options["batch_size"] = B
    assert_equal_training(train_both(build, data, keras_data=in_keras, **options))


TEXTS = np.array(list("abcd") * 5)
TEXT_FORMS = {
    "array": lambda: (TEXTS, Y),
    "bytes": lambda: (TEXTS.astype("S"), Y),
    "column of objects": lambda: (TEXTS[:, None].astype(object), Y),
    "list": lambda: (TEXTS.tolist(), Y),
    "pandas": lambda: (pandas.Series(TEXTS), Y),
    "tf.data": lambda: (pipeline(TEXTS[:, None]),),
}


def text_model():
    inputs = keras.Input((1,), dtype="string")
    hidden = keras.layers.Embedding(4, 2)(keras.layers.StringLookup(vocabulary=["a", "b", "c"])(inputs))
    return compile_model(keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(hidden))))


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_texts_train_as_tensors_of_them_do_in_keras(form):
    in_keras = lambda: (tf.constant(TEXTS[:, None]), Y)  # noqa: E731
    assert_equal_training(train_both(text_model, TEXT_FORMS[form], keras_data=in_keras, epochs=2, batch_size=B))


VALIDATION_FORMS = {
    "tf.data": lambda: pipeline(*VALIDATION),
    "PyDataset": lambda: Batches(*VALIDATION),
    "map-style": lambda: MapStyle(*VALIDATION),
    "source": lambda: batchsel.selectors and _source(*VALIDATION),
    "pandas": lambda: (frame(VALIDATION[0]), pandas.Series(VALIDATION[1])),
    "list": lambda: [*VALIDATION],
    "generator": lambda: (batch for batch in [VALIDATION]),
}


def _source(x, y):
    from batchsel.data import source_of

    return source_of((x, y))


@pytest.mark.parametrize("form", VALIDATION_FORMS)
def test_validation_data_have_every_form(form):
    expected = mlp().fit(X, Y, shuffle=False, batch_size=B, validation_data=VALIDATION, verbose=0).history
    data = VALIDATION_FORMS[form]()
    history = batchsel.fit(
        mlp(), X, Y, selector="fixed", batch_size=B, validation_data=data, compile="graph", verbose=0
    )
    for name, values in expected.items():
        np.testing.assert_allclose(history.history[name], values, rtol=2e-4)


def test_arrays_on_disk_larger_than_memory_are_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr("batchsel.training.inputs.fit_data.MEMORY_LIMIT", 100)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = X, Y
        trainer = Trainer(mlp(), "fixed", batch_size=B, compile="graph")
        trainer.fit(file["x"], file["y"], epochs=2, verbose=0)
    assert "memory" not in trainer.loop.runners
    other = Trainer(mlp(), "fixed", batch_size=B, compile="graph")
    other.fit(X, Y, epochs=2, verbose=0)
    np.testing.assert_allclose(trainer.model.get_weights()[0], other.model.get_weights()[0], rtol=1e-5)


def test_the_last_part_of_a_source_is_held_out():
    part = {
        "validation_split": 0.25,
        "batch_size": B,
        "epochs": 2,
        "compile": "graph",
        "verbose": 0,
        "selector": "fixed",
    }
    models = [mlp(), mlp()]
    histories = [batchsel.fit(models[0], X, Y, **part).history, batchsel.fit(models[1], MapStyle(), **part).history]
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-5)


@pytest.mark.parametrize("n", [5, 1])
def test_fewer_samples_than_a_batch_make_one_batch_of_all(n):
    data = lambda: (X[:n], Y[:n])  # noqa: E731
    results = train_both(mlp, data, epochs=3, validation_data=VALIDATION)
    assert_equal_training(results)
    assert int(results[1][0].optimizer.iterations.numpy()) == 3


def test_every_sample_of_a_batch_larger_than_the_data_is_known():
    for selector in ("loss_ema", "random"):
        trainer = Trainer(mlp(), selector, batch_size=64, compile="graph")
        trainer.fit(X, Y, epochs=3, verbose=0)
        assert np.isfinite(trainer.losses).all()
        assert trainer.visits.sum() == 3 * N
    assert trainer.visits.tolist() == [3] * N
    with pytest.raises(UserError, match=r"scales the learning rate for batches of 64.*use batch_size=20"):
        Trainer(mlp(), batch_size=64, schedule="scale('linear', batch=16)").fit(X, Y, verbose=0)


def test_the_batch_size_is_that_of_the_batches():
    for data in (generator(X, Y, batch=5), pipeline(), Batches()):
        model = mlp()
        size = 5 if isinstance(data, type(generator())) else B
        batchsel.fit(model, data, verbose=0, compile="graph")
        assert int(model.optimizer.iterations.numpy()) == -(-N // size)


REFUSED = {
    "endless generator": (lambda: (generator(X, Y, endless=True),), r"has not ended.*steps_per_epoch"),
    "endless pipeline": (lambda: (pipeline().repeat(),), r"is endless.*steps_per_epoch"),
    "targets beside batches": (lambda: (pipeline(), Y), "leave out y and sample_weight"),
    "ragged": (lambda: (tf.ragged.constant([[1.0, 2.0], [3.0]]), Y[:2]), r"x\.to_tensor\(\)"),
    "category": (lambda: (frame().assign(a=pandas.Categorical(list("ab") * 10)), Y), "column 'a' is a category"),
    "classes as text": (lambda: (X, pandas.Series(list("ab") * 10)), "y must hold numbers"),
    "dictionary samples": (lambda: ([{"p": 1.0, "q": 2.0, "r": 0}] * 4,), r"source_of\(data, x='image', y='label'\)"),
    "longer samples": (lambda: ([(0, 1, 2, 3)] * 4,), "a sample must be"),
    "no targets": (lambda: ([(X[0], None)] * 4,), r"must return \(x, y\)"),
    "objects of a source": (lambda: ([(X[0], object())] * 4,), "the source must give numbers"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_other_forms_are_refused_with_a_remedy(form, monkeypatch):
    monkeypatch.setattr("batchsel.core.sources.batches.ENDLESS_BATCHES", 100)
    data, words = REFUSED[form]
    model = mlp()
    before = model.get_weights()
    with pytest.raises(UserError, match=words):
        batchsel.fit(model, *data(), verbose=0, compile="graph")
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_samples_of_mixed_types_are_named():
    samples = [(np.float32([1, 2, 3, 4]), row % 3) for row in range(N)]
    samples[15] = (samples[15][0], 0.5)
    with pytest.raises(UserError, match="differ in type: the first is int64, others are float64"):
        batchsel.fit(mlp(), samples, batch_size=B, verbose=0, compile="graph")
