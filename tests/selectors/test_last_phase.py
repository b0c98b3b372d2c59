"""The last phase on all data: as many epochs as in the authors' code, in budgets of epochs and of samples."""

import functools
import math

import keras
import numpy as np
import pytest
from problems import classes, mlp

from batchsel import Trainer

N, B, DELTA = 200, 10, 0.875
X, Y = classes(N)
SHARES = {"a third": 0.373, "most": 0.603}
"""Shares of the samples that are left out of every epoch between the first and the last phase."""


@functools.cache
def trainer_of(selector):
    """A trainer whose model does not change, so that losses are the same in every epoch."""
    return Trainer(mlp(optimizer=keras.optimizers.SGD(0.0)), selector, batch_size=B, compile="graph")


def low(selector, share):
    """Samples that are left out: those of losses below a quantile, under the model that does not change."""
    logits = trainer_of(selector).model.predict(X, verbose=0)
    losses = np.log(np.exp(logits).sum(axis=-1)) - logits[np.arange(N), Y]
    return np.quantile(losses, share, method="inverted_cdf") > losses


def samples_in(epochs, kept):
    """Samples and length of the last phase of a run: all in the first epoch and in those after δ C, else `kept`."""
    last = sum(epoch > DELTA * epochs for epoch in range(1, epochs + 1))
    return sum(N if epoch == 1 or epoch > DELTA * epochs else kept for epoch in range(1, epochs + 1)), last


@pytest.mark.parametrize("budget", [1, 2, 3, 4, 5, 8, 16, 24])
@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_epochs_have_the_last_phase_of_the_authors(share, budget):
    name = f"infobatch(r=1.0, threshold={share})"
    easy = low(name, share)
    trainer = trainer_of(name)
    trainer.reset(budget, weights=trainer.model.get_weights() or None)
    trainer.fit(X, Y, epochs=budget, verbose=0)
    samples, last = samples_in(budget, int((~easy).sum()))
    assert trainer.counts["samples"] == samples
    assert trainer.counts["plans"] == budget
    assert set(trainer.visits[~easy]) == {budget}
    assert set(trainer.visits[easy]) == {max(1 + last, 1) if budget > 1 else 1}


@pytest.mark.parametrize("budget", [2, 3, 4, 5, 8, 16, 24])
@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_passes_have_the_last_phase_of_as_many_epochs_as_they_last_for(share, budget):
    name = f"infobatch(r=1.0, threshold={share})"
    easy = low(name, share)
    trainer = trainer_of(name)
    trainer.reset(budget, weights=trainer.model.get_weights() or None)
    trainer.fit(X, Y, passes=budget, verbose=0)
    kept = int((~easy).sum())
    epochs = max(number for number in range(1, 20 * budget) if samples_in(number, kept)[0] <= budget * N)
    _, last = samples_in(epochs, kept)
    phase = trainer.visits[easy] - 1
    # A plan that is cut ends with a whole batch, so that the last phase may lack some samples of one.
    assert set(phase) <= {last - 1, last}
    assert (phase == last - 1).sum() < B
    assert 0.18 <= last / budget <= 0.5 if budget < 4 else 0.18 <= last / budget <= 0.27
    assert budget * N <= trainer.counts["samples"] < budget * N + B


@pytest.mark.parametrize("name", ["infobatch", "seta", "repb", "soft_keep(until=0.875)"])
@pytest.mark.parametrize("unit", ["epochs", "passes"])
@pytest.mark.parametrize("budget", [2, 4, 5, 8])
def test_every_method_with_a_last_phase_ends_with_all_samples(name, unit, budget):
    """Kept at random, so the number of plans of a budget in passes differs; their last phase is whole passes."""
    trainer = trainer_of(name)
    trainer.reset(budget, weights=trainer.model.get_weights() or None)
    plans = Plans(trainer)
    trainer.fit(X, Y, **{unit: budget}, callbacks=[plans], verbose=0)
    sizes = np.bincount(plans.plans, plans.samples)[1:]
    epochs = budget if unit == "epochs" else len(sizes)
    last = math.ceil((1 - DELTA) * epochs - 1e-9)
    whole = sizes[-last:] >= N - B  # a plan that is cut ends with a whole batch
    assert whole.all(), sizes
    if name != "seta" and len(sizes) > last + 1:  # of which a part is dropped in the first pass too
        assert (sizes[1:-last] < 0.95 * N).all(), sizes


class Plans(keras.callbacks.Callback):
    """Notes the plan and the samples of each step."""

    def __init__(self, trainer):
        super().__init__()
        self.trainer, self.plans, self.samples = trainer, [], []

    def on_train_batch_end(self, batch, logs=None):
        counts = self.trainer.counts
        self.plans.append(counts["plans"])
        self.samples.append(counts["samples"] - sum(self.samples))


def test_the_last_phase_of_a_later_call_is_its_own():
    name = "infobatch(r=1.0, threshold=0.6)"
    easy = low(name, 0.6)
    trainer = trainer_of(name)
    trainer.reset(0, weights=trainer.model.get_weights() or None)
    for _ in range(2):
        before = trainer.visits if trainer.counts["plans"] else 0
        trainer.fit(X, Y, passes=8, verbose=0)
        assert set((trainer.visits - before)[easy]) <= {2, 3}  # two in the last phase, and one before any loss is known
    trainer.fit(X, Y, epochs=8, verbose=0)
    assert trainer.counts["plans"] > 16


def test_without_a_last_phase_no_plan_is_cut():
    trainer = trainer_of("soft_keep")
    plans = Plans(trainer)
    trainer.fit(X, Y, passes=6, callbacks=[plans], verbose=0)
    sizes = np.bincount(plans.plans, plans.samples)[1:-1]
    assert (sizes[1:] < 0.9 * N).all()
    assert (sizes > 0.4 * N).all()
