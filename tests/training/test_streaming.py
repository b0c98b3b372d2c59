"""Data from a random-access source: the same run as with data in memory, within bounded memory."""

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


ROW_BYTES = X[0].nbytes + Y[0].nbytes


SELECTORS = ["fixed", "random", "loss_ema", "candidates", Pruning(), Pool()]


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_a_streamed_run_is_bit_equal_to_one_in_memory(selector):
    expected, expected_history = run(selector, (X, Y))
    # Room for a batch at a time, for three batches, for all.
    for buffer_bytes in (1, 6 * B * ROW_BYTES, 1 << 26)[: 3 if selector == "random" else 2]:
        trainer, history = run(selector, (CountingSource(X, Y),), buffer_bytes=buffer_bytes)
        assert history == expected_history
        assert trainer.counts == expected.counts
        assert_same(variable_values(trainer.model), variable_values(expected.model))
        np.testing.assert_array_equal(trainer.losses, expected.losses)


@pytest.mark.parametrize("selector", ["loss_ema", "smart", "candidates"])
def test_blocks_read_for_the_warm_up_are_not_trained_on(selector):
    # Plans of a step or two: warming up makes several, from losses that are restored afterwards.
    data = X[: 2 * B], Y[: 2 * B]
    expected, expected_history = run(selector, data, epochs=6)
    for buffer_bytes in (1, 1 << 26):
        trainer, history = run(selector, (CountingSource(*data),), buffer_bytes=buffer_bytes, epochs=6)
        assert history == expected_history
        assert_same(variable_values(trainer.model), variable_values(expected.model))


def test_a_block_is_read_once_however_often_the_loop_returns():
    each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch)
    source = CountingSource(X, Y)
    run("random", (source,), buffer_bytes=8 * B * ROW_BYTES, epochs=4, callbacks=[each])
    blocks = -(-N // (4 * B))
    assert source.rows <= (4 * blocks + 3) * 4 * B + 10


@pytest.mark.parametrize("selector", ["random", "loss_ema"])
def test_a_streamed_run_under_xla_matches_one_in_memory(selector):
    expected, expected_history = run(selector, (X, Y), "xla")
    trainer, history = run(selector, (CountingSource(X, Y),), "xla", buffer_bytes=6 * B * ROW_BYTES)
    np.testing.assert_allclose(history["loss"], expected_history["loss"], rtol=1e-5)
    assert trainer.counts == expected.counts
    for found, other in zip(variable_values(trainer.model), variable_values(expected.model), strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-6)


def test_sample_weights_of_a_source_match_those_of_arrays():
    weight = np.linspace(0.1, 3, N).astype("float32")
    expected, _ = run("random", (X, Y), sample_weight=weight)
    trainer, _ = run("random", (CountingSource(X, Y, weight),))
    assert_same(variable_values(trainer.model), variable_values(expected.model))


def test_a_callback_for_every_batch_does_not_change_a_streamed_run():
    each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch)
    expected, history = run("loss_ema", (CountingSource(X, Y),), buffer_bytes=4 * B * ROW_BYTES)
    trainer, again = run("loss_ema", (CountingSource(X, Y),), buffer_bytes=4 * B * ROW_BYTES, callbacks=[each])
    assert history == again
    assert_same(variable_values(trainer.model), variable_values(expected.model))


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_resuming_in_the_middle_of_a_block_is_bit_equal(compile, tmp_path):
    def saves(trainer):
        def save(batch, logs):
            if trainer.counts["steps"] == 17:
                trainer.save(tmp_path / "run.npz")

        return keras.callbacks.LambdaCallback(on_train_batch_end=save)

    options = {"epochs": 3, "buffer_bytes": 8 * B * ROW_BYTES, "verbose": 0}
    whole, resumed = (Trainer(mlp(), "random", batch_size=B, compile=compile) for _ in range(2))
    expected = whole.fit(CountingSource(X, Y), callbacks=[saves(whole)], **options).history
    resumed.resume(tmp_path / "run.npz")
    assert resumed.fit(CountingSource(X, Y), **options).history == expected
    assert_same(variable_values(resumed.model), variable_values(whole.model))


def test_memory_stays_within_the_buffer():
    # 800 samples of 4 kB; room for two blocks of two batches.
    x = np.random.default_rng(0).normal(size=(800, 1000)).astype("float32")
    source = CountingSource(x, np.arange(800) % 3)
    room = 4 * B * (x[0].nbytes + 8)
    trainer, _ = run("random", (source,), build=lambda: mlp(features=1000), buffer_bytes=room, epochs=2)
    # The samples that the model was built with may be alive too.
    assert source.peak_bytes <= room + 2 * (x[0].nbytes + 8)
    # Two blocks: one is read ahead while the other is trained on.
    assert source.peak_bytes > 0.9 * room
    assert source.reads >= 800 // (2 * B)
    assert trainer.counts["samples"] == 1600


