"""Slips in selectors that are functions: each ends in one sentence, before anything is trained."""

import datetime
import itertools
import random
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from sound_selector import assert_one_sentence, start

from batchsel import UserError
from batchsel.selectors import NumpyFunction


def values_for_indices(losses, batch_size, rng):
    known = tf.where(tf.math.is_finite(losses), losses, 0.0)
    return tf.math.top_k(known, batch_size).values


def mask_for_indices(losses, batch_size, rng):
    return losses[:batch_size] > 0


def too_few(losses, batch_size, rng):
    return tf.range(batch_size - 1)


def unknown_number(losses, batch_size, rng):
    return tf.where(losses > 1)[:batch_size, 0]


def two_axes(losses, batch_size, rng):
    return rng.integers([batch_size, 1], 50)


def forgotten_return(losses, batch_size, rng):
    tf.math.top_k(losses, batch_size)


def whole_top_k(losses, batch_size, rng):
    return tf.math.top_k(losses, batch_size)


def length(losses, batch_size, rng):
    return rng.permutation(len(losses))[:batch_size]


def choice(losses, batch_size, rng):
    return rng.choice(50, batch_size)


def normal(losses, batch_size, rng):
    return tf.argsort(rng.normal([50]))[:batch_size]


def numpy_integers(losses, batch_size, rng):
    return rng.integers(0, 50, batch_size)


def numpy_uniform(losses, batch_size, rng):
    return tf.cast(rng.uniform(0, 50, [batch_size]), tf.int32)


def not_yet(losses, batch_size, rng):
    raise NotImplementedError


def half_a_batch(losses, batch_size, rng):
    return rng.permutation(50)[: losses.shape[0] / 4]


def masked(losses, batch_size, rng):
    return tf.range(50)[losses > 1.0][:batch_size]


def whole_seconds(losses, batch_size, rng):
    return (tf.range(batch_size) + int(time.time())) % 50


def whole_days(losses, batch_size, rng):
    return (tf.range(batch_size) + datetime.date.today().day) % 50  # noqa: DTZ011


def too_many(losses, batch_size, rng):
    return tf.math.top_k(losses, 99).indices


def mixed_types(losses, batch_size, rng):
    return tf.math.top_k(losses * tf.range(50), batch_size).indices


def coin(losses, batch_size, rng):
    if random.random() < 2:  # always, so that two traces are alike
        return tf.range(batch_size)
    return tf.range(batch_size) + 1


def seeded_numpy(losses, batch_size, rng):
    np.random.seed(0)
    return tf.constant(np.random.permutation(50)[:batch_size], tf.int32)


def shuffled_losses(losses, batch_size, rng):
    return rng.permutation(losses)[:batch_size]


def python_if(losses, batch_size, rng):
    if losses[0] > 1:
        return tf.range(batch_size)
    return tf.range(batch_size) + 1


def python_and(losses, batch_size, rng):
    return tf.where(losses[0] > 1 and losses[1] > 1, tf.range(batch_size), 0)


def python_max(losses, batch_size, rng):
    return tf.fill([batch_size], tf.cast(max(losses[0], losses[1]), tf.int32))


def python_loop(losses, batch_size, rng):
    return [i for i, loss in enumerate(losses) if loss is not None][:batch_size]


def python_int(losses, batch_size, rng):
    return tf.range(batch_size) + int(losses[0])


def numpy_code(losses, batch_size, rng):
    return np.argsort(losses)[-batch_size:]


def numpy_method(losses, batch_size, rng):
    return losses.argsort()[-batch_size:]


def to_numpy(losses, batch_size, rng):
    return tf.constant(losses.numpy().argsort()[-batch_size:])


def item_assignment(losses, batch_size, rng):
    losses[0] = 0.0
    return tf.math.top_k(losses, batch_size).indices


def wrong_axis(losses, batch_size, rng):
    return tf.gather(tf.range(50), rng.permutation(50)[:batch_size], axis=3)


def a_bug(losses, batch_size, rng):
    return {"a": 1}["b"]


def unknown_parameter(losses, batch_size, rng, *, lables):
    return tf.range(batch_size)


def too_few_parameters(losses, batch_size):
    return tf.range(batch_size)


def stateful_random(losses, batch_size, rng):
    return tf.random.uniform([batch_size], maxval=50, dtype=tf.int32)


def keras_random(losses, batch_size, rng):
    return keras.random.randint([batch_size], 0, 50)


def python_random(losses, batch_size, rng):
    return tf.constant(random.sample(range(50), batch_size))


def numpy_random(losses, batch_size, rng):
    return tf.constant(np.random.default_rng().permutation(50)[:batch_size].astype("int32"))


def python_clock(losses, batch_size, rng):
    return tf.range(batch_size) + time.perf_counter_ns() % 7


COUNT = itertools.count()


def python_counter(losses, batch_size, rng):
    return tf.range(batch_size) + next(COUNT)


VARIABLE = tf.Variable(0)


