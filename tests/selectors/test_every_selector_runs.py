"""The battery that every selector passes in training: one trace, the same run for any call length, resume."""

import functools
import itertools
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import assert_same, classes, mlp, variable_values
from save_at import SaveAt
from selector_table import NAMES, selector

from batchsel import Trainer
from batchsel.selectors.registry import REGISTRY
from batchsel.training.fit_call import fit_loop

X, Y = classes(50)
ORDER = [name for name, entry in REGISTRY.entries().items() if entry.family == "order"]
every_selector = pytest.mark.parametrize("name", NAMES)


@functools.cache
def trainer_of(name, compile="auto"):
    """Return one trainer for all tests of a selector, compiled once and used again after `reset`."""
    return Trainer(mlp(), selector(name), batch_size=8, compile=compile)


def run(trainer, epochs=3, seed=1, **options):
    """Run from the start; return history, weights, loop state and counts."""
    trainer.reset(seed)
    return finish(trainer, epochs, **options)


def finish(trainer, epochs=3, **options):
    history = trainer.fit(X, Y, epochs=epochs, verbose=0, **options).history
    loop_state = [leaf.numpy() for leaf in tf.nest.flatten(trainer.loop.state)]
    return history, variable_values(trainer.model), loop_state, trainer.counts


def assert_same_run(first, second):
    assert first[0] == second[0]
    assert_same(first[1], second[1])
    assert_same(first[2], second[2])
    assert first[3] == second[3]


class EachBatch(keras.callbacks.Callback):
    """Callback that records every batch."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)


@every_selector
def test_one_trace_serves_several_fits_and_seeds(name):
    trainer = trainer_of(name)
    history, *_, counts = run(trainer, epochs=2)
    loop = trainer.loop
    assert len(history["loss"]) == 2
    assert np.isfinite(history["loss"]).all()
    finish(trainer, epochs=None, passes=1)
    assert trainer.counts["samples"] >= counts["samples"] + 50
    run(trainer, epochs=2, seed=2)
    trainer.reseed(3)
    finish(trainer, epochs=1)
    assert trainer.loop is loop
    assert loop.trace_count() == 1


@every_selector
def test_xla_does_not_recompile_for_another_seed(name):
    """It would for each value of a compile-time constant, such as a position in ``rows[position]``."""
    trainer = trainer_of(name)

    def seconds(seed):
        start = time.process_time()  # of this process, however busy the machine
        run(trainer, epochs=2, seed=seed)
        return time.process_time() - start

    seconds(20)
    known, new = ([seconds(seed) for seed in seeds] for seeds in ((20, 20, 20), (21, 22, 23)))
    # To compile takes half a second at least, several times as long as a run.
    assert sorted(new)[1] < 2 * sorted(known)[1] + 0.05, (known, new)


@every_selector
def test_the_run_is_the_same_for_any_number_of_steps_per_call(name, monkeypatch):
    trainer = trainer_of(name)
    expected = run(trainer)
    batches = EachBatch()
    assert_same_run(run(trainer, callbacks=[batches]), expected)
    assert len(batches.batches) == expected[3]["steps"]
    lengths = itertools.cycle([1, 2, 5, 3])
    monkeypatch.setattr(fit_loop.FitLoop, "_call_steps", lambda self: next(lengths))
    assert_same_run(run(trainer), expected)
    assert_same_run(run(trainer, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=print_nothing)]), expected)


def print_nothing(epoch, logs):
    pass


@every_selector
def test_a_run_resumed_in_the_middle_of_a_plan_is_bit_equal(name, tmp_path):
    trainer = trainer_of(name)
    expected = run(trainer)
    step = expected[3]["steps"] // 2
    run(trainer, callbacks=[SaveAt(trainer, step, tmp_path / "half.npz", stop=True)])
    assert trainer.counts["steps"] == step
    run(trainer, epochs=1, seed=77)
    trainer.resume(tmp_path / "half.npz")
    assert_same_run(finish(trainer), expected)


@every_selector
def test_runs_are_equal_for_equal_seeds_only(name):
    trainer = trainer_of(name)
    first, again, other = (run(trainer, epochs=2, seed=seed) for seed in (4, 4, 5))
    assert_same_run(first, again)
    assert first[0]["loss"] != other[0]["loss"]


@every_selector
def test_losses_of_trained_samples_are_known(name):
    trainer = trainer_of(name)
    run(trainer, epochs=2)
    last, last_losses = trainer.loop.state.last_indices.numpy(), trainer.loop.state.last_losses.numpy()
    # Rows of one sample may differ in their last bits by their position in the batch; the loss is that of one of them.
    for index in np.unique(last):
        assert trainer.losses[index] in last_losses[last == index]
    assert trainer.losses.shape == (50,)
    assert np.isfinite(trainer.losses).sum() >= 8


class Plans(keras.callbacks.Callback):
    """Callback that records the plan in use at the end of each epoch."""

    def __init__(self, trainer):
        super().__init__()
        self.trainer, self.plans = trainer, []

    def on_epoch_end(self, epoch, logs=None):
        self.plans.append(self.trainer.loop.state.plan.indices.numpy())


@pytest.mark.parametrize("name", ORDER)
def test_selectors_that_ignore_losses_plan_the_same_in_graph_and_xla(name):
    chosen = []
    for trainer in (trainer_of(name, "graph"), trainer_of(name)):
        plans = Plans(trainer)
        run(trainer, epochs=4, callbacks=[plans])
        chosen.append(plans.plans)
    assert_same(*chosen)
    assert len(chosen[0]) == 4
    assert [trainer_of(name, *mode).loop.xla for mode in (["graph"], [])] == [False, True]
