"""Slips in selectors that are classes: each ends in one sentence, before anything is trained."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from sound_selector import Sound, assert_one_sentence, start

from batchsel import UserError
from batchsel.selectors import Draw, Modifier, Plan, Pooled, Score, Selection, Selector, resolve


class PlanWithoutReturn(Sound):
    def plan(self, state, context):
        super().plan(state, context)


class PlanIsATuple(Sound):
    def plan(self, state, context):
        return tuple(super().plan(state, context))


class ShortPlan(Sound):
    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(indices=plan.indices[:8])


class WideIndices(Sound):
    def plan(self, state, context):
        return super().plan(state, context)._replace(indices=tf.range(16, dtype=tf.int64))


class ListOfIndices(Sound):
    def plan(self, state, context):
        return super().plan(state, context)._replace(indices=list(range(16)))


class WideWeights(Sound):
    def plan(self, state, context):
        return super().plan(state, context)._replace(weights=np.ones(16))


class StepsOfTheWrongType(Sound):
    def plan(self, state, context):
        return super().plan(state, context)._replace(steps=tf.constant(2.0))


class UpdateWithoutReturn(Sound):
    def update(self, state, stats, context):
        super().update(state, stats, context)


class StateOfAnotherShape(Sound):
    def update(self, state, stats, context):
        return state | {"losses": stats.loss}


class StateOfAnotherType(Sound):
    def update(self, state, stats, context):
        return state | {"count": tf.cast(state["count"], tf.float32)}


class StateWithAnotherKey(Sound):
    def update(self, state, stats, context):
        return state | {"more": state["count"]}


class StateOfAnotherStructure(Sound):
    def update(self, state, stats, context):
        return state["losses"], state["count"]


class SignalNotRequested(Sound):
    def update(self, state, stats, context):
        return state | {"count": state["count"] + tf.cast(tf.reduce_sum(stats.correct), tf.int32)}


class InputsNotRequested(Sound):
    def plan(self, state, context):
        return Plan(tf.argsort(context.inputs[:, 0])[:16], tf.ones([16]), tf.constant(2))


class UnknownField(Sound):
    def plan(self, state, context):
        return context.epochs


class UnknownSignal(Sound):
    signals = ("probabilty",)


class LossAsSignal(Sound):
    signals = ("loss",)


class SignalsAsText(Sound):
    signals = "probability"


class OtherParameters(Sound):
    def plan(self, context):
        return context


class NoPlan(Selector):
    def steps_per_plan(self, n, batch_size):
        return 1


class NoSteps(Selector):
    def plan(self, state, context):
        return state


class HalfSteps(Sound):
    def steps_per_plan(self, n, batch_size):
        return n / batch_size


class StepsWithoutReturn(Sound):
    def steps_per_plan(self, n, batch_size):
        -(-n // batch_size)


class InitWithoutReturn(Sound):
    def init(self, n):
        tf.zeros([n])


class TextInState(Sound):
    def init(self, n):
        return {"losses": tf.zeros([n]), "count": "none"}


class RandomState(Sound):
    def init(self, n):
        return {"losses": tf.constant(np.random.default_rng().normal(size=n), tf.float32), "count": tf.constant(0)}


class UnknownShape(Sound):
    def init(self, n, shapes):
        return tf.zeros([n, *shapes["features"]])


class RemembersInItself(Selector):
    def __init__(self):
        self.seen = []

    def steps_per_plan(self, n, batch_size):
        return 1

    def plan(self, state, context):
        self.seen.append(1)
        return Plan(tf.range(8), tf.ones([8]), tf.constant(1))


class LosesItsParameter(NoSteps):
    def __init__(self, share=0.5):
        self.other = share

    def steps_per_plan(self, n, batch_size):
        return 1


class NumberAsName(Sound):
    name = 3


@dataclass(frozen=True, repr=False)
class PoolWithoutChoice(Pooled):
    pool: int = 3


@dataclass(frozen=True, repr=False)
class WideChoice(Pooled):
    pool: int = 3

    def choose(self, state, candidates, context):
        return Selection(tf.argsort(candidates.loss)[: context.batch_size + 1], tf.ones([context.batch_size]))


class ScalarFactors(Sound):
    def loss_weights(self, state, losses, valid, context):
        return tf.reduce_mean(losses)


@dataclass(frozen=True, repr=False)
class FewScores(Score):
    def score(self, state, context):
        return tf.ones([5])


@dataclass(frozen=True, repr=False)
class NarrowModifier(Modifier):
    def modify(self, scores, context, state=()):
        return tf.cast(scores, tf.float32)


@dataclass(frozen=True, repr=False)
class ForgetfulDraw(Draw):
    def steps_per_plan(self, n, batch_size):
        return 1

    def draw(self, scores, context):
        tf.argsort(scores)


class NotDerived:
    def plan(self, state, context):
        return state


class State(NamedTuple):
    losses: tf.Tensor


class PlainState(Sound):
    def init(self, n):
        return State(tf.zeros([n]))

    def update(self, state, stats, context):
        return (state.losses,)


class PlanChangesTheState(Sound):
    def plan(self, state, context):
        state["count"] = state["count"] + 1
        return super().plan(state, context)


class ListOfNumbers(Sound):
    def init(self, n):
        return [0.0] * 1001


class AssignsToTheState(Sound):
    def update(self, state, stats, context):
        state["losses"].assign(state["losses"] + 1)
        return state


class MutatesTheStateAndReturnsIt(Sound):
    """Which is fine in `update`: what is returned counts."""

    def update(self, state, stats, context):
        state["count"] = state["count"] + 1
        return state


@dataclass(frozen=True, repr=False)
class PoolWithoutItsField(Pooled):
    def choose(self, state, candidates, context):
        return candidates


CLASSES = {
    PlanChangesTheState: "plan() of plan_changes_the_state: the state was changed in place, which is lost. Return the new",
    ListOfNumbers: "init() of list_of_numbers returned a state of 1001 separate numbers or tensors. Put the numbers of",
    AssignsToTheState: "changes a variable. A state is made of tensors: return the new one, as in return state + 1.",
    PoolWithoutItsField: "has no attribute 'pool'. Write it in the class with its type, as in pool: int = 3.",
    PlanWithoutReturn: "plan() of plan_without_return returned None, expected Plan(indices, weights, steps). Is a",
    PlanIsATuple: "plan() of plan_is_atuple returned a tuple, expected Plan(indices, weights, steps)",
    ShortPlan: "plan() of short_plan returned Plan.indices as int32[8], expected int32[16].",
    WideIndices: "returned Plan.indices as int64[16], expected int32[16]. Use tf.cast.",
    ListOfIndices: "returned Plan.indices as a list, expected int32[16]. Convert it with tf.constant",
    WideWeights: "returned Plan.weights as a NumPy array float64[16], expected float32[16]. Convert it",
    StepsOfTheWrongType: "returned Plan.steps as float32[], expected int32[]. Use tf.cast.",
    UpdateWithoutReturn: "update() of update_without_return returned state as None, expected a dict with losses, count",
    StateOfAnotherShape: "returned state['losses'] as float32[8], expected float32[50], as init returned it.",
    StateOfAnotherType: "returned state['count'] as float32[], expected int32[], as init returned it. Use tf.cast.",
    StateWithAnotherKey: "a dict with losses, count, more, expected a dict with losses, count, as init returned it.",
    StateOfAnotherStructure: "returned state as a tuple, expected a dict with losses, count",
    SignalNotRequested: "reads stats.correct, which it does not ask for. Write signals = ('correct',) in the class.",
    InputsNotRequested: "reads context.inputs, which it does not ask for. Write needs_inputs = True in the class",
    UnknownField: "raised AttributeError: 'Context' object has no attribute 'epochs'. It has step, samples, progress",
    UnknownSignal: "unknown signal of UnknownSignal 'probabilty'. Did you mean 'probability'",
    LossAsSignal: "LossAsSignal.signals names 'loss', which every selector receives as stats.loss. Leave it out.",
    SignalsAsText: "SignalsAsText.signals is 'probability'; expected a tuple of names",
    OtherParameters: "Define it as plan(self, state, context).",
    NoPlan: "NoPlan defines no plan. Define plan(self, state, context).",
    NoSteps: "NoSteps defines no steps_per_plan. Define steps_per_plan(self, n, batch_size).",
    HalfSteps: "steps_per_plan() of half_steps returned 6.25, expected a whole number of steps, at least 1. Round it up",
    StepsWithoutReturn: "returned None, expected a whole number of steps, at least 1. Is a `return` missing?",
    InitWithoutReturn: "init() of init_without_return returned None, expected the state before the first step",
    TextInState: "returned a state with a text, 'none', expected tensors in tuples, lists, dicts or NamedTuples",
    RandomState: "init() of random_state returns another state at each call, so that runs would differ.",
    UnknownShape: "reads shapes['features']; known are labels, inputs, probability. Name it in signals.",
    RemembersInItself: "plan() of remembers_in_itself changes self.seen, which is neither saved nor reset",
    LosesItsParameter: "LosesItsParameter does not keep its parameter 'share', which checkpoints and records state.",
    NumberAsName: 'NumberAsName has the name 3; expected a text: name = "numberasname" in the class.',
    PoolWithoutChoice: "PoolWithoutChoice has pools and defines no choose.",
    WideChoice: "choose() of wide_choice(pool=3) returned Selection.positions as int32[9], expected int32[8].",
    ScalarFactors: "loss_weights() of scalar_factors returned float32[], expected float32[8].",
    FewScores: "score() of few_scores returned float32[5], expected float32[50].",
    ForgetfulDraw: "draw() of forgetful_draw returned None, expected Plan(indices, weights, steps).",
    NarrowModifier: "modify() of narrow_modifier returned float32[50], expected float64[50]. Use tf.cast.",
    NotDerived: "NotDerived has a method plan and is no selector: derive it, class NotDerived(batchsel.selectors.Selector).",
    PlainState: "returned state as a tuple of 1, expected a State of 1, as init returned it.",
}


def of_class(kind):
    """Return an object of a class, as a selector."""
    return resolve("loss_ema") | kind() if issubclass(kind, Draw | Modifier) else kind()


@pytest.mark.parametrize("slip", CLASSES, ids=lambda slip: slip.__name__)
def test_a_slip_in_a_class_is_one_sentence_before_training(slip):
    with pytest.raises(UserError) as caught:
        start(of_class(slip))
    assert_one_sentence(caught.value, CLASSES[slip])


def test_the_sound_class_has_no_slip():
    assert start(Sound()).loop.plan_steps == 2
    assert start(MutatesTheStateAndReturnsIt()).loop.plan_steps == 2
