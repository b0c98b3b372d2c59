"""Slips in the names of methods, attributes and parameters, and in what methods return: told before training."""

from dataclasses import dataclass

import pytest
import tensorflow as tf
from problems import classes, mlp
from sound_selector import B, N, Sound, assert_one_sentence, start

import batchsel
from batchsel import UserError
from batchsel.selectors import (
    Draw,
    Function,
    Modifier,
    NumpyFunction,
    Plan,
    Pooled,
    Score,
    Selection,
    Selector,
    resolve,
)

X, Y = classes(N)


class Upadte(Sound):
    def upadte(self, state, stats, context):
        return state


class Intit(Sound):
    def intit(self, n):
        return ()


class StepPerPlan(Selector):
    def step_per_plan(self, n, batch_size):
        return 1

    def plan(self, state, context):
        return state


class Signal(Selector):
    signal = ("probability",)

    def steps_per_plan(self, n, batch_size):
        return 1

    def plan(self, state, context):
        return Plan(tf.range(8), tf.ones([8]), tf.constant(1))


class NeedInputs(Sound):
    need_inputs = True


@dataclass(frozen=True, repr=False)
class Socre(Score):
    def socre(self, state, context):
        return state


@dataclass(frozen=True, repr=False)
class Modifiy(Modifier):
    def modifiy(self, scores, context, state=()):
        return scores


class UsesItsHelper(Sound):
    """A helper with a name near that of a method: it is called, so it is none of them."""

    def plane(self, context):
        return context.rng.permutation(context.n)[:16]

    def plan(self, state, context):
        return super().plan(state, context)._replace(indices=self.plane(context))


class HelperBesideTheMethod(Sound):
    def updates(self):
        return 3

    def update(self, state, stats, context):
        return super().update(state, stats, context)


@dataclass(frozen=True, repr=False)
class FieldNearAnAttribute(Sound):
    pool_sizes: int = 3


NAMES = {
    Upadte: "Upadte defines upadte, which nothing calls. Did you mean update(self, state, stats, context)?",
    Intit: "Intit defines intit, which nothing calls. Did you mean init(self, n) or init(self, n, shapes)?",
    StepPerPlan: "StepPerPlan defines step_per_plan, which nothing calls. Did you mean steps_per_plan(self, n, batch_size)?",
    Signal: "Signal.signal is read by nothing. Did you mean signals?",
    NeedInputs: "NeedInputs.need_inputs is read by nothing. Did you mean needs_inputs?",
    Socre: "Socre defines socre, which nothing calls. Did you mean score(self, state, context)?",
    Modifiy: "Modifiy defines modifiy, which nothing calls. Did you mean modify(self, scores, context, state)?",
}


class SwappedPlan(Sound):
    def plan(self, context, state):
        return super().plan(state, context)


@dataclass(frozen=True, repr=False)
class SwappedScore(Score):
    def score(self, context, state):
        return tf.ones([context.n])


class SwappedUpdate(Sound):
    def update(self, stats, state, context):
        return state


class InitOfContext(Sound):
    def init(self, context):
        return tf.zeros([context.n])


class InitWithAnOption(Sound):
    def init(self, n, scale=1.0):
        return tf.fill([n], scale)


class WithoutSelf(Sound):
    def plan(state, context):  # noqa: N805
        return state


class ModifyOfScores(Modifier):
    def modify(self, scores):
        return scores


class DrawOfState(Draw):
    def steps_per_plan(self, n, batch_size):
        return 1

    def draw(self, state, context):
        return state


class ChooseOfStats(Pooled):
    pool = 3

    def choose(self, state, context, candidates):
        return Selection(tf.range(8), tf.ones([8]))


class StepsWithoutSizes(Sound):
    def steps_per_plan(self):
        return 2


class OtherNames(Sound):
    """The right number in the right places, under names of its own, and one more with a default."""

    def plan(self, memory, run, extra=1):
        return super().plan(memory, run)

    def init(self, count, shapes=None):
        return super().init(count)

    def update(self, *arguments):
        return super().update(*arguments)


