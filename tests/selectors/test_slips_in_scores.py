"""Scores that nothing can be drawn from in proportion, and numbers without an order: a run with them ends at once."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp
from sound_selector import B, N, Sound, assert_one_sentence, start

from batchsel import Trainer, UserError
from batchsel.selectors import NumpyFunction, Plan, Pooled, Score, Selector
from batchsel.selectors.ops.sampling import deal_into_batches, first_then_shares, plan_in_proportion, systematic
from batchsel.selectors.pooled import take_in_proportion, top_k
from batchsel.selectors.validation.planning import make_plan
from batchsel.testing.fixtures import example_context
from batchsel.testing.properties import selector_properties
from batchsel.training import TrainingError

X, Y = classes(N)
BAD = "a score that is negative or NaN, at step"
ZERO = "drew in proportion to scores of which none is above 0, at step"
NAN = "puts numbers in order of which some are NaN, at step"
LATER = 12


def fit(selector, compile="graph"):
    trainer = Trainer(mlp(), selector, batch_size=B, compile=compile)
    trainer.fit(X, Y, epochs=3, verbose=0)
    return trainer


@dataclass(frozen=True, repr=False)
class InProportion(Selector):
    """Draws in proportion to scores that are wrong from a step on."""

    wrong: Any = -1.0
    step: int = 0
    everywhere: bool = False

    def steps_per_plan(self, n, batch_size):
        return 2

    def scores(self, context):
        some = tf.range(context.n) % (1 if self.everywhere else 7) == 0
        late = context.step >= self.step
        return tf.where(some & late, tf.constant(self.wrong, tf.float64), tf.ones([context.n], tf.float64))

    def plan(self, state, context):
        return plan_in_proportion(self.scores(context), 2, context.batch_size, context.rng)


class BySystematic(InProportion):
    """The same, with the primitives."""

    def plan(self, state, context):
        rows = 2 * context.batch_size
        drawn = systematic(first_then_shares(self.scores(context), rows), rows, context.rng, "mine")
        return Plan(deal_into_batches(drawn, 2), tf.ones([rows]), tf.constant(2))


def by_function(losses, batch_size, rng, *, wrong, step_of_the_slip, step):
    scores = tf.where((tf.range(N) == 3) & (step >= step_of_the_slip), tf.constant(wrong, tf.float64), 1.0)
    return plan_in_proportion(scores, 1, batch_size, rng).indices


def log_probability(losses, batch_size, rng, *, probability):
    return plan_in_proportion(tf.cast(tf.math.log(probability + 1e-6), tf.float64), 1, batch_size, rng).indices


NEGATIVE = {
    "plan_in_proportion": lambda wrong, step: InProportion(wrong, step),
    "primitives": lambda wrong, step: BySystematic(wrong, step),
    "function": lambda wrong, step: partial(by_function, wrong=wrong, step_of_the_slip=step),
}


@pytest.mark.parametrize("kind", NEGATIVE)
@pytest.mark.parametrize(("wrong", "step"), [(-1.0, 0), (float("nan"), LATER)])
def test_negative_and_nan_scores_end_the_run(kind, wrong, step):
    trainer = Trainer(mlp(), NEGATIVE[kind](wrong, step), batch_size=B, compile="graph")
    with pytest.raises(TrainingError) as caught:
        trainer.fit(X, Y, epochs=3, verbose=0)
    assert_one_sentence(caught.value, BAD)
    assert trainer.counts["steps"] == step if kind != "function" else trainer.counts["steps"] >= step


def test_the_run_ends_under_xla_too():
    with pytest.raises(TrainingError, match=BAD):
        fit(InProportion(-1.0, LATER), compile="xla")


def test_log_probabilities_are_refused_before_training():
    with pytest.raises(TrainingError) as caught:
        fit(log_probability)
    assert_one_sentence(caught.value, "selector function log_probability returned a score that is negative or NaN")
    assert "tf.exp of log-probabilities" in str(caught.value)


def test_scores_that_are_all_zero_are_refused_once_a_loss_is_known():
    zeros = InProportion(0.0, everywhere=True)
    with pytest.raises(TrainingError) as caught:
        fit(zeros)
    assert_one_sentence(caught.value, ZERO)
    assert int(make_plan(zeros, (), example_context(N, B)).steps) == 2  # nothing is known, so all are alike
    assert int(make_plan(zeros, (), example_context(N, B, losses=np.zeros(N))).steps) == 2
    assert int(make_plan(zeros, (), example_context(N, B, losses=np.ones(N))).steps) < 0


@pytest.mark.parametrize("wrong", [1.0, float("inf")])
def test_scores_that_may_be_drawn_from_give_the_plan_that_they_gave(wrong):
    fine, context = InProportion(wrong), example_context(N, B, losses=np.ones(N))
    found, plain = make_plan(fine, (), context), fine.plan((), context)
    np.testing.assert_array_equal(found.indices, plain.indices)
    assert int(found.steps) == int(plain.steps) == 2


@dataclass(frozen=True, repr=False)
class NeverSet(Score):
    """Returns a state that no update changes."""

    def init(self, n):
        return tf.zeros([n])

    def score(self, state, context):
        return state


def test_a_score_that_is_never_set_is_refused():
    with pytest.raises(TrainingError) as caught:
        fit(NeverSet())
    assert_one_sentence(caught.value, "never_set drew in proportion to scores of which none is above 0")


class TooFew(InProportion):
    def scores(self, context):
        return tf.ones([5], tf.float64)


def too_few(losses, batch_size, rng):
    return plan_in_proportion(tf.ones([5], tf.float64), 1, batch_size, rng).indices


def one_axis_too_few(losses, batch_size, rng, *, labels):
    return systematic(tf.ones([3], tf.int64), batch_size, rng, "classes")


def of_clusters(losses, batch_size, rng):
    cluster = systematic(tf.ones([5], tf.int64), batch_size, rng, "cluster")
    return 10 * cluster + rng.integers([batch_size], 10)


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        (TooFew(), "plan() of too_few(wrong=-1.0, step=0, everywhere=False) draws samples from 5 scores; expected 50"),
        (too_few, "selector function too_few draws samples from 5 scores; expected 50, one for each sample."),
        (one_axis_too_few, "draws samples from 3 scores; expected 50"),
    ],
)
def test_another_number_of_scores_than_samples_is_refused_when_traced(selector, words):
    with pytest.raises(UserError) as caught:
        start(selector)
    assert_one_sentence(caught.value, words)


def test_drawing_something_else_than_samples_is_fine():
    assert start(of_clusters).loop.plan_steps == 1


# Numbers without an order.


def relative(losses, batch_size, rng):
    return tf.math.top_k(losses / tf.reduce_max(losses), batch_size).indices  # infinite by infinite at first


def argsort(losses, batch_size, rng):
    return tf.argsort(losses - tf.reduce_mean(losses))[:batch_size]


def sound_order(losses, batch_size, rng):
    return tf.argsort(tf.where(tf.math.is_finite(losses), losses, -1.0))[:batch_size]


class LogOfLosses(Sound):
    def plan(self, state, context):
        order = tf.argsort(tf.math.log(state["losses"] - 1e9), direction="DESCENDING")
        return super().plan(state, context)._replace(indices=order[:16])


@pytest.mark.parametrize("compile", ["graph", "xla"])
@pytest.mark.parametrize("selector", [relative, argsort, LogOfLosses()], ids=["top_k", "argsort", "class"])
def test_an_order_of_nan_is_refused_with_its_line_before_training(selector, compile):
    trainer = Trainer(mlp(), selector, batch_size=B, compile=compile)
    with pytest.raises(TrainingError) as caught:
        trainer.fit(X, Y, epochs=1, verbose=0)
    assert_one_sentence(caught.value, NAN)
    assert "test_slips_in_scores.py, line" in str(caught.value)
    assert trainer.counts["steps"] == 0


def test_an_order_of_numbers_is_fine():
    assert fit(sound_order).counts["steps"] > 0


# Pools.


@dataclass(frozen=True, repr=False)
class FromPool(Pooled):
    pool: int = 2
    wrong: Any = -1.0
    ranks: bool = False

    def choose(self, state, candidates, context):
        scores = tf.where(context.step >= LATER, self.wrong * candidates.loss, candidates.loss)
        if self.ranks:
            return top_k(scores, candidates.valid, context.batch_size)
        return take_in_proportion(scores, candidates.valid, context.batch_size, context.rng)


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        (FromPool(), BAD),
        (FromPool(wrong=float("nan")), BAD),
        (FromPool(wrong=float("nan"), ranks=True), NAN),
    ],
    ids=repr,
)
def test_scores_of_a_pool_are_checked_when_a_batch_is_chosen(selector, words):
    trainer = Trainer(mlp(), selector, batch_size=B, compile="graph")
    with pytest.raises(TrainingError) as caught:
        trainer.fit(X, Y, epochs=6, verbose=0)
    assert_one_sentence(caught.value, words)
    assert trainer.counts["steps"] <= LATER + 1


def test_scores_of_a_pool_that_can_be_ranked_are_fine():
    assert fit(FromPool(wrong=-1.0, ranks=True)).counts["steps"] > LATER


# What `batchsel selectors check` says of them.


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        (InProportion(), "scores must be at least 0, and one of them is negative or NaN."),
        (NeverSet(), "one of the scores must be above 0 once losses are known, and none is"),
        (TooFew(), "draws samples from 5 scores; expected 50"),
    ],
    ids=["negative", "zero", "few"],
)
def test_the_check_of_a_selector_names_them(selector, words):
    found = [each for each in selector_properties(selector) if each.holds is False]
    assert any(words in each.text for each in found), found


def numpy_global(losses, batch_size, rng):
    return np.random.permutation(len(losses))[:batch_size]


def numpy_memory(losses, batch_size, rng, seen=[]):  # noqa: B006
    seen.append(1)
    return (np.arange(batch_size) + len(seen)) % len(losses)


@pytest.mark.parametrize("function", [numpy_global, numpy_memory])
def test_numpy_functions_must_return_the_same_for_the_same_arguments(function):
    with pytest.raises(UserError) as caught:
        start(NumpyFunction(function))
    assert_one_sentence(caught.value, "returns other indices when it is called again with the same arguments.")