def test_no_row_is_read_twice_in_a_pass():
    source = CountingSource(X, Y)
    run("random", (source,), buffer_bytes=4 * B * ROW_BYTES, epochs=1)
    trained = -(-N // (2 * B)) * 2 * B
    # The warm-up and the sample to build with read a few more rows.
    assert source.rows <= trained + 4 * (2 * B) + 4


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_a_memmap_larger_than_the_buffer_is_trained_within_it(tmp_path, compile):
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
    assert source.peak_bytes <= buffer_bytes + 1000
    assert history["accuracy"][-1] > 0.9
    assert trainer.evaluate(disk[:500], y[:500])["accuracy"] > 0.9
    assert np.isfinite(trainer.losses).sum() > 2500


def test_validation_results_of_a_streamed_run_match_those_in_memory():
    _, history = run("random", (CountingSource(X, Y),), validation_data=(X, Y), epochs=2)
    _, expected = run("random", (X, Y), validation_data=(X, Y), epochs=2)
    assert history == expected


def test_another_fit_and_another_seed_trace_nothing_again():
    source = CountingSource(X, Y)
    trainer = Trainer(mlp(), "random", batch_size=B, compile="xla")
    trainer.fit(source, epochs=1, verbose=0)
    trainer.reset(2)
    trainer.fit(source, epochs=1, verbose=0)
    second = trainer.clock.seconds
    trainer.reset(3)
    trainer.fit(source, epochs=1, callbacks=[keras.callbacks.Callback()], verbose=0)
    # Thirteen steps of a model of 67 weights take milliseconds; compiling takes half a second.
    assert min(second["training"], trainer.clock.training) < 0.2


@pytest.mark.parametrize("options", [{"sample_weight": np.ones(N)}, {"class_weight": {0: 2.0}}])
def test_options_for_arrays_are_rejected_with_a_source(options):
    with pytest.raises(UserError, match=next(iter(options))):
        run("random", (CountingSource(X, Y),), **options)


def test_an_empty_source_is_rejected():
    with pytest.raises(UserError, match="the source is empty: there is no sample to train on"):
        run("random", (CountingSource(X[:0], Y[:0]),))


@pytest.mark.parametrize(
    "take",
    [lambda rows: X[rows], lambda rows: (X[rows],), lambda rows: (X[rows][:3], Y[rows][:3]), lambda rows: (X[rows], Y)],
)
def test_a_source_that_returns_malformed_rows_is_rejected(take):
    class Malformed(CountingSource):
        def take(self, indices):
            return take(indices)

    with pytest.raises(UserError, match="take"):
        run("fixed", (Malformed(X, Y),))


class TensorSource(CountingSource):
    """Returns tensors instead of arrays."""

    def take(self, indices):
        return tuple(tf.constant(array) for array in super().take(indices))


def test_a_source_may_return_tensors():
    plain, tensors = (Trainer(mlp(), batch_size=B, compile="graph") for _ in range(2))
    plain.fit(X, Y, verbose=0)
    tensors.fit(TensorSource(X, Y), verbose=0)
    assert_same(variable_values(tensors.model), variable_values(plain.model))


def test_nonfinite_values_of_a_source_are_reported_with_their_samples():
    x = X.copy()
    x[[30, 41], 2] = np.nan
    with pytest.raises(UserError, match="the source returned NaN or infinite values for samples "):
        Trainer(mlp(), "fixed", batch_size=B, compile="graph").fit(CountingSource(x, Y), verbose=0)


def test_an_error_in_the_source_is_raised():
    class Broken(CountingSource):
        def take(self, indices):
            if len(indices) > 1 and 77 in indices:
                raise OSError("disk on fire")
            return super().take(indices)

    with pytest.raises(OSError, match="disk on fire"):
        run("fixed", (Broken(X, Y),), buffer_bytes=4 * B * ROW_BYTES)


def test_labels_of_a_source_outside_the_classes_stop_the_run():
    y = Y.copy()
    y[70] = 9
    with pytest.raises(UserError, match="70"):
        run("fixed", (CountingSource(X, y),))


@pytest.mark.parametrize(
    ("y", "weight", "words"),
    [
        (Y, np.zeros(N, "float32"), "all sample weights in the first .* rows of the source are 0"),
        (Y, np.where(np.arange(N) == 71, -1.0, 1.0).astype("float32"), "sample_weight is negative for 1 samples: 71"),
        (np.where(np.arange(N) == 71, 0.5, Y).astype("float32"), None, "1 labels are not whole numbers: 0.5 at 71"),
    ],
)
def test_labels_and_weights_of_a_source_are_checked_as_they_are_read(y, weight, words):
    source = CountingSource(*(part for part in (X, y, weight) if part is not None))
    with pytest.raises(UserError, match=words):
        run("random", (source,), "graph", epochs=2, buffer_bytes=4 * B * ROW_BYTES)
    assert source.rows < 2 * N  # no pass of its own


def test_a_few_weights_above_0_are_enough():
    run("random", (CountingSource(X, Y, (np.arange(N) == 7).astype("float32")),), epochs=1)
