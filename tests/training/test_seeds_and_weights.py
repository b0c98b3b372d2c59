"""The same seed repeats a run bit for bit, another seed changes it, and nothing is traced again."""

import gc
import random
import threading
import weakref
from contextlib import contextmanager

import keras
import numpy as np
import pytest
from problems import assert_same, classes, linear, mlp, noisy_mlp, variable_values

import batchsel
from batchsel import Trainer, UserError
from batchsel.training import fit_model

N, B = 50, 8
X, Y = classes(N)


def run(trainer, seed, epochs=2, **options):
    trainer.reset(seed, **options)
    history = trainer.fit(X, Y, epochs=epochs, validation_data=(X, Y), verbose=0).history
    return history, variable_values(trainer.model)


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_a_seed_determines_the_whole_run(compile):
    trainer = Trainer(noisy_mlp(), "loss_ema", batch_size=B, compile=compile)
    first, other, again = (run(trainer, seed) for seed in (1, 2, 1))
    assert first[0] == again[0]
    assert_same(first[1], again[1])
    assert first[0] != other[0]
    assert trainer.loop.trace_count() == 1


def test_another_trainer_repeats_the_run_of_a_seed():
    first, second = (Trainer(noisy_mlp(), "loss_ema", batch_size=B, compile="graph") for _ in range(2))
    keras.utils.set_random_seed(123)
    expected = run(first, 5)
    keras.utils.set_random_seed(456)
    found = run(second, 5)
    assert expected[0] == found[0]
    assert_same(expected[1], found[1])


def test_reset_clears_losses_counts_and_optimizer():
    trainer = Trainer(mlp(optimizer=keras.optimizers.Adam(0.01)), "loss_ema", batch_size=B, compile="graph")
    run(trainer, 1)
    assert trainer.evaluations
    trainer.reset(2)
    assert trainer.counts == {"steps": 0, "samples": 0, "scored": 0, "plans": 0}
    assert np.isinf(trainer.losses).all()
    assert trainer.history == {}
    assert trainer.evaluations == []
    assert trainer.clock.training == 0
    optimizer = {variable.name: variable.numpy() for variable in trainer.model.optimizer.variables}
    assert optimizer.pop("learning_rate") == np.float32(0.01)
    assert not any(value.any() for value in optimizer.values())


@pytest.mark.parametrize("schedule", [None, "linear"])
def test_reset_sets_a_learning_rate_that_later_resets_keep(schedule):
    def adam(rate):
        return mlp(optimizer=keras.optimizers.Adam(rate))

    trainer = Trainer(adam(0.1), batch_size=B, schedule=schedule, compile="graph")
    run(trainer, 1)
    trainer.reset(1, learning_rate=0.003)
    found = trainer.fit(X, Y, epochs=2, validation_data=(X, Y), verbose=0).history
    expected = run(Trainer(adam(0.003), batch_size=B, schedule=schedule, compile="graph"), 1)
    assert found == expected[0] == run(trainer, 1)[0]
    assert trainer.loop.trace_count() == 1


def test_reset_assigns_given_weights():
    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    weights = mlp().get_weights()
    first, again = (run(trainer, 3, weights=weights) for _ in range(2))
    assert_same(first[1], again[1])
    trainer.reset(4, weights=weights)
    assert_same(trainer.model.get_weights(), weights)


def test_weights_of_a_seed_have_the_spread_of_their_initializer():
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(200), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    trainer = Trainer(model)
    kernels = []
    for seed in range(2):
        trainer.reset(seed)
        kernels.append(model.layers[0].get_weights()[0])
    limit = np.sqrt(6 / 230)
    assert 0.95 * limit < np.abs(kernels).max() <= limit
    assert abs(np.corrcoef(kernels[0].ravel(), kernels[1].ravel())[0, 1]) < 0.06
    assert (model.layers[0].get_weights()[1] == 0).all()


def test_reseed_keeps_the_weights():
    trainer = Trainer(mlp(), "loss_ema", batch_size=B, compile="graph")
    run(trainer, 1)
    before = variable_values(trainer.model)
    trainer.reseed(9)
    assert_same(variable_values(trainer.model), before)
    assert np.isinf(trainer.losses).all()
    assert trainer.counts["steps"] == 0


def test_the_same_trainer_seed_repeats_the_history_and_another_changes_it():
    histories = []
    for seed in (0, 0, 1):
        trainer = Trainer(mlp(), "random", batch_size=B, seed=seed, compile="graph")
        histories.append(trainer.fit(X, Y, verbose=0).history)
    assert histories[0] == histories[1] != histories[2]


