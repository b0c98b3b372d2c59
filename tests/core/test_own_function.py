"""Several trainers in a process are not taken for a function that is traced again and again."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp

import batchsel
from batchsel.core.tf_support.own_function import own_function


@pytest.fixture
def warnings():
    """Return a list of the messages of TensorFlow's logger."""
    found = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())
    logger = logging.getLogger("tensorflow")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def test_many_objects_with_one_trace_each_are_quiet(warnings):
    for number in range(12):
        assert int(own_function(lambda x: x + 1)(tf.constant(number))) == number + 1
    assert warnings == []
    for number in range(12):
        tf.function(lambda x: x + 2)(tf.constant(number))
    assert any("triggered tf.function retracing" in each for each in warnings)


def test_one_object_with_many_traces_is_told(warnings):
    function = own_function(lambda x: x + 1)
    for size in range(1, 13):
        function(tf.constant(np.ones(size)))
    assert any("triggered tf.function retracing" in each for each in warnings)


def test_many_trainers_in_a_process_are_quiet(warnings):
    x, y = classes(20)
    for _ in range(6):
        batchsel.fit(mlp(), x, y, batch_size=10, epochs=1, validation_data=(x, y), compile="graph", verbose=0)
    assert warnings == []