def counts_in_a_variable(losses, batch_size, rng):
    return tf.range(batch_size) + VARIABLE.assign_add(1)


TEACHER = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, name="dense")], name="sequential")


def asks_a_model(losses, batch_size, rng, *, inputs):
    return tf.math.top_k(TEACHER(inputs)[:, 0], batch_size).indices


def makes_a_variable(losses, batch_size, rng):
    return tf.range(batch_size) + tf.Variable(1)


def draws_in_a_loop(losses, batch_size, rng):
    return tf.map_fn(lambda _: rng.integers([], 50), tf.range(batch_size))


def numpy_wrong(losses, batch_size, rng):
    return losses[:batch_size]


def numpy_bug(losses, batch_size, rng):
    return rng.permutation(losses)[1000]


FUNCTIONS = {
    values_for_indices: "must return 8 indices, shape [8], of an integer type; it returned float32[8]. Return positions",
    mask_for_indices: "it returned bool[8]. Turn a mask into sample numbers",
    too_few: "must return 8 indices, shape [8], of an integer type; it returned int32[7].",
    unknown_number: "it returned int64[?]. The number of rows must not depend on values",
    two_axes: "it returned int32[8, 1].",
    forgotten_return: "it returned None. Is a `return` missing?",
    whole_top_k: "it returned a TopKV2.",
    length: "`return rng.permutation(len(losses))[:batch_size]`) takes len() of a tensor",
    choice: "`return rng.choice(50, batch_size)`): rng has no 'choice'; it has bits, uniform, gumbel, permutation, integers, integer_below. rng.permutation(n)",
    shuffled_losses: "selector function shuffled_losses (test_slips_in_functions.py, line",
    normal: "integer_below. tf.math.ndtri(rng.uniform([k])) draws from the normal distribution.",
    numpy_integers: "the last value of a method of rng is a name, a text; got 8. Write rng.uniform(shape), rng.integers",
    numpy_uniform: "takes from 2 to 3 positional arguments but 4 were given. Write rng.uniform(shape), rng.integers(sha",
    not_yet: "`raise NotImplementedError`) raised NotImplementedError.",
    half_a_batch: "takes rows by something that is no whole number. Write n // 2",
    masked: "it returned int32[?]. The number of rows must not depend on values",
    whole_seconds: "reads a clock (time), once, when it is traced",
    whole_days: "reads a clock (datetime), once, when it is traced",
    too_many: "raised ValueError: input must have last dimension >= k = 99 but is 50.",
    mixed_types: "mixes numbers of two types. Convert one: tf.cast(x, tf.float32).",
    coin: "draws from the generator of Python or NumPy once, when it is traced, and the numbers stay as they are.",
    seeded_numpy: "draws from the generator of Python or NumPy once, when it is traced",
    python_if: "`if losses[0] > 1:`) asks a tensor in Python",
    python_and: "asks a tensor in Python (if, while, and, or",
    python_max: "asks a tensor in Python",
    python_loop: "loops over a tensor in Python",
    python_int: "turns a tensor into a Python number",
    numpy_code: "is not TensorFlow code: NumPy cannot read",
    numpy_method: "calls a method that only NumPy arrays have",
    to_numpy: "is not TensorFlow code",
    item_assignment: "assigns to a part of a tensor",
    wrong_axis: "raised ValueError: ",
    a_bug: '`return {"a": 1}["b"]`) raised KeyError: \'b\'.',
    unknown_parameter: "unknown parameter of the selector function unknown_parameter 'lables'. Did you mean 'labels'",
    too_few_parameters: "takes (losses, batch_size); expected (losses, batch_size, rng)",
    stateful_random: "draws random numbers that do not follow the seed of the run (RandomUniformInt)",
    keras_random: "uses the variable ",
    python_random: "differs each time it is traced",
    numpy_random: "differs each time it is traced",
    python_clock: "reads a clock (time), once, when it is traced",
    python_counter: "differs each time it is traced",
    counts_in_a_variable: "uses the variable 'Variable' (int32[]) from outside of its state",
    asks_a_model: "uses the variable 'sequential/dense/kernel' (float32[4, 1]) from outside of its state",
    makes_a_variable: "creates a variable. Keep what changes in the state",
    draws_in_a_loop: "rng draws the same numbers in every round of tf.while_loop, tf.map_fn or tf.scan",
    NumpyFunction(
        numpy_wrong
    ): "must return 8 indices, shape [8], of an integer type; it returned a NumPy array float32[8]",
    NumpyFunction(whole_seconds): "selector function whole_seconds reads a clock (time)",
    NumpyFunction(numpy_bug): "`return rng.permutation(losses)[1000]`) raised IndexError: index 1000",
}


@pytest.mark.parametrize("slip", FUNCTIONS, ids=lambda slip: getattr(slip, "__name__", repr(slip)))
def test_a_slip_in_a_function_is_one_sentence_before_training(slip):
    with pytest.raises(UserError) as caught:
        start(slip)
    assert_one_sentence(caught.value, FUNCTIONS[slip])
