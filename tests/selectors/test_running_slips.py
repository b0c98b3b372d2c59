"""Slips of selectors that show while they run, compilation without XLA, and random numbers without a name."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp
from sound_selector import B, N, Sound, assert_one_sentence

from batchsel import Rng, Trainer, UserError
from batchsel.selectors import Function, Modifier, NumpyFunction, Score, resolve
from batchsel.testing.fixtures import example_context
from batchsel.training import TrainingError

X, Y = classes(N)


def fit(selector, epochs=3, compile="graph"):
    trainer = Trainer(mlp(), selector, batch_size=B, compile=compile)
    trainer.fit(X, Y, epochs=epochs, verbose=0)
    return trainer


@dataclass(frozen=True, repr=False)
class Scores(Score):
    """A score with one wrong number from a step on."""

    wrong: Any = -1.0
    step: int = 0

    def score(self, state, context):
        later = (tf.range(context.n) == 7) & (context.step >= self.step)
        return tf.where(later, self.wrong, tf.ones([context.n]))


@dataclass(frozen=True, repr=False)
class Minus(Modifier):
    def modify(self, scores, context, state=()):
        return scores - 2


@dataclass(frozen=True, repr=False)
class Weights(Sound):
    """Negative weights from a step on."""

    step: int = 0

    def plan(self, state, context):
        plan = super().plan(state, context)
        return plan._replace(weights=tf.where(context.step >= self.step, -plan.weights, plan.weights))


@dataclass(frozen=True, repr=False)
class Factors(Sound):
    """Factors of losses that are negative from a step on."""

    wrong: Any = -1.0
    step: int = 0

    def loss_weights(self, state, losses, valid, context):
        return tf.where(context.step >= self.step, self.wrong, tf.ones_like(losses))


@dataclass(frozen=True, repr=False)
class Beyond(Sound):
    """Reads beyond the end of its state from a step on."""

    step: int = 0

    def plan(self, state, context):
        plan = super().plan(state, context)
        place = tf.cast(tf.where(context.step >= self.step, context.n, 0), tf.int32)
        weight = tf.gather(state["losses"], place)
        return plan._replace(weights=plan.weights + 0 * weight)


@dataclass(frozen=True, repr=False)
class Asserts(Sound):
    step: int = 0

    def plan(self, state, context):
        with tf.control_dependencies(
            [tf.debugging.assert_less(context.step, tf.cast(self.step, tf.int64), "too late")]
        ):
            return super().plan(state, context)


def wide(number):
    def choose(losses, batch_size, rng):
        return tf.where(tf.math.is_finite(losses[0]), tf.cast(number, tf.int64), tf.range(batch_size, dtype=tf.int64))

    return choose


def fails_later(losses, batch_size, rng):
    if np.isfinite(losses).all():
        raise RuntimeError("all were seen")
    return np.argsort(-losses)[:batch_size]


RUNNING = {
    "negative scores": (
        lambda step: Scores(-1.0, step),
        "scores(wrong=-1.0, step=",
        "a score that is negative or NaN, at step",
    ),
    "NaN scores": (lambda step: Scores(float("nan"), step), "a score that is negative or NaN", "Scores are at least 0"),
    "negative weights": (
        lambda step: Weights(step=step),
        "planned sample",
        "with the weight -1. A weight is the factor",
    ),
    "negative factors": (
        lambda step: Factors(-1.0, step),
        "loss_weights() of factors",
        "negative or not finite, at step",
    ),
    "NaN factors": (
        lambda step: Factors(float("nan"), step),
        "loss_weights() of factors",
        "a factor that is negative or not",
    ),
    "beyond the end": (lambda step: Beyond(step=step), "beyond(step=", "`weight = tf.gather("),
    "assertion": (lambda step: Asserts(step=step), "asserts(step=", "too late"),
}


@pytest.mark.parametrize("kind", RUNNING)
@pytest.mark.parametrize("step", [0, 12])
def test_a_wrong_value_ends_the_run_with_one_sentence(kind, step):
    make, *words = RUNNING[kind]
    trainer = Trainer(mlp(), make(step), batch_size=B, compile="graph")
    before = trainer.model.get_weights()
    with pytest.raises(TrainingError) as caught:
        trainer.fit(X, Y, epochs=3, verbose=0)
    for each in words:
        assert_one_sentence(caught.value, each)
    assert all(np.isfinite(weight).all() for weight in trainer.model.get_weights())
    if step == 0:  # known in the first plan, so nothing was trained
        assert trainer.counts["steps"] == 0
        np.testing.assert_array_equal(trainer.model.get_weights()[0], before[0])


def test_a_modifier_that_makes_scores_negative_is_named():
    with pytest.raises(TrainingError, match="minus returned a score that is negative or NaN, at step"):
        fit(resolve("loss_ema") | Minus())


def test_scores_of_batchsel_are_not_checked_at_run_time():
    context = example_context(N, B)
    pipe = resolve("loss_ema | mix(0.1)")
    assert int(pipe.plan(pipe.init(N), context).steps) == pipe.steps_per_plan(N, B)


@pytest.mark.parametrize("number", [2**32, 2**32 + 3, -(2**40), N])
def test_wide_indices_do_not_wrap_into_the_data(number):
    with pytest.raises(TrainingError, match=r"chose sample -?\d+; the data set has samples 0 to 49"):
        fit(wide(number))
    with pytest.raises(TrainingError, match="the data set has samples 0 to 49"):
        fit(NumpyFunction(lambda losses, size, rng: np.full(size, number) if losses[0] < np.inf else np.arange(size)))


def test_wide_indices_within_the_data_are_fine():
    assert fit(wide(7)).visits[7] > 50


def test_an_error_of_a_numpy_function_during_the_run_is_one_sentence():
    with pytest.raises(TrainingError) as caught:
        fit(NumpyFunction(fails_later))
    assert_one_sentence(caught.value, '`raise RuntimeError("all were seen")`) raised RuntimeError: all were seen.')


def prints(losses, batch_size, rng):
    tf.print("planning", output_stream="file:///dev/null")
    return rng.permutation(losses.shape[0])[:batch_size]


def calls_python(losses, batch_size, rng):
    return tf.ensure_shape(tf.py_function(lambda: tf.range(batch_size), [], tf.int32), [batch_size])


def reads_the_clock(losses, batch_size, rng):
    late = tf.cast(tf.timestamp() > 0, tf.int32)
    return rng.permutation(losses.shape[0])[:batch_size] * late


WITHOUT_XLA = {prints: "tf.print", calls_python: "tf.py_function", reads_the_clock: "tf.timestamp"}


@pytest.mark.parametrize("function", WITHOUT_XLA, ids=lambda function: function.__name__)
def test_code_that_xla_cannot_compile_runs_as_a_graph_and_says_so_once(function):
    words = rf"runs as a plain graph, which is slower for small models: plan\(\): XLA has no {WITHOUT_XLA[function]}\."
    with pytest.warns(UserWarning, match=words) as caught:
        trainer = fit(function, epochs=1, compile="auto")
    assert len(caught) == 1
    assert trainer.xla is False
    assert trainer.loop.trace_count() == 1
    with pytest.raises(UserError, match="compile='xla' is impossible: selector function.* Use compile='graph'"):
        fit(function, compile="xla")


def test_code_that_xla_can_compile_is_compiled():
    assert fit(Sound(), epochs=1, compile="auto").xla


# Random numbers.


def test_draws_without_a_name_differ_within_a_call_and_repeat_between_calls():
    drawn = []

    def draws(losses, batch_size, rng):
        drawn.append(
            [rng.permutation(99), rng.permutation(99), rng.permutation(99, "named"), rng.permutation(99, "named")]
        )
        drawn.append([rng.uniform([99]), rng.uniform([99])])
        return rng.permutation(N)[:batch_size]

    first = Function(draws).plan((), example_context(N, B, seed=3, step=5))
    again = Function(draws).plan((), example_context(N, B, seed=3, step=5))
    np.testing.assert_array_equal(first.indices, again.indices)
    (one, two, named, same), (left, right) = drawn[:2]
    assert (one.numpy() != two.numpy()).any()
    assert (left.numpy() != right.numpy()).any()
    np.testing.assert_array_equal(named, same)
    np.testing.assert_array_equal(one, Rng(3, 5).permutation(99, "default"))
    for left, right in zip(drawn[0] + drawn[1], drawn[2] + drawn[3], strict=True):
        np.testing.assert_array_equal(left, right)


def test_order_and_uniform_numbers_without_a_name_are_independent():
    rng = Rng(0, 0)
    order, numbers = rng.permutation(50).numpy(), rng.uniform([50]).numpy()
    assert abs(np.corrcoef(np.argsort(order), numbers)[0, 1]) < 0.4


@dataclass(frozen=True, repr=False)
class TwoOrders(Sound):
    """Draws twice from `context.rng` in each of its methods."""

    def plan(self, state, context):
        plan = super().plan(state, context)
        both = tf.concat([context.rng.permutation(context.n)[:8], context.rng.permutation(context.n)[:8]], 0)
        return plan._replace(indices=both)

    def update(self, state, stats, context):
        drawn = tf.stack([context.rng.uniform([]), context.rng.uniform([])])
        return state | {"losses": tf.concat([drawn, state["losses"][2:]], 0)}


def test_methods_of_a_class_draw_new_numbers_each_time_and_repeat_when_called_again():
    context, selector = example_context(N, B, step=1), TwoOrders()
    state = selector.init(N)
    plan = selector.plan(state, context).indices.numpy()
    assert (plan[:8] != plan[8:]).any()
    np.testing.assert_array_equal(plan, selector.plan(state, context).indices)
    drawn = selector.update(state, None, context)["losses"][:2].numpy()
    assert drawn[0] != drawn[1]
    assert drawn[0] != Rng(0, 1).uniform([], "default").numpy()  # nor the numbers of the plan at this step


def test_draws_agree_in_eager_graph_and_xla_mode():
    from batchsel.testing import check_selector

    check_selector(TwoOrders(), train=False)
