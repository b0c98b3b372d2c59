"""Data from a random-access source: the same run as with resident data, in bounded memory."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from counting_source import CountingSource
from problems import assert_same, classes, mlp, variable_values
from selectors_for_tests import Pool, Pruning

from batchsel import Trainer, UserError

N, B = 100, 8
X, Y = classes(N)


def run(selector, data, compile="graph", build=mlp, epochs=3, **options):
    trainer = Trainer(build(), selector, batch_size=B, compile=compile)
    history = trainer.fit(*data, epochs=epochs, verbose=0, **options).history
    return trainer, history


ROW = X[0].nbytes + Y[0].nbytes


SELECTORS = ["fixed", "random", "loss_ema", "candidates", Pruning(), Pool()]


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_the_run_is_bit_equal_to_the_resident_one(selector):
    expected, expected_history = run(selector, (X, Y))
    # Room for a batch at a time, for three batches, for all.
    for buffer_bytes in (1, 6 * B * ROW, 1 << 26)[: 3 if selector == "random" else 2]:
        trainer, history = run(selector, (CountingSource(X, Y),), buffer_bytes=buffer_bytes)
        assert history == expected_history
        assert trainer.counts == expected.counts
        assert_same(variable_values(trainer.model), variable_values(expected.model))
        np.testing.assert_array_equal(trainer.losses, expected.losses)


@pytest.mark.parametrize("selector", ["loss_ema", "smart", "candidates"])
def test_what_was_read_to_warm_up_is_not_taken_for_the_run(selector):
    # Plans of a step or two: warming up makes several, from losses that are put back afterwards.
    data = X[: 2 * B], Y[: 2 * B]
    expected, expected_history = run(selector, data, epochs=6)
    for buffer_bytes in (1, 1 << 26):
        trainer, history = run(selector, (CountingSource(*data),), buffer_bytes=buffer_bytes, epochs=6)
        assert history == expected_history
        assert_same(variable_values(trainer.model), variable_values(expected.model))


def test_a_block_is_read_once_however_often_the_loop_returns():
    each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch)
    source = CountingSource(X, Y)
    run("random", (source,), buffer_bytes=8 * B * ROW, epochs=4, callbacks=[each])
    blocks = -(-N // (4 * B))
    assert source.rows <= (4 * blocks + 3) * 4 * B + 10


@pytest.mark.parametrize("selector", ["random", "loss_ema"])
def test_under_xla_it_is_the_same_run_too(selector):
    expected, expected_history = run(selector, (X, Y), "xla")
    trainer, history = run(selector, (CountingSource(X, Y),), "xla", buffer_bytes=6 * B * ROW)
    np.testing.assert_allclose(history["loss"], expected_history["loss"], rtol=1e-5)
    assert trainer.counts == expected.counts
    for found, other in zip(variable_values(trainer.model), variable_values(expected.model), strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-6)


def test_sample_weights_come_with_the_rows():
    weight = np.linspace(0.1, 3, N).astype("float32")
    expected, _ = run("random", (X, Y), sample_weight=weight)
    trainer, _ = run("random", (CountingSource(X, Y, weight),))
    assert_same(variable_values(trainer.model), variable_values(expected.model))


def test_a_run_in_pieces_and_in_small_calls_is_the_same():
    each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch)
    expected, history = run("loss_ema", (CountingSource(X, Y),), buffer_bytes=4 * B * ROW)
    trainer, again = run("loss_ema", (CountingSource(X, Y),), buffer_bytes=4 * B * ROW, callbacks=[each])
    assert history == again
    assert_same(variable_values(trainer.model), variable_values(expected.model))


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_resumed_in_the_middle_of_a_block_it_is_bit_equal(compile, tmp_path):
    def saves(trainer):
        def save(batch, logs):
            if trainer.counts["steps"] == 17:
                trainer.save(tmp_path / "run.npz")

        return keras.callbacks.LambdaCallback(on_train_batch_end=save)

    options = {"epochs": 3, "buffer_bytes": 8 * B * ROW, "verbose": 0}
    whole, resumed = (Trainer(mlp(), "random", batch_size=B, compile=compile) for _ in range(2))
    expected = whole.fit(CountingSource(X, Y), callbacks=[saves(whole)], **options).history
    resumed.resume(tmp_path / "run.npz")
    assert resumed.fit(CountingSource(X, Y), **options).history == expected
    assert_same(variable_values(resumed.model), variable_values(whole.model))


def test_no_more_is_held_than_the_buffer():
    # 800 samples of 4 kB; room for two blocks of two batches.
    x = np.random.default_rng(0).normal(size=(800, 1000)).astype("float32")
    source = CountingSource(x, np.arange(800) % 3)
    room = 4 * B * (x[0].nbytes + 8)
    trainer, _ = run("random", (source,), build=lambda: mlp(features=1000), buffer_bytes=room, epochs=2)
    # The samples that the model was built with may be there besides.
    assert source.most <= room + 2 * (x[0].nbytes + 8)
    # Two blocks: one is read ahead while the other is trained on.
    assert source.most > 0.9 * room
    assert source.reads >= 800 // (2 * B)
    assert trainer.counts["samples"] == 1600


def test_nothing_is_read_twice_in_a_pass():
    source = CountingSource(X, Y)
    run("random", (source,), buffer_bytes=4 * B * ROW, epochs=1)
    trained = -(-N // (2 * B)) * 2 * B
    # Warm-up and the sample to build with read a few rows besides.
    assert source.rows <= trained + 4 * (2 * B) + 4


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_a_memmap_larger_than_the_buffer(tmp_path, compile):
    path = tmp_path / "x.dat"
    disk = np.memmap(path, np.float32, "w+", shape=(3000, 64))
    generator = np.random.default_rng(0)
    y = np.arange(3000) % 3
    disk[:] = generator.normal(size=(3, 64))[y] + generator.normal(size=(3000, 64))
    disk.flush()
    source = CountingSource(np.memmap(path, np.float32, "r", shape=(3000, 64)), y)
    buffer_bytes = disk.nbytes // 10
    trainer, history = run(
        "loss_ema", (source,), compile, lambda: mlp(features=64), epochs=3, buffer_bytes=buffer_bytes
    )
    assert source.most <= buffer_bytes + 1000
    assert history["accuracy"][-1] > 0.9
    assert trainer.evaluate(disk[:500], y[:500])["accuracy"] > 0.9
    assert np.isfinite(trainer.losses).sum() > 2500


def test_validation_data_are_evaluated():
    _, history = run("random", (CountingSource(X, Y),), validation_data=(X, Y), epochs=2)
    _, expected = run("random", (X, Y), validation_data=(X, Y), epochs=2)
    assert history == expected


def test_another_fit_and_another_seed_make_no_new_trace():
    source = CountingSource(X, Y)
    trainer = Trainer(mlp(), "random", batch_size=B, compile="xla")
    trainer.fit(source, epochs=1, verbose=0)
    trainer.reset(2)
    trainer.fit(source, epochs=1, verbose=0)
    second = trainer.clock.seconds
    trainer.reset(3)
    trainer.fit(source, epochs=1, callbacks=[keras.callbacks.Callback()], verbose=0)
    # Thirteen steps of a model of 67 weights are a matter of milliseconds, compiling takes half a second.
    assert min(second["training"], trainer.clock.training) < 0.2


@pytest.mark.parametrize(
    "options", [{"sample_weight": np.ones(N)}, {"class_weight": {0: 2.0}}, {"validation_split": 0.2}]
)
def test_what_a_source_cannot_serve_is_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        run("random", (CountingSource(X, Y),), **options)


def test_an_empty_source():
    with pytest.raises(UserError, match="the source is empty: there is no sample to train on"):
        run("random", (CountingSource(X[:0], Y[:0]),))


@pytest.mark.parametrize(
    "take",
    [lambda rows: X[rows], lambda rows: (X[rows],), lambda rows: (X[rows][:3], Y[rows][:3]), lambda rows: (X[rows], Y)],
)
def test_a_source_that_gives_something_else(take):
    class Odd(CountingSource):
        def take(self, indices):
            return take(indices)

    with pytest.raises(UserError, match="take"):
        run("fixed", (Odd(X, Y),))


class Wrapped(CountingSource):
    """Gives what arrays can be made of."""

    def take(self, indices):
        return tuple(tf.constant(array) for array in super().take(indices))


def test_tensors_of_a_source_are_taken_too():
    plain, tensors = (Trainer(mlp(), batch_size=B, compile="graph") for _ in range(2))
    plain.fit(X, Y, verbose=0)
    tensors.fit(Wrapped(X, Y), verbose=0)
    assert_same(variable_values(tensors.model), variable_values(plain.model))


def test_a_source_with_numbers_that_are_none_is_told_which():
    x = X.copy()
    x[[30, 41], 2] = np.nan
    with pytest.raises(UserError, match="the source returned NaN or infinite values for samples "):
        Trainer(mlp(), "fixed", batch_size=B, compile="graph").fit(CountingSource(x, Y), verbose=0)


def test_an_error_of_the_source_comes_through():
    class Broken(CountingSource):
        def take(self, indices):
            if len(indices) > 1 and 77 in indices:
                raise OSError("disk on fire")
            return super().take(indices)

    with pytest.raises(OSError, match="disk on fire"):
        run("fixed", (Broken(X, Y),), buffer_bytes=4 * B * ROW)


def test_labels_of_a_source_outside_the_classes_stop_the_run():
    y = Y.copy()
    y[70] = 9
    with pytest.raises(UserError, match="70"):
        run("fixed", (CountingSource(X, y),))
