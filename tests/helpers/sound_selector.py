"""A sound selector for others to break, and the form of the error when they do."""

from dataclasses import dataclass

import tensorflow as tf
from problems import classes, mlp

from batchsel import Trainer
from batchsel.selectors import Plan, Selector
from batchsel.training.inputs.batch import Samples
from batchsel.training.loop.data_feed import InMemoryFeed

N, B = 50, 8
X, Y = classes(N)
LIMIT = 3 * 120
"""Characters of three lines."""


@dataclass(frozen=True, repr=False)
class Sound(Selector):
    """Shuffling with the last losses and a count in its state."""

    signals = ("probability",)

    def steps_per_plan(self, n, batch_size):
        return 2

    def init(self, n):
        return {"losses": tf.zeros([n]), "count": tf.constant(0)}

    def plan(self, state, context):
        b = context.batch_size
        return Plan(context.rng.permutation(context.n)[: 2 * b], tf.ones([2 * b]), tf.constant(2))

    def update(self, state, stats, context):
        losses = tf.tensor_scatter_nd_update(state["losses"], stats.indices[:, None], stats.loss)
        return {"losses": losses, "count": state["count"] + 1}


def assert_one_sentence(error, words):
    """Assert that an error has the words, and is no longer than three lines."""
    text = str(error)
    assert words in text
    assert len(text) <= LIMIT, text
    assert len(text.splitlines()) == 1, text
    assert text[-1] in ".?" or text.endswith("..."), text


def start(selector, **options):
    """Return a trainer that is about to train: every method was traced, and nothing trained."""
    trainer = Trainer(mlp(), selector, batch_size=B, compile="graph", **options)
    trainer.prepare(InMemoryFeed(Samples(X, Y)))
    return trainer
