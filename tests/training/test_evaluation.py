"""Evaluation of the parts of a data set, one after the other."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from batchsel import Trainer

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)


@pytest.fixture
def said():
    """What TensorFlow logs."""
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    tf.get_logger().addHandler(handler)
    yield records
    tf.get_logger().removeHandler(handler)


def trainer():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return Trainer(model, batch_size=8, compile="graph")


def test_parts_of_many_sizes_are_evaluated_without_a_warning(said):
    for _ in range(2):
        one = trainer()
        for n in range(20, 28):
            mine, of_keras = one.evaluate(X[:n], Y[:n]), one.model.evaluate(X[:n], Y[:n], verbose=0, return_dict=True)
            assert mine["loss"] == pytest.approx(of_keras["loss"], rel=1e-5)
            assert mine["accuracy"] == pytest.approx(of_keras["accuracy"])
    assert [line for line in said if "retracing" in line and "Evaluation" in line] == []
