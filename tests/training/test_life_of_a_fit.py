"""Effects of callbacks on a run, and models and optimizers with a state of their own: as in `model.fit`."""

import keras
import numpy as np
import pytest
from parity import assert_agrees, fit
from problems import classes, compile_model, fill_weights, linear, mlp, sparse

import batchsel
from batchsel.errors import UserError

X, Y = classes(50)
SIZE = X.sum(axis=1, keepdims=True)
SEQUENCES = np.random.default_rng(0).normal(size=(48, 5, 4)).astype("float32")


INTERFERENCES = {
    "evaluate": lambda model: model.evaluate(X, Y, verbose=0),
    "test on batch": lambda model: model.test_on_batch(X[:8], Y[:8]),
    "nested fit": lambda model: model.fit(X[:16], Y[:16], verbose=0, shuffle=False),
}


@pytest.mark.parametrize("what", INTERFERENCES)
def test_what_a_callback_does_with_the_model_leaves_the_history_alone(what):
    def train(by_keras):
        model = mlp()
        callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: INTERFERENCES[what](model))
        return fit(model, X, Y, by_keras, epochs=3, callbacks=[callback])

    assert_agrees(train)


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_epoch_end"])
def test_training_stops_where_it_stops_in_keras(hook):
    def train(by_keras):
        callback = keras.callbacks.Callback()
        setattr(callback, hook, lambda *args, **options: setattr(callback.model, "stop_training", True))
        return fit(mlp(), X, Y, by_keras, epochs=3, callbacks=[callback], validation_data=(X, Y))

    assert_agrees(train)


def test_compiling_again_in_a_callback_is_refused():
    model = mlp()
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: model.compile("adam", sparse()))
    with pytest.raises(UserError, match="a callback compiled the model again while it was trained.* Call fit"):
        fit(model, X, Y, by_keras=False, epochs=2, callbacks=[callback])


def stateful():
    layers = [keras.Input(batch_shape=(8, 5, 4)), keras.layers.LSTM(3, stateful=True), keras.layers.Dense(3)]
    return compile_model(keras.Sequential(layers))


def test_stateful_layers_keep_their_state_as_in_keras():
    def train(by_keras):
        data = SEQUENCES, Y[:48]
        return fit(stateful(), *data, by_keras, epochs=2, validation_data=data)

    assert_agrees(train)


def test_a_model_for_batches_of_one_size_refuses_others():
    with pytest.raises(UserError, match=r"batches of 8 samples only.* last batch of 47 samples has 7"):
        fit(stateful(), SEQUENCES[:47], Y[:47], by_keras=False)
    with pytest.raises(UserError, match=r"batches of 8 samples only.* 20 validation samples leave 4 over"):
        fit(stateful(), SEQUENCES, Y[:48], by_keras=False, validation_data=(SEQUENCES[:20], Y[:20]))
    with pytest.raises(UserError, match="batches of 8 samples only.* batch_size is 16"):
        batchsel.fit(stateful(), SEQUENCES, Y[:48], batch_size=16)


def built_by_a_call():
    model = keras.Sequential([keras.layers.Dense(5, "tanh"), keras.layers.Dense(3)])
    model(X[:1])
    return compile_model(model)


def stated_in_vain():
    return compile_model(keras.Sequential([keras.Input(batch_shape=(2, 4)), keras.layers.Dense(3)]))


@pytest.mark.parametrize("build", [built_by_a_call, stated_in_vain])
def test_a_stated_batch_size_that_binds_no_layer_refuses_nothing(build):
    assert_agrees(lambda by_keras: fit(build(), X[:47], Y[:47], by_keras, epochs=2, validation_data=(X[:20], Y[:20])))


class Reshape(keras.layers.Layer):
    def call(self, x):
        return keras.ops.reshape(x, (8, 4))


def test_a_model_that_reshapes_to_a_fixed_batch_trains_on_full_batches_or_is_refused():
    def make():
        return compile_model(keras.Sequential([keras.Input((4,)), Reshape(), keras.layers.Dense(3)]))

    assert_agrees(lambda by_keras: fit(make(), X[:48], Y[:48], by_keras))
    with pytest.raises(UserError, match="but not the short batch of 2 that is left over"):
        fit(make(), X, Y, by_keras=False)