SIGNATURES = {
    SwappedPlan: "plan() of swapped_plan takes (self, context, state). Define it as plan(self, state, context).",
    SwappedScore: "score() of swapped_score takes (self, context, state). Define it as score(self, state, context).",
    SwappedUpdate: "takes (self, stats, state, context). Define it as update(self, state, stats, context).",
    InitOfContext: "init() of init_of_context takes (self, context). Define it as init(self, n) or init(self, n, shapes).",
    InitWithAnOption: "takes (self, n, scale=1.0). Define it as init(self, n) or init(self, n, shapes).",
    WithoutSelf: "plan() of without_self takes (state, context). Define it as plan(self, state, context).",
    ModifyOfScores: "takes (self, scores). Define it as modify(self, scores, context, state).",
    DrawOfState: "takes (self, state, context). Define it as draw(self, scores, context).",
    ChooseOfStats: "takes (self, state, context, candidates). Define it as choose(self, state, candidates, context).",
    StepsWithoutSizes: "takes (self). Define it as steps_per_plan(self, n, batch_size).",
}


class StepsWithoutReturn(Sound):
    def steps_per_plan(self, n, batch_size):
        -(-n // batch_size)


class PassWithoutReturn(Sound):
    def plan_is_pass(self, n, batch_size):
        bool(n > batch_size)


class ShortBatchOfFloat(Sound):
    def short_batch(self, n, batch_size):
        return n / batch_size


class FlagAsMethod(Sound):
    def needs_inputs(self):
        return True


class FlagAsText(Sound):
    plans_passes = "yes"


class PlanOfIndices(Sound):
    def plan(self, state, context):
        return context.rng.permutation(context.n)[:16]


class PlanOfFloats(Sound):
    def plan(self, state, context):
        return super().plan(state, context)._replace(indices=context.losses[:16])


class PrepareWithoutReturn(Sound):
    def prepare(self, state, train_auxiliary, seed):
        seed + 1


class PrepareWithABug(Sound):
    def prepare(self, state, train_auxiliary, seed):
        return state["loss"]


RETURNS = {
    StepsWithoutReturn: "steps_per_plan() of steps_without_return returned None, expected a whole number of steps",
    PassWithoutReturn: "plan_is_pass() of pass_without_return returned None, expected True or False. Is a `return` missing?",
    ShortBatchOfFloat: "short_batch() of short_batch_of_float returned 6.25, expected None or a whole number of rows, at",
    FlagAsMethod: "FlagAsMethod.needs_inputs is a method; expected True or False: needs_inputs = True in the class.",
    FlagAsText: "FlagAsText.plans_passes is 'yes'; expected True, False or None: plans_passes = True in the class.",
    PlanOfIndices: "returned int32[16], expected Plan(indices, weights, steps). Return Plan(indices, tf.ones([m]), tf.con",
    PlanOfFloats: "returned Plan.indices as float32[16], expected int32[16]. They are numbers of rows, such as .indices",
    PrepareWithoutReturn: "prepare() of prepare_without_return returned state as None, expected a dict with losses, count",
    PrepareWithABug: "prepare() of prepare_with_abug (test_slips_in_names.py, line",
}


@pytest.mark.parametrize(
    ("slip", "words"), (NAMES | SIGNATURES | RETURNS).items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_slip_is_one_sentence_of_fit_before_training(slip, words):
    selector = resolve("loss_ema") | slip() if issubclass(slip, Draw | Modifier) else slip()
    with pytest.raises(UserError) as caught:
        batchsel.fit(mlp(), X, Y, selector=selector, batch_size=B, verbose=0)
    assert_one_sentence(caught.value, words)


@pytest.mark.parametrize("sound", [UsesItsHelper, HelperBesideTheMethod, FieldNearAnAttribute, OtherNames])
def test_names_of_ones_own_are_fine(sound):
    assert start(sound()).loop.plan_steps == 2


# Functions.


def choose(losses, batch_size, rng):
    return tf.math.top_k(losses + rng.uniform([losses.shape[0]]), batch_size).indices


def batch_size_first(batch_size, losses, rng):
    return choose(losses, batch_size, rng)


def random_first(rng, losses, size):
    return choose(losses, size, rng)


def in_numpy(rng, batch_size, losses):
    return rng.permutation(len(losses))[:batch_size]


def labels_second(losses, labels, batch_size, rng):
    return choose(losses, batch_size, rng)


def test_functions_receive_what_their_parameters_are_named_for():
    from batchsel.testing.fixtures import example_context

    context = example_context(N, B, losses=range(N))
    expected = Function(choose).plan((), context).indices
    for function in (batch_size_first, random_first):
        assert (Function(function).plan((), context).indices.numpy() == expected.numpy()).all()
    assert start(NumpyFunction(in_numpy)).loop.plan_steps == 1


def test_other_values_among_the_first_three_are_refused():
    with pytest.raises(UserError) as caught:
        start(labels_second)
    assert_one_sentence(
        caught.value, "takes (losses, labels, batch_size, rng); the first three must be losses, batch_size"
    )
