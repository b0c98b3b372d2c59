"""Budgets in epochs of the selector: a pass over its plan, whatever that trains on."""

import keras
import numpy as np
import pytest
from problems import classes, mlp
from selectors_for_tests import Pruning

from batchsel import Trainer
from batchsel.errors import UsageError

N, B = 50, 8
X, Y = classes(N)


def trainer_of(selector="random", **options):
    return Trainer(mlp(), selector, **{"batch_size": B, "compile": "graph"} | options)


class EachStep(keras.callbacks.Callback):
    """Notes for each step its plan, its samples and its learning rate."""

    def __init__(self, trainer):
        super().__init__()
        self.trainer, self.plans, self.samples, self.rates = trainer, [], [], []

    def on_train_batch_end(self, batch, logs=None):
        counts = self.trainer.counts
        self.plans.append(counts["plans"])
        self.samples.append(counts["samples"] - sum(self.samples))
        self.rates.append(float(self.model.optimizer.learning_rate.numpy()))


@pytest.mark.parametrize("name", ["infobatch(r=1.0)", "soft_keep", "kakurenbo(tau=0.0)", "rs2(0.3)", "growing"])
def test_an_epoch_is_a_pass_over_the_plan_and_costs_no_more(name):
    trainer = trainer_of(name)
    history = trainer.fit(X, Y, epochs=4, verbose=0).history
    counts = trainer.counts
    assert len(history["loss"]) == counts["plans"] == 4
    assert counts["samples"] == trainer.visits.sum() < 0.9 * 4 * N
    assert trainer.progress == 1
    trainer.reset(0)
    trainer.fit(X, Y, passes=4, verbose=0)
    assert trainer.counts["samples"] >= 4 * N
    assert trainer.counts["plans"] > 4


@pytest.mark.parametrize("name", ["random", "fixed", "stratified", "loss_ema", "candidates", "with_replacement"])
def test_an_epoch_is_n_samples_where_plans_hold_all_of_them_or_are_made_batch_by_batch(name):
    first, second = trainer_of(name), trainer_of(name)
    one = first.fit(X, Y, epochs=3, verbose=0).history
    two = second.fit(X, Y, passes=3, verbose=0).history
    assert one == two
    assert first.counts == second.counts
    assert 3 * N <= first.counts["samples"] < 3 * N + B


def test_a_selector_says_itself_whether_its_plans_are_epochs():
    class Whole(Pruning):
        plans_passes = False

    trainer = trainer_of(Whole())
    trainer.fit(X, Y, epochs=3, verbose=0)
    assert trainer.counts["samples"] >= 3 * N


@pytest.mark.parametrize("streamed", [False, True])
def test_schedules_end_with_the_last_epoch_and_move_within_it_by_its_samples(streamed):
    class Rows:
        def __len__(self):
            return N

        def take(self, indices):
            return X[indices], Y[indices]

    trainer = trainer_of(Pruning(), schedule="linear")
    each = EachStep(trainer)
    data = (Rows(),) if streamed else (X, Y)
    history = trainer.fit(*data, epochs=5, callbacks=[each], verbose=0).history
    plans, samples = np.array(each.plans), np.array(each.samples)
    planned = np.bincount(plans, samples)[plans]
    within = np.array([samples[:step][plans[:step] == plan].sum() for step, plan in enumerate(plans)])
    progress = (plans - 1 + within // (planned / N) / N) / 5
    np.testing.assert_allclose(each.rates, 0.1 * (1 - progress), atol=0.1 / N / 5)
    assert plans.tolist() == sorted(plans)
    assert plans[-1] == 5
    assert min(planned) < 0.8 * N
    ends = [each.rates[step] for step in range(len(plans)) if step + 1 == len(plans) or plans[step + 1] > plans[step]]
    np.testing.assert_allclose(history["learning_rate"], ends, atol=1e-8)
    log = trainer.schedule_log
    before = np.cumsum(samples) - samples
    assert set(log["samples"]) <= set(before.tolist())


def test_calls_of_fit_go_on_epoch_by_epoch():
    whole, parts = trainer_of("infobatch(delta=1.0)"), trainer_of("infobatch(delta=1.0)")
    whole.fit(X, Y, epochs=5, verbose=0)
    for epochs in (1, 2, 2):
        parts.fit(X, Y, epochs=epochs, verbose=0)
    assert whole.counts == parts.counts
    assert whole.counts["plans"] == 5
    np.testing.assert_array_equal(whole.visits, parts.visits)


def test_half_an_epoch_is_half_of_what_is_planned():
    trainer = trainer_of("fixed", batch_size=5)
    trainer.fit(X, Y, epochs=2.5, verbose=0)
    assert trainer.counts["samples"] == 2.5 * N
    trainer = trainer_of("rs2(0.4)", batch_size=5)
    trainer.fit(X, Y, epochs=2.5, verbose=0)
    assert trainer.counts["samples"] == 2.5 * 20


@pytest.mark.parametrize("validated", [False, True])
def test_intervals_shorter_than_a_batch_of_a_short_plan_are_never_empty(validated):
    options = {"validation_data": (X, Y)} if validated else {}
    trainer = trainer_of("rs2(0.3)")  # two batches
    history = trainer.fit(X, Y, epochs=3, evaluate_every=0.25, verbose=0, **options).history
    assert min(history["loss"]) > 0
    assert len(history["loss"]) == trainer.counts["steps"] == 6
    assert trainer.counts["samples"] == 45


def test_the_last_update_of_an_epoch_budget_uses_the_batches_that_are_left():
    trainer = trainer_of("rs2(0.4)", accumulate=2)  # three batches an epoch
    trainer.fit(X, Y, epochs=3, verbose=0)
    assert trainer.counts["steps"] == 9
    assert int(trainer.model.optimizer.iterations.numpy()) == 5


def test_one_trace_serves_budgets_in_epochs_and_in_passes():
    trainer = trainer_of("infobatch")
    trainer.fit(X, Y, epochs=2, verbose=0)
    trainer.fit(X, Y, passes=2, verbose=0)
    trainer.fit(X, Y, epochs=1.5, verbose=0)
    assert trainer.loop.trace_count() == 1


def test_two_budgets_are_refused():
    with pytest.raises(UsageError, match="epochs=2 and passes=3 are both budgets"):
        trainer_of().fit(X, Y, epochs=2, passes=3, verbose=0)


def test_a_resumed_call_needs_the_unit_that_it_began_with(tmp_path):
    trainer = trainer_of("infobatch")
    trainer.fit(X, Y, epochs=3, verbose=0)
    trainer.save(tmp_path / "run.npz")
    trainer.resume(tmp_path / "run.npz")
    with pytest.raises(UsageError, match="had a budget in epochs, not in passes. Pass epochs="):
        trainer.fit(X, Y, passes=3, verbose=0)