def test_a_model_that_cannot_be_cloned_is_reset_with_given_weights():
    class Subclassed(keras.Model):
        def __init__(self, width):
            super().__init__()
            self.dense = keras.layers.Dense(width)

        def call(self, inputs):
            return self.dense(inputs)

        def get_config(self):
            raise NotImplementedError("no config")

    model = Subclassed(3)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    trainer = Trainer(model, batch_size=B, compile="graph")
    trainer.fit(X, Y, verbose=0)
    with pytest.raises(
        UserError, match=r"cannot draw new weights for Subclassed: .*trainer\.reset\(seed, build=make_model\)"
    ):
        trainer.reset(1)
    trainer.reset(1, weights=[np.zeros((4, 3)), np.zeros(3)])
    trainer.fit(X, Y, verbose=0)


def test_a_model_with_a_custom_loss_is_reset():
    def squared_error(y_true, y_pred):
        return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)

    trainer = Trainer(linear(4, loss=squared_error), batch_size=B, compile="graph")
    trainer.reset(1)
    trainer.fit(X, X[:, :1], verbose=0)


def test_a_model_that_is_not_built_yet_is_reset():
    weights = []
    for _ in range(2):
        model = keras.Sequential([keras.layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        trainer = Trainer(model, batch_size=B, compile="graph")
        trainer.reset(1)
        trainer.fit(X, Y, verbose=0)
        weights.append(model.get_weights())
    assert_same(*weights)


def test_reset_clears_the_state_of_an_optimizer_that_was_in_use():
    model = mlp()
    start = model.get_weights()
    Trainer(model, batch_size=B, compile="graph").fit(X, Y, verbose=0)
    trained, fresh = Trainer(model, batch_size=B, compile="graph"), Trainer(mlp(), batch_size=B, compile="graph")
    found, expected = (run(trainer, 1, weights=start) for trainer in (trained, fresh))
    assert found[0] == expected[0]


class CustomSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that Keras cannot copy: it has no config."""

    def __call__(self, step):
        return 0.1


class CustomOptimizer(keras.optimizers.SGD):
    """An optimizer that Keras cannot copy: its config lacks an argument."""

    def __init__(self, needed, **options):
        super().__init__(**options)


@pytest.mark.parametrize("build", [lambda: keras.optimizers.SGD(CustomSchedule()), lambda: CustomOptimizer(1)])
def test_an_optimizer_that_keras_cannot_copy_is_reset(build):
    trainer = Trainer(mlp(optimizer=build()), batch_size=B, compile="graph")
    first, again = (run(trainer, 1) for _ in range(2))
    assert first[0] == again[0]


def test_an_optimizer_that_was_in_use_and_cannot_be_copied_is_rejected():
    trainer = Trainer(mlp(optimizer=CustomOptimizer(1)), batch_size=B, compile="graph")
    trainer.fit(X, Y, verbose=0)
    second = Trainer(trainer.model, batch_size=B, compile="graph")
    before = variable_values(trainer.model)
    with pytest.raises(UserError, match="cannot reset CustomOptimizer to before its first update.* define get_config"):
        second.reset(1)
    assert_same(variable_values(trainer.model), before)


def test_a_trainer_rejects_a_model_that_was_compiled_again():
    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    trainer.model.compile("sgd", trainer.model.loss)
    with pytest.raises(UserError, match="compile"):
        trainer.fit(X, Y, verbose=0)


def test_fit_replaces_model_fit():
    model = mlp()
    history = batchsel.fit(model, X, Y, selector="loss_ema", batch_size=B, epochs=3, verbose=0, compile="graph")
    assert isinstance(history, keras.callbacks.History)
    assert len(history.history["loss"]) == 3
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_training_exports_the_function_fit_after_its_submodules_are_imported():
    assert callable(batchsel.training.trainer.Trainer)
    assert callable(batchsel.training.fit)
    assert callable(batchsel.training.fit)


def test_a_second_call_of_fit_continues_from_the_weights_without_tracing():
    model, trainers = mlp(), []
    for _ in range(2):
        batchsel.fit(model, X, Y, batch_size=B, epochs=2, verbose=0, compile="graph")
        trainers.append(getattr(model, fit_model._ATTRIBUTE)[1])
    assert trainers[0] is trainers[1]
    assert trainers[0].loop.trace_count() == 1
    assert trainers[0].clock.seconds["tracing"] < 0.1
    twice = Trainer(mlp(), batch_size=B, compile="graph")
    for _ in range(2):
        twice.fit(X, Y, epochs=2, verbose=0)
    assert_same(variable_values(model), variable_values(twice.model))


def test_each_call_of_fit_draws_new_batches_and_another_seed_starts_over():
    model, orders = mlp(), []
    for seed in (0, 0, 1, 0):
        batchsel.fit(model, X, Y, batch_size=B, seed=seed, verbose=0, compile="graph")
        orders.append(getattr(model, fit_model._ATTRIBUTE)[1].loop.state.plan.indices.numpy().tolist())
    assert orders[0] != orders[1]
    assert orders[0] == orders[3] != orders[2]


def test_reset_keeps_the_weights_of_frozen_and_adapted_layers():
    normalize = keras.layers.Normalization()
    normalize.adapt(10 * X + 5)
    frozen = keras.layers.Dense(4, kernel_initializer=keras.initializers.Constant(7), trainable=False)
    layers = [keras.Input((4,)), normalize, frozen, keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    trainer = Trainer(model, batch_size=B, compile="graph")
    before = [variable_values(layer) for layer in (normalize, frozen)]
    last = model.layers[-1].get_weights()[0]
    first, again = run(trainer, 1), run(trainer, 1)
    assert first[0] == again[0]
    for old, layer in zip(before, (normalize, frozen), strict=True):
        assert_same(old, variable_values(layer))
    assert (model.layers[-1].get_weights()[0] != last).any()


def test_reset_by_build_keeps_the_weights_that_it_loads():
    loaded = np.full((4, 3), 0.25, np.float32)

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.dense = keras.layers.Dense(4), keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(self.first(inputs))

    def build():
        model = Subclassed()
        model(X[:1])
        model.dense.set_weights([loaded, np.zeros(3)])
        return model

    model = build()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    trainer = Trainer(model, batch_size=B, compile="graph")
    weights = []
    for seed in (1, 2, 1):
        trainer.reset(seed, build=build)
        assert_same([model.dense.get_weights()[0]], [loaded])
        weights.append(model.first.get_weights()[0])
        trainer.fit(X, Y, verbose=0)
    assert (weights[0] == weights[2]).all()
    assert (weights[0] != weights[1]).any()
    with pytest.raises(UserError, match="a model with other weight shapes"):
        trainer.reset(1, build=mlp)


@pytest.mark.parametrize("seed", [-1, 2**31, 1.5, "1"])
def test_an_invalid_seed_is_rejected(seed):
    with pytest.raises(UserError, match="seed must be a whole number from 0 to 2147483647"):
        Trainer(mlp(), seed=seed)


def test_fit_applies_changed_settings():
    model = mlp()
    for selector, size in (("random", 8), ("random", 10), ("loss_ema", 10)):
        batchsel.fit(model, X, Y, selector=selector, batch_size=size, verbose=0, compile="graph")
    assert int(model.optimizer.iterations.numpy()) == 7 + 5 + 5


@pytest.mark.parametrize(
    "changes", [{"metrics": ["accuracy"]}, {"weighted_metrics": ["accuracy"]}, {"loss_weights": 2.0}]
)
def test_fit_applies_a_new_compilation(changes):
    model = mlp(metrics=())
    optimizer, loss, start = model.optimizer, model.loss, model.get_weights()
    plain = batchsel.fit(model, X, Y, batch_size=B, verbose=0, compile="graph").history
    model.compile(optimizer, loss, **changes)
    model.set_weights(start)
    again = batchsel.fit(model, X, Y, batch_size=B, verbose=0, compile="graph").history
    if "loss_weights" in changes:
        assert again["loss"][0] > 1.3 * plain["loss"][0]
    else:
        assert set(again) == {"loss", "accuracy"}


def test_a_fitted_model_can_be_freed():
    model = mlp()
    batchsel.fit(model, X, Y, batch_size=B, verbose=0, compile="graph")
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


@contextmanager
def a_thread_that_draws():
    """Draw from Python's generator in another thread, as the threads of a Dask worker do now and then."""
    done = threading.Event()

    def draw():
        while not done.is_set():
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("build", [None, mlp], ids=["cloned", "built"])
def test_weights_of_a_seed_do_not_depend_on_what_other_threads_draw(build):
    trainer = Trainer(mlp(), batch_size=8)
    trainer.reset(seed=3, build=build)
    alone = trainer.model.get_weights()
    with a_thread_that_draws():
        for _ in range(5):
            trainer.reset(seed=3, build=build)
            for found, expected in zip(trainer.model.get_weights(), alone, strict=True):
                np.testing.assert_array_equal(found, expected)
