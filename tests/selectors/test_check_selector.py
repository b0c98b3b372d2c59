"""`batchsel.testing.check_selector` accepts sound selectors and names the fault of broken ones."""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
import tensorflow as tf
from selector_table import lowest_and_random, uniform_in_numpy
from selectors_for_tests import AllSignals, EveryK, Pool, Pruning

from batchsel import UserError
from batchsel.selectors import LossEMA, Modifier, NumpyFunction, Random, Selection, Selector
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.testing import SelectorCheckError, check_selector


@pytest.mark.parametrize(
    "chosen", ["random", "loss_ema | warmup(1)", "candidates", "ies", "ordered_sgd", AllSignals(), Pool(), Pruning()],
    ids=repr,
)  # fmt: skip
def test_sound_selectors_pass_with_training(chosen):
    check_selector(chosen)


@pytest.mark.parametrize("chosen", [lowest_and_random, NumpyFunction(uniform_in_numpy, every=3), Random, EveryK(3)])
def test_functions_classes_and_numpy_code_pass(chosen):
    check_selector(chosen, train=False)


@dataclass(frozen=True, repr=False)
class Shuffled(Selector):
    """A sound selector, for others to break."""

    name = "shuffled"

    def steps_per_plan(self, n, batch_size):
        return -(-n // batch_size)

    def init(self, n):
        return tf.zeros([n])

    def plan(self, state, context):
        order = context.rng.permutation(context.n, "shuffled")
        return padded_plan(order, tf.constant(context.n), context.batch_size)

    def update(self, state, stats, context):
        return tf.tensor_scatter_nd_update(state, stats.indices[:, None], stats.loss)


class BeyondTheData(Shuffled):
    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(indices=plan.indices + 1)


class WideIndices(Shuffled):
    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(indices=tf.cast(plan.indices, tf.int64))


class TooManySteps(Shuffled):
    def plan(self, state, context):
        return super().plan(state, context)._replace(steps=tf.constant(99))


class NanWeights(Shuffled):
    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(weights=plan.weights / tf.reduce_sum(state) * tf.reduce_sum(state))


class NegativeWeights(Shuffled):
    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(weights=-plan.weights)


class EmptyBatches(Shuffled):
    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(weights=tf.zeros_like(plan.weights))


class PaddingFirst(Shuffled):
    def plan(self, state, context):
        plan, size = super().plan(state, context), context.batch_size
        return plan._replace(weights=tf.where(tf.range(plan.weights.shape[0]) % size == 1, 0.0, plan.weights))


class NoPlan(Shuffled):
    def plan(self, state, context):
        return tuple(super().plan(state, context))


class PythonRandomness(Shuffled):
    def plan(self, state, context):
        rows = random.sample(range(context.n), context.n)
        return padded_plan(tf.constant(rows), tf.constant(context.n), context.batch_size)


MEMORY = []


class HiddenMemory(Shuffled):
    def plan(self, state, context):
        MEMORY.append(1)
        plan = super().plan(state, context)
        return plan._replace(indices=tf.roll(plan.indices, len(MEMORY), 0))


class GrowingState(Shuffled):
    def update(self, state, stats, context):
        return tf.concat([state, stats.loss], 0)


class WideState(Shuffled):
    def update(self, state, stats, context):
        return tf.cast(super().update(state, stats, context), tf.float64)


class SplitState(Shuffled):
    def update(self, state, stats, context):
        return state, state


class NumbersAsState(Shuffled):
    def init(self, n):
        return 0


class PaddingCounted(Shuffled):
    def update(self, state, stats, context):
        return tf.tensor_scatter_nd_add(state, stats.indices[:, None], tf.ones_like(stats.loss))


class PythonBranch(Shuffled):
    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan if context.step > 5 else plan._replace(weights=2 * plan.weights)


class SecretlyByLoss(Shuffled):
    uses_training_losses = False

    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(weights=plan.weights * (1 + tf.reduce_sum(state)))


class NanLossWeights(Shuffled):
    def loss_weights(self, state, losses, valid, context):
        return tf.where(valid, losses / 0.0 * 0.0, 0.0)


class FloatSteps(Shuffled):
    def steps_per_plan(self, n, batch_size):
        return n / batch_size


class ChoosesPadding(Pool):
    def choose(self, state, candidates, context):
        return Selection(tf.math.top_k(candidates.loss, context.batch_size).indices, tf.ones([context.batch_size]))


class ChoosesSampleNumbers(Pool):
    def choose(self, state, candidates, context):
        return Selection(candidates.indices[: context.batch_size] + 90, tf.ones([context.batch_size]))


class ChoosesTwice(Pool):
    def choose(self, state, candidates, context):
        return Selection(tf.zeros([context.batch_size], tf.int32), tf.ones([context.batch_size]))


@dataclass(frozen=True, repr=False)
class Unhashable(Shuffled):
    sizes: list = field(default_factory=list)


@dataclass(repr=False)
class NotFrozen(Selector):
    name = "not_frozen"


@dataclass(frozen=True)
class OtherText(Shuffled):
    pass


BROKEN = {
    BeyondTheData: ("plan values", "indices must be in [0, 20], got [21"),
    WideIndices: ("plan types", "got int64[56]"),
    TooManySteps: ("plan values", "Plan.steps must be in [1, 3], got 99"),
    NanWeights: ("plan values", "weights must be finite, got [nan"),
    NegativeWeights: ("plan values", "weights must not be negative"),
    EmptyBatches: ("plan values", "must have a weight"),
    PaddingFirst: ("plan values", "padding rows (weight 0) must come after"),
    NoPlan: ("plan types", "plan must return a Plan, got tuple"),
    PythonRandomness: ("repeatability", "Take random numbers from context.rng only"),
    HiddenMemory: ("repeatability", "keep everything it remembers in the state"),
    GrowingState: ("state", "update must keep types and shapes of the state, float32[50], got float32[58]"),
    WideState: ("state", "got float64[50]. Use tf.cast"),
    SplitState: ("state", "a state of the same structure"),
    NumbersAsState: ("state", "init must return a nest of tensors, it holds int 0"),
    PaddingCounted: ("update", "padding rows, copies of the first row with valid = False"),
    PythonBranch: ("modes", "asks a tensor in Python"),
    SecretlyByLoss: ("training losses", "Leave uses_training_losses at True"),
    NanLossWeights: ("loss weights", "loss_weights must return finite float32[8]"),
    FloatSteps: ("plan types", "steps_per_plan must return an int of at least 1, got 6.25"),
    ChoosesPadding: ("choice", "Use candidates.valid"),
    ChoosesSampleNumbers: ("choice", "positions must be in [0, 23]"),
    ChoosesTwice: ("choice", "must not be chosen twice"),
    Unhashable: ("config", "must be hashable"),
    NotFrozen: ("config", "must be a frozen dataclass"),
    OtherText: ("text form", "read back is not equal to the part"),
}


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_selector_fails_with_check_problem_and_remedy(kind):
    check, problem = BROKEN[kind]
    with pytest.raises(SelectorCheckError) as caught:
        check_selector(kind, train=False)
    assert f"fails the check {check!r}" in str(caught.value)
    assert problem in str(caught.value)
    assert str(caught.value).endswith((".", ". "))


def test_an_exception_of_the_selector_names_the_check():
    class Raises(Shuffled):
        def plan(self, state, context):
            raise KeyError("loss")

    with pytest.raises(SelectorCheckError, match="'plan types': it raised KeyError: 'loss'") as caught:
        check_selector(Raises(), train=False)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(("chosen", "expected"), [("fixed", True), ("random", False)])
def test_seeds_are_checked_on_request(chosen, expected):
    check_selector(chosen, random=not expected, train=False)
    with pytest.raises(SelectorCheckError, match="fails the check 'seeds': plans for another seed of the run must"):
        check_selector(chosen, random=expected, train=False)


def test_tracing_finds_memory_outside_of_the_state():
    updates = tf.Variable(0)

    @dataclass(frozen=True, repr=False)
    class Counts(Shuffled):
        """Counts its updates in a variable, which no checkpoint and no reset knows."""

        name = "counts"

        def plan(self, state, context):
            plan = super().plan(state, context)
            if tf.executing_eagerly():
                return plan
            return plan._replace(indices=tf.roll(plan.indices, updates, 0))

        def update(self, state, stats, context):
            if not tf.executing_eagerly():
                updates.assign_add(1)
            return super().update(state, stats, context)

    with pytest.raises(SelectorCheckError, match="uses the variable .* outside of its state"):
        check_selector(Counts(), train=False)


def test_objects_that_are_not_selectors_are_refused():
    with pytest.raises(UserError, match="unknown selector 'lossema'"):
        check_selector("lossema")
    with pytest.raises(UserError, match="selector must be a name"):
        check_selector(3)


def test_a_modifier_can_be_checked_within_a_pipe():
    @dataclass(frozen=True, repr=False)
    class Broken(Modifier):
        name = "broken"

        def modify(self, scores, context, state=()):
            return tf.constant(np.random.rand(context.n))

    with pytest.raises(SelectorCheckError, match=r"loss_ema\(decay=0.9\) \| broken fails the check 'repeatability'"):
        check_selector(LossEMA() | Broken(), train=False)
