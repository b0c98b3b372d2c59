"""Evaluation of data sets of many sizes, one after the other."""

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
def log_messages():
    """Messages that TensorFlow logs."""
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    tf.get_logger().addHandler(handler)
    yield records
    tf.get_logger().removeHandler(handler)


def make_trainer():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return Trainer(model, batch_size=8, compile="graph")


def test_data_sets_of_many_sizes_are_evaluated_without_a_warning(log_messages):
    for _ in range(2):
        trainer = make_trainer()
        for n in range(20, 28):
            found, expected = (
                trainer.evaluate(X[:n], Y[:n]),
                trainer.model.evaluate(X[:n], Y[:n], verbose=0, return_dict=True),
            )
            assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
            assert found["accuracy"] == pytest.approx(expected["accuracy"])
    assert [message for message in log_messages if "retracing" in message and "Evaluation" in message] == []
