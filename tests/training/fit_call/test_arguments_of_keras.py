"""Arguments of `model.fit` mean the same: history, weights and hooks as Keras has them, in the order of the data."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from against_keras import assert_equal_training, train_both
from problems import classes, mlp

import batchsel
from batchsel import Trainer, UserError

N, B = 24, 8
X, Y = classes(N)
W = np.linspace(0.5, 2, N).astype("float32")
VALIDATION = classes(21, seed=4)
DATA = lambda: (X, Y)  # noqa: E731


class Hooks(keras.callbacks.Callback):
    """Records every hook that is called, with its number, the names of its logs, and what the metrics say by then."""

    def __init__(self):
        super().__init__()
        self.calls, self.values = [], []


def _recorder(name):
    def hook(self, *arguments, **keywords):
        *number, logs = (*arguments, *keywords.values())
        self.calls.append((name, *number, tuple(sorted(logs or ()))))
        metrics = self.model.get_metrics_result() if logs else {}  # Keras builds them in the first batch
        self.values += [float(value) for each in (logs or {}, metrics) for _, value in sorted(each.items())]

    return hook


for _phase in ("train", "test", "train_batch", "test_batch", "epoch"):
    for _end in ("begin", "end"):
        setattr(Hooks, f"on_{_phase}_{_end}", _recorder(f"on_{_phase}_{_end}"))


def pipeline(repeat=False):
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(B)
    return data.repeat() if repeat else data


CASES = {
    "plain": {"epochs": 3},
    "steps per epoch": {"epochs": 6, "steps_per_epoch": 1},
    "all steps of an epoch": {"epochs": 2, "steps_per_epoch": 3},
    "initial epoch": {"epochs": 5, "initial_epoch": 3},
    "initial epoch with steps": {"epochs": 6, "steps_per_epoch": 1, "initial_epoch": 4},
    "initial epoch at the end": {"epochs": 2, "initial_epoch": 2},
    "validation frequency": {"epochs": 5, "validation_data": VALIDATION, "validation_freq": 2},
    "validation at epochs": {"epochs": 5, "validation_data": VALIDATION, "validation_freq": [1, 4]},
    "validation steps": {"epochs": 2, "validation_data": VALIDATION, "validation_steps": 2},
    "validation batches": {"epochs": 2, "validation_data": VALIDATION, "validation_steps": 2, "validation_batch_size": 5},
    "validation split": {"epochs": 2, "validation_split": 0.25},
    "weights": {"epochs": 2, "sample_weight": W},
    "class weights": {"epochs": 2, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
    "one batch of all": {"epochs": 3, "batch_size": 100},
    "no epochs": {"epochs": 0},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_argument_means_the_same_as_in_keras(case):
    hooks = []

    def make_hooks():
        hooks.append(Hooks())
        return [hooks[-1]]

    results = train_both(mlp, DATA, **{"batch_size": B, "callbacks": make_hooks} | CASES[case])
    assert_equal_training(results)
    expected, found = hooks
    assert found.calls == expected.calls
    np.testing.assert_allclose(found.values, expected.values, rtol=2e-4, atol=1e-5)
    assert found.params | {"verbose": 0} == expected.params
    assert_equal_metrics(results)


def assert_equal_metrics(results):
    if not results[0][1]:
        return  # Keras builds them in the first batch
    expected, found = (model.get_metrics_result() for model, _ in results)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("options", [{}, {"validation_data": VALIDATION}])
def test_hooks_of_an_execution_are_called_once_for_all_its_batches(options):
    hooks = []

    def make_hooks():
        hooks.append(Hooks())
        return [hooks[-1]]

    build = lambda: mlp(steps_per_execution=2)  # noqa: E731
    assert_equal_training(train_both(build, DATA, batch_size=B, epochs=2, callbacks=make_hooks, **options))
    assert hooks[1].calls == hooks[0].calls
    np.testing.assert_allclose(hooks[1].values, hooks[0].values, rtol=2e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*steps_per_epoch to 2:UserWarning")
def test_a_limit_on_steps_holds_for_validation_too():
    keras.config.set_max_steps_per_epoch(2)
    try:
        results = train_both(mlp, DATA, batch_size=5, epochs=2, validation_data=VALIDATION)
    finally:
        keras.config.set_max_steps_per_epoch(None)
    assert_equal_training(results)


@pytest.mark.parametrize("case", ["initial epoch", "steps per epoch", "validation frequency", "plain"])
def test_without_batch_hooks_the_results_are_the_same(case):
    results = train_both(mlp, DATA, **{"batch_size": B} | CASES[case])
    assert_equal_training(results)
    assert_equal_metrics(results)


def test_metrics_keep_the_values_of_streamed_training():
    source = batchsel.data.source_of([(x, y) for x, y in zip(X, Y, strict=True)])
    assert_equal_metrics(train_both(mlp, lambda: (source,), keras_data=DATA, batch_size=B, epochs=2))


def test_batches_of_an_endless_pipeline_are_those_of_an_epoch():
    build = lambda: mlp(metrics=None)  # noqa: E731
    assert_equal_training(train_both(build, lambda: (pipeline(repeat=True),), epochs=3, steps_per_epoch=3))


def test_an_endless_generator_with_weights_trains_as_in_keras():
    def make():
        while True:
            for start in range(0, N, B):
                yield tuple(part[start : start + B] for part in (X, Y, W))

    (model, _), (other, _) = train_both(mlp, lambda: (make(),), epochs=2, steps_per_epoch=3)
    np.testing.assert_allclose(other.get_weights()[0], model.get_weights()[0], rtol=2e-4, atol=1e-5)


def test_the_plan_goes_on_across_epochs_of_fewer_batches():
    trainer = Trainer(mlp(), "random", batch_size=B, compile="graph")
    history = trainer.fit(X, Y, epochs=6, steps_per_epoch=2, verbose=0).history
    assert len(history["loss"]) == 6
    assert trainer.counts == {"steps": 12, "samples": 96, "scored": 0, "plans": 4}
    assert trainer.visits.tolist() == [4] * N
    whole = Trainer(mlp(), "random", batch_size=B, compile="graph")
    whole.fit(X, Y, epochs=4, verbose=0)
    np.testing.assert_array_equal(trainer.model.get_weights()[0], whole.model.get_weights()[0])


def test_an_epoch_of_more_batches_than_the_data_have_goes_on():
    trainer = Trainer(mlp(), "random", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=2, steps_per_epoch=7, verbose=0)
    assert trainer.counts["steps"] == 14


@pytest.mark.parametrize("compile", ["graph", "xla"])
@pytest.mark.parametrize("selector", ["loss_ema", "infobatch", "candidates"])
def test_every_selector_has_epochs_of_steps(selector, compile):
    trainer = Trainer(mlp(), selector, batch_size=B, compile=compile)
    trainer.fit(X, Y, epochs=3, steps_per_epoch=4, verbose=0)
    trainer.fit(X, Y, epochs=3, steps_per_epoch=4, initial_epoch=1, verbose=0)
    assert trainer.counts["steps"] == 20
    assert len(trainer.history["loss"]) == 2


def test_schedules_follow_epochs_of_steps_and_the_initial_epoch():
    def rates(**options):
        trainer = Trainer(mlp(), "fixed", batch_size=B, schedule="linear", compile="graph")
        return trainer.fit(X, Y, epochs=4, verbose=0, **options).history["learning_rate"]

    whole = rates()
    np.testing.assert_allclose(rates(steps_per_epoch=3), whole)
    np.testing.assert_allclose(rates(initial_epoch=2), whole[2:])
    np.testing.assert_allclose(rates(initial_epoch=2, steps_per_epoch=3), whole[2:])


def test_the_order_of_the_data_is_that_of_the_selector_fixed():
    models = [mlp(), mlp()]
    batchsel.fit(models[0], X, Y, batch_size=B, shuffle=False, verbose=0, compile="graph")
    models[1].fit(X, Y, batch_size=B, shuffle=False, verbose=0)
    np.testing.assert_allclose(models[0].get_weights()[0], models[1].get_weights()[0], rtol=2e-4, atol=1e-6)
    with pytest.raises(UserError, match="shuffle=False trains in the order of the data, and the selector loss_ema"):
        batchsel.fit(mlp(), X, Y, selector="loss_ema", shuffle=False, verbose=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps_per_epoch": 2, "passes": 1}, "state the budget in epochs, not in passes"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be a whole number from 1"),
        ({"initial_epoch": -1}, "initial_epoch must be a whole number from 0"),
        ({"validation_freq": 0}, "validation_freq must be a whole number of at least 1 or a list of epochs, got 0"),
        ({"validation_freq": [0]}, "an epoch of validation_freq must be"),
        ({"shuffle": "batch"}, "shuffle must be True or False, got 'batch'"),
    ],
)
def test_meaningless_values_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        Trainer(mlp(), batch_size=B).fit(X, Y, verbose=0, **options)


def test_a_resumed_call_goes_on_with_epochs_of_steps(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    path, options = tmp_path / "a.npz", {"epochs": 6, "steps_per_epoch": 2, "initial_epoch": 1, "verbose": 0}
    whole = Trainer(mlp(), "random", batch_size=B, compile="graph")
    expected = whole.fit(X, Y, **options).history
    first = Trainer(mlp(), "random", batch_size=B, compile="graph")
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, Y, checkpoint=path, callbacks=[Stop()], **options)
    second = Trainer(mlp(), "random", batch_size=B, compile="graph")
    second.resume(path)
    with pytest.raises(UserError, match="had steps_per_epoch=2, and not None"):
        second.fit(X, Y, epochs=6, verbose=0)
    second.resume(path)
    history = second.fit(X, Y, **options).history
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    assert second.counts == whole.counts
