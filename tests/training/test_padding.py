"""Batches of padded sequences: grouped by length and cut to the longest, with unchanged results."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import compile_model, sparse

from batchsel import Trainer
from batchsel.errors import UsageError, UserError
from batchsel.selectors import resolve
from batchsel.selectors.methods.length_buckets import sequence_lengths
from batchsel.testing.fixtures import example_context, padded_sequences
from batchsel.training.diagnostics.selection_cost import selection_seconds
from batchsel.training.inputs.batch import Samples
from batchsel.training.inputs.padding import cut

N, B, LENGTH = 50, 8, 12
X = padded_sequences(N)
Y = np.arange(N) % 3
LENGTHS = np.count_nonzero(X, axis=1)


def lstm(mask=True, length=LENGTH):
    model = keras.Sequential(
        [
            keras.Input((length,), dtype="int32"),
            keras.layers.Embedding(10, 4, mask_zero=mask),
            keras.layers.LSTM(5),
            keras.layers.Dense(3),
        ]
    )
    return compile_model(model, loss=sparse())


def make_batches(text, n=N, step=0, inputs=None):
    context = example_context(n, B, step=step)._replace(
        inputs=tf.constant(padded_sequences(n) if inputs is None else inputs)
    )
    plan = resolve(text).plan((), context)
    return plan.indices.numpy().reshape(-1, B), plan.weights.numpy().reshape(-1, B)


@pytest.mark.parametrize("n", [8, 50, 64, 65])
@pytest.mark.parametrize("pool", [1, 3, 100])
def test_every_sample_is_trained_on_once_a_pass(n, pool):
    rows, weights = make_batches(f"length_buckets(pool={pool})", n)
    assert sorted(rows[weights > 0]) == list(range(n))


def test_larger_pools_make_the_lengths_in_a_batch_more_similar():
    def spread(pool):
        means = []
        for step in range(20):
            rows, _ = make_batches(f"length_buckets(pool={pool})", 960, step)
            lengths = np.count_nonzero(padded_sequences(960), axis=1)[rows]
            means.append((lengths.max(axis=1) - lengths.min(axis=1)).mean())
        return np.mean(means)

    one_batch, four_batches, all_batches = spread(1), spread(4), spread(120)
    assert one_batch > 8
    assert all_batches < 1
    assert all_batches < four_batches < one_batch / 2


def test_the_order_of_batches_does_not_follow_the_length():
    rows, _ = make_batches("length_buckets", 960)
    lengths = np.count_nonzero(padded_sequences(960), axis=1)[rows].mean(axis=1)
    assert abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.3
    other, _ = make_batches("length_buckets", 960, step=1)
    assert (rows != other).any()


def test_lengths_end_at_the_last_number_that_is_not_zero():
    assert sequence_lengths(tf.constant([[0, 3, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])).numpy().tolist() == [2, 0, 4]
    assert sequence_lengths(tf.constant([[[0.0, 1.0], [0.0, 0.0]]])).numpy().tolist() == [1]
    assert cut(tf.zeros([2, 4], tf.int32)).shape == (2, 1)


@pytest.mark.parametrize("selector", ["random", "length_buckets", "candidates(pool=2)", "kakurenbo"])
def test_cutting_padding_does_not_change_a_run(selector):
    runs = []
    for cut_padding in (False, True):
        trainer = Trainer(lstm(), selector, batch_size=B, cut_padding=cut_padding)
        history = trainer.fit(X, Y, epochs=3, validation_data=(X[:9], Y[:9]), verbose=0).history
        assert not trainer.xla
        runs.append((history, [variable.numpy() for variable in trainer.model.trainable_variables], trainer.visits))
    for name, values in runs[0][0].items():
        np.testing.assert_allclose(values, runs[1][0][name], rtol=1e-4)
    for first, second in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(runs[0][2], runs[1][2])


def padded_at_start():
    """The same sequences with their padding at the start."""
    return np.stack([np.roll(row, np.count_nonzero(row == 0)) for row in X])


def test_padding_at_the_start_is_cut_there_and_changes_no_run():
    shapes, runs, x = [], [], padded_at_start()
    assert x[:, -1].min() != 0
    for cut_padding in (False, True):
        trainer = Trainer(lstm(), "length_buckets", batch_size=B, cut_padding=cut_padding)
        trainer.fit(x, Y, epochs=2, verbose=0)
        runs.append([variable.numpy() for variable in trainer.model.trainable_variables])
        shapes.append(trainer.engine.step.padded_at_start)
    assert shapes == [False, True]
    for first, second in zip(*runs, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_lengths_count_from_the_first_number_where_padding_is_at_the_start():
    np.testing.assert_array_equal(sequence_lengths(tf.constant(padded_at_start())), sequence_lengths(tf.constant(X)))


@pytest.mark.parametrize("other", ["padding_mask", "weights"])
def test_length_buckets_find_the_sequences_among_several_inputs(other):
    ids = keras.Input((LENGTH,), dtype="int32", name="ids")
    more = keras.Input((LENGTH,), name=other)
    hidden = keras.layers.Embedding(10, 4)(ids) * keras.layers.Reshape((LENGTH, 1))(more)
    pooled = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(hidden))
    model = compile_model(keras.Model({"ids": ids, other: more}, pooled), loss=sparse())
    trainer = Trainer(model, "length_buckets", batch_size=B)
    trainer.fit({"ids": X, other: (X > 0).astype("float32")}, Y, epochs=1, verbose=0)
    assert (trainer.visits == 1).all()


def test_one_trace_serves_all_lengths():
    shapes = []

    class RecordShapes(keras.layers.Layer):
        def call(self, x):
            shapes.append(x.shape)
            return x

        def compute_mask(self, inputs, previous=None):
            return previous

    inputs = keras.Input((LENGTH,), dtype="int32")
    hidden = RecordShapes()(keras.layers.Embedding(10, 4, mask_zero=True)(inputs))
    model = compile_model(keras.Model(inputs, keras.layers.Dense(3)(keras.layers.LSTM(5)(hidden))), loss=sparse())
    trainer = Trainer(model, "length_buckets", batch_size=B, cut_padding=True)
    trainer.fit(X, Y, epochs=1, verbose=0)
    traced = len(shapes)
    trainer.fit(X[::-1], Y, epochs=2, verbose=0)
    assert len(shapes) == traced
    assert (B, None, 4) in shapes


def test_a_model_that_depends_on_padding_is_rejected():
    with pytest.raises(UserError, match="outputs of the model depend on padding"):
        Trainer(lstm(mask=False), "random", batch_size=B, cut_padding=True).fit(X, Y, verbose=0)
    flat = keras.Sequential([keras.Input((LENGTH,)), keras.layers.Dense(3)])
    with pytest.raises(UserError, match="accepts sequences of one length only"):
        Trainer(compile_model(flat), "random", batch_size=B, cut_padding=True).fit(X, Y, verbose=0)


def test_cut_padding_rejects_floating_point_inputs_and_xla():
    with pytest.raises(UserError, match=r"cut_padding is for inputs of one int\[n, length\] array"):
        Trainer(lstm(), "random", batch_size=B, cut_padding=True).fit(X.astype(np.float32), Y, verbose=0)
    with pytest.raises(UsageError, match="cut_padding makes batches of different length"):
        Trainer(lstm(), "random", batch_size=B, cut_padding=True, compile="xla").fit(X, Y, verbose=0)


def test_selection_cost_is_measured_after_a_run():
    trainer = Trainer(lstm(), "length_buckets", batch_size=B, cut_padding=True)
    trainer.fit(X, Y, verbose=0)
    found = selection_seconds(trainer, Samples(X, Y))
    assert set(found) == {"planning", "updating", "scoring", "choosing"}


def test_length_buckets_reject_streamed_data():
    class Source:
        def __len__(self):
            return N

        def take(self, indices):
            return X[indices], Y[indices]

    with pytest.raises(UserError, match="length_buckets needs the sequences in memory"):
        Trainer(lstm(), "length_buckets", batch_size=B).fit(Source(), verbose=0)
