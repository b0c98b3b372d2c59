"""Samples of each pass of a run: exact where each pass has an evaluation, and carried over a resume."""

import numpy as np
import pytest
from problems import classes, mlp

from batchsel import Trainer
from batchsel.training.callbacks.pass_sizes import PassSizes

X, Y = classes(50)


def measure(selector, passes, evaluate_every=0.25, before=None):
    """Return sizes of passes, and the visits of all samples."""
    trainer = Trainer(mlp(), selector, batch_size=8)
    trainer.reset(1)
    sizes = PassSizes(trainer)
    if before is not None:
        sizes.set_state(before)
    trainer.fit(X, Y, passes=passes, verbose=0, evaluate_every=evaluate_every, callbacks=[sizes])
    return sizes, trainer


def test_sizes_of_subsets_are_those_of_their_formula():
    sizes, trainer = measure("scheduled_subset([1.0, 0.5, 0.3])", 50 / 50 + 25 / 50 + 2 * 15 / 50)
    assert sizes.sizes() == [50, 25, 15, 15]
    assert sum(sizes.sizes()) == trainer.counts["samples"]


def test_a_selector_by_losses_has_the_sizes_that_it_trained_on():
    sizes, trainer = measure("soft_keep", 3)
    found = sizes.sizes()
    assert len(found) == trainer.counts["plans"]
    assert found[0] == 50
    assert 5 < np.mean(found[1:]) < 45
    assert sum(found) >= trainer.counts["samples"]  # the last pass was planned as a whole


def test_passes_without_an_evaluation_have_the_mean_of_those_between():
    sizes, _ = measure("scheduled_subset([1.0, 0.5, 0.3, 0.3])", (50 + 25 + 15 + 15) / 50, evaluate_every=1.05)
    assert sizes.sizes()[-1] == 15
    assert sum(sizes.sizes()) == 105


@pytest.mark.parametrize("selector", ["loss_ema", "candidates"])
def test_selectors_that_plan_no_passes_have_none(selector):
    assert measure(selector, 1)[0].sizes() == []


def test_the_state_is_carried_over_a_resume():
    first, _ = measure("rs2(0.5)", 1)
    assert measure("rs2(0.5)", 0.5, before=first.get_state())[0].sizes() == first.sizes()
