"""End of a run and grid of evaluations: target, budget, seconds."""

import math
import time

import keras
import numpy as np
import pytest
from problems import classes, mlp
from selectors_for_tests import Pruning

from batchsel import Trainer
from batchsel.training.fit_call import fit_loop

N, B = 50, 8
X, Y = classes(N)
LambdaCallback = keras.callbacks.LambdaCallback


def trainer_of(selector="random", build=mlp, **options):
    return Trainer(build(), selector, **{"batch_size": B, "compile": "graph"} | options)


def test_a_target_that_is_held_ends_the_run():
    trainer = trainer_of()
    history = trainer.fit(X, Y, epochs=50, validation_data=(X, Y), target="accuracy>=0.8", hold=3, verbose=0).history
    met = np.array(history["val_accuracy"]) >= 0.8
    assert met[-3:].all()
    assert not any(met[i : i + 3].all() for i in range(len(met) - 3))
    assert len(history["loss"]) < 50
    assert [point["accuracy"] for point in trainer.evaluations] == history["val_accuracy"]
    reached = trainer.evaluations[len(met) - 3]
    seconds = [point["seconds"] for point in trainer.evaluations]
    assert seconds == sorted(seconds)
    assert reached["samples"] == N * (len(met) - 2)
    trainer.model.set_weights(trainer.weights_at_target)
    assert trainer.evaluate(X, Y)["accuracy"] == pytest.approx(reached["accuracy"])


def test_a_target_that_is_missed_spends_the_budget():
    trainer = trainer_of()
    history = trainer.fit(X, Y, epochs=3, validation_data=(X, Y), target="loss<=1e-9", verbose=0).history
    assert len(history["loss"]) == 3
    assert trainer.weights_at_target is None


def test_seconds_end_the_run_in_the_middle_of_an_epoch(monkeypatch):
    monkeypatch.setattr(fit_loop.FitLoop, "_call_steps", lambda self: 1)
    trainer = trainer_of()
    trainer.fit(X, Y, epochs=1, verbose=0)
    start = time.perf_counter()
    trainer.fit(X, Y, epochs=10**6, seconds=0.2, verbose=0)
    assert 0.2 <= trainer.clock.training < 0.6
    assert time.perf_counter() - start < 2


def test_the_first_call_of_a_run_returns_in_time():
    # An epoch takes seconds here; a fifth of a second is asked for.
    x = np.zeros((60_000, 256), "float32")
    trainer = trainer_of(build=lambda: mlp(features=256), batch_size=1)
    trainer.fit(x, np.zeros(len(x)), epochs=1, seconds=0.2, verbose=0)
    assert trainer.clock.training < 0.7


def test_evaluations_lie_on_one_grid_for_every_selector():
    trainers = [trainer_of(selector) for selector in ("random", "loss_ema", "candidates", Pruning())]
    for every in (0.25, 0.5, 1, 1.5):
        stops = [min(math.ceil(every * N * i), 3 * N) for i in range(1, math.ceil(3 / every) + 1)]
        for trainer in trainers:
            trainer.reset(0)
            trainer.fit(X, Y, passes=3, evaluate_every=every, validation_data=(X, Y), verbose=0)
            points = [point["samples"] for point in trainer.evaluations]
            # A point is passed by at most the rest of a batch.
            assert all(stop <= point < stop + B for stop, point in zip(stops, points, strict=True))


def test_where_intervals_are_shorter_than_a_batch_the_history_is_that_of_the_batches():
    alone = trainer_of("fixed").fit(X, Y, evaluate_every=0.05, verbose=0).history
    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    watched = trainer_of("fixed").fit(X, Y, evaluate_every=0.05, callbacks=[watch], verbose=0).history
    assert alone == watched
    assert 0.0 not in alone["loss"]


@pytest.mark.parametrize(("epochs", "every"), [(0.201, 0.1), (0.35, 0.1), (1.0, 0.3), (0.05, 0.1), (2, 1)])
@pytest.mark.parametrize("watched", [False, True])
def test_no_batch_ends_two_intervals(epochs, every, watched):
    x, y = classes(1000)
    trainer = Trainer(mlp(), batch_size=96, compile="graph")
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)] if watched else []
    loss = trainer.fit(x, y, epochs=epochs, evaluate_every=every, callbacks=callbacks, verbose=0).history["loss"]
    assert min(loss) > 0.1
    assert len(loss) == max(1, int((epochs * 1000 - 96) / max(every * 1000, 96) + 1e-9) + 1)
    assert trainer.counts["samples"] >= epochs * 1000


def test_a_run_that_goes_on_keeps_the_weights_of_its_crossing():
    options = {"epochs": 30, "validation_data": (X, Y), "target": "accuracy>=0.8", "verbose": 0}
    on, off = trainer_of(), trainer_of()
    on.reset(3)
    off.reset(3)
    on.fit(X, Y, stop_at_target=False, **options)
    off.fit(X, Y, **options)
    assert len(on.evaluations) == 30 > len(off.evaluations)
    for left, right in zip(on.weights_at_target, off.weights_at_target, strict=True):
        np.testing.assert_array_equal(left, right)


def test_visits_are_counted():
    trainer = trainer_of("loss_ema")
    trainer.fit(X, Y, epochs=3, verbose=0)
    assert trainer.visits.sum() == trainer.counts["samples"]
    plain = trainer_of()
    plain.fit(X, Y, epochs=3, verbose=0)
    assert (plain.visits == 3).all()