@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_other_types_of_numbers_give_the_numbers_of_keras(floatx):
    def train(by_keras):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mae"])
        return fit(model, X, SIZE, by_keras, epochs=2)

    keras.config.set_floatx(floatx)
    try:
        found, expected = train(by_keras=False), train(by_keras=True)
    finally:
        keras.config.set_floatx("float32")
    tolerance = 1e-6 if floatx == "float64" else 5e-3
    for name, values in expected[0].items():
        np.testing.assert_allclose(found[0][name], values, rtol=tolerance, err_msg=name)


def several_optimizers(model):
    kernel, *_ = model.trainable_variables
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1), {kernel.path: keras.optimizers.Adam(0.1)})
    return keras.optimizers.MultiOptimizer(chosen)


OPTIMIZERS = {
    "several": several_optimizers,
    "average that overwrites": lambda model: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=5),
    "scaled loss": lambda model: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_with_parts_of_their_own_agree_with_keras(name):
    def train(by_keras):
        model = linear(4)
        model.compile(OPTIMIZERS[name](model), "mse")
        return fit(model, X, SIZE, by_keras, epochs=2)

    assert_agrees(train)


def test_averages_swapped_in_for_evaluation_agree_with_keras():
    def train(by_keras):
        model = linear(4, optimizer=keras.optimizers.SGD(0.1, use_ema=True))
        callbacks = [keras.callbacks.SwapEMAWeights()]
        return fit(model, X, SIZE, by_keras, epochs=2, callbacks=callbacks, validation_data=(X, SIZE))

    assert_agrees(train)


def test_a_schedule_free_optimizer_starts_from_the_weights_as_keras_does_when_it_is_built_first():
    def train(by_keras):
        model = linear(4, optimizer=keras.optimizers.ScheduleFreeAdamW(0.01))
        if by_keras:
            # In the trace of its first step, Keras forgets that the averages start from the weights, not from zeros.
            model.optimizer.build(model.trainable_variables)
        return fit(model, X, SIZE, by_keras, epochs=2)

    assert_agrees(train)


def test_a_reset_starts_slots_that_copy_the_weights_from_the_new_weights():
    model = linear(4, optimizer=keras.optimizers.ScheduleFreeAdamW(0.01))
    initial = model.get_weights()
    trainer = batchsel.Trainer(model, "fixed", batch_size=8, compile="graph")
    first = trainer.fit(X, SIZE, epochs=2, verbose=0).history
    trainer.reset(0, weights=initial)
    assert trainer.fit(X, SIZE, epochs=2, verbose=0).history == first


def test_missing_values_that_the_model_fills_in_are_trained_on():
    class Impute(keras.layers.Layer):
        def call(self, x):
            return keras.ops.where(keras.ops.isnan(x), 0.0, x)

    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)

    def train(by_keras):
        layers = [keras.Input((4,)), Impute(), keras.layers.Dense(3)]
        return fit(compile_model(keras.Sequential(layers)), holes, Y, by_keras, validation_data=(holes, Y))

    assert_agrees(train)
    with pytest.raises(UserError, match="x has NaN or infinite values in"):
        fit(mlp(), holes, Y, by_keras=False)
    with pytest.raises(UserError, match="x has NaN or infinite values in"):
        fit(mlp(), X, Y, by_keras=False, validation_data=(holes, Y))


class DenseTrainer(keras.Model.__mro__[1], keras.layers.Dense):
    """A layer that is a Keras trainer, but no `keras.Model`."""

    def __init__(self, units):
        keras.layers.Dense.__init__(self, units)
        keras.Model.__mro__[1].__init__(self)


def test_a_layer_that_is_a_trainer_trains():
    def train(by_keras):
        model = DenseTrainer(1)
        model.build((None, 4))
        fill_weights(model)
        model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
        return fit(model, X, SIZE, by_keras, epochs=2, validation_data=(X, SIZE))

    assert_agrees(train)


class Rows(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(float(len(y_pred.numpy())))


def test_python_code_in_a_model_that_runs_eagerly_is_named():
    with pytest.raises(UserError, match=r"runs as a graph here, .* cannot: \w+Error: .*\. Write it with operations"):
        batchsel.fit(mlp(metrics=[Rows()], run_eagerly=True), X, Y, verbose=0)
