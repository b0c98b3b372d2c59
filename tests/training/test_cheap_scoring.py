"""Cheaper scoring: what is scored, in which precision, and that it composes with the rest of training."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp

import batchsel
from batchsel import Trainer, UserError
from batchsel.core import keras_private
from batchsel.errors import UsageError
from batchsel.selectors import resolve
from batchsel.training import fit_model
from batchsel.training.inputs.batch import Batch

X, Y = classes(60, 6)


def pictures(side=8, size=None, n=48):
    """Return a convolutional model for pictures of a size, or of any, and pictures."""
    model = keras.Sequential(
        [
            keras.Input((size, size, 1)),
            keras.layers.Conv2D(4, 3),
            keras.layers.Flatten() if size else keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).normal(size=(n, side, side, 1)).astype("float32")
    return model, x, np.arange(n) % 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loss_ema | score(every=2)", "scores nothing by an extra forward pass"),
        ("random | score", "'random' scores nothing"),
        (
            "kakurenbo | score(prefilter=0.5)",
            "'kakurenbo' has no pools; prefilter, every, proxy and cut are about pools.",
        ),
        ("kakurenbo | score(proxy=0.5)", "'kakurenbo' has no pools"),
        ("candidates | score(proxy=0)", "proxy must be a number in (0, 1] or None"),
        ("online_proxy(width=2)", "width must be"),
        ("kakurenbo | score(cut=0.5)", "'kakurenbo' has no pools"),
        ("candidates | score(cut=1.5)", "cut must be a number in (0, 1)"),
        ("candidates | score(cut=0.5, proxy=0.5)", "either a proxy or a cut scores"),
        ("candidates | score | score", "say once how to score"),
        ("candidates | score(dtype='int8')", "dtype must be"),
        ("candidates | score(prefilter=0)", "prefilter must be"),
        ("candidates | score(every=0)", "every must be"),
        ("score", "alone is not a selector"),
    ],
)
def test_what_cannot_be_scored_cheaper_is_refused(text, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        resolve(text)


def test_the_text_form_says_how_it_scores():
    selector = resolve("great(4) | score(every=3)")
    assert repr(selector) == (
        "great(pool=4) | score(dtype='model', prefilter=1.0, shrink=1, every=3, proxy=None, proxy_every=4, cut=None)"
    )
    assert repr(resolve(repr(selector))) == repr(selector)
    assert resolve("great(4)").scoring is None


def losses_of(trainer, scored):
    loop = trainer.loop
    batch = Batch(tf.range(16), tf.ones([16]), tf.constant(X[:16]), tf.constant(Y[:16]))
    return (loop.scorer if scored else loop.step).score(batch).loss.numpy()


def test_fewer_bits_give_the_losses_of_a_model_in_these_bits():
    trainer = Trainer(mlp(6), "candidates(2) | score(dtype='bfloat16')", batch_size=8)
    trainer.fit(X, Y, epochs=1, verbose=0)
    same = keras.models.clone_model(
        trainer.model,
        clone_function=lambda layer: layer.__class__.from_config(layer.get_config() | {"dtype": "mixed_bfloat16"}),
    )
    same.set_weights(trainer.model.get_weights())
    logits = keras.ops.cast(same(X[:16]), "float32")
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(Y[:16], logits).numpy()
    np.testing.assert_allclose(losses_of(trainer, scored=True), expected, rtol=1e-5)
    assert (losses_of(trainer, scored=True) != losses_of(trainer, scored=False)).any()
    assert {layer.compute_dtype for layer in keras_private.list_layers(trainer.model)} == {"float32"}


def test_a_filter_scores_the_rows_of_largest_last_loss_and_those_without_one_first():
    trainer = Trainer(mlp(6), "candidates(3) | score(prefilter=0.5)", batch_size=4)
    trainer.fit(X, Y, epochs=1, verbose=0)
    losses = np.linspace(0, 1, 60, dtype="float32")
    losses[7] = np.inf
    pool = Batch(
        tf.constant([5, 50, 7, 20, 30, 1, 2, 3, 59, 4, 6, 8]), tf.ones([12]), tf.constant(X[:12]), tf.constant(Y[:12])
    )
    listed, places = trainer.loop.scorer.shortlist(pool, tf.constant(losses))
    assert listed.indices.numpy().tolist() == [7, 59, 50, 30, 20, 8]
    np.testing.assert_array_equal(listed.x, X[:12][places.numpy()])
    assert trainer.counts["scored"] == 15 * 6  # fifteen steps in an epoch, and of each pool of twelve rows a half


def test_only_every_kth_pool_is_scored_and_the_others_give_their_first_rows():
    trainer = Trainer(mlp(6), "candidates(3) | score(every=2)", batch_size=4)
    trainer.reset(3)
    trainer.fit(X, Y, epochs=None, passes=16 / 60, verbose=0)
    assert trainer.counts == {"steps": 4, "samples": 16, "scored": 2 * 12, "plans": 1}
    plan = trainer.loop.state.plan.indices.numpy().reshape(5, 12)
    assert set(plan[1, :4]) | set(plan[3, :4]) <= set(np.flatnonzero(trainer.visits))


def test_the_filter_of_all_rows_and_every_step_change_nothing():
    runs = []
    for text in ("candidates(2)", "candidates(2) | score(dtype='float32')"):
        trainer = Trainer(mlp(6), text, batch_size=8)
        trainer.reset(1)
        runs.append(trainer.fit(X, Y, epochs=2, verbose=0).history)
    assert runs[0] == runs[1]


def test_smaller_pictures_are_means_over_squares():
    model, x, y = pictures()
    trainer = Trainer(model, "candidates(2) | score(shrink=2)", batch_size=8)
    trainer.fit(x, y, epochs=1, verbose=0)
    small = x[:16].reshape(16, 4, 2, 4, 2, 1).mean(axis=(2, 4))
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(y[:16], model(small)).numpy()
    batch = Batch(tf.range(16), tf.ones([16]), tf.constant(x[:16]), tf.constant(y[:16]))
    np.testing.assert_allclose(trainer.loop.scorer.score(batch).loss, expected, rtol=1e-5)


def test_models_and_inputs_that_cannot_be_smaller_are_refused_before_training():
    model, x, y = pictures(size=8)
    before = model.get_weights()
    with pytest.raises(UserError, match="scores smaller pictures, which this model does not accept"):
        batchsel.fit(model, x, y, selector="candidates | score(shrink=2)", verbose=0)
    with pytest.raises(UserError, match="the inputs are none"):
        batchsel.fit(mlp(6), X, Y, selector="candidates | score(shrink=2)", verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_a_model_that_is_fitted_again_scores_as_it_is_told():
    model = mlp(6)
    for text, scored in (("candidates(3)", 15 * 12), ("candidates(3) | score(prefilter=0.5)", 15 * 6)):
        batchsel.fit(model, X, Y, selector=resolve(text), batch_size=4, epochs=1, verbose=0)
        _, trainer = getattr(model, fit_model._ATTRIBUTE)
        assert trainer.counts["scored"] == scored
