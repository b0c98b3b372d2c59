"""What needs the loss of each sample is refused for models that have none, before anything is trained."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from own_models import (
    B,
    OwnStep,
    StepOfKeras,
    X,
    Y,
    autoencoder,
    dense,
    gan,
    vae,
    with_contrastive,
    with_layer_losses,
    with_own_call,
    with_sum,
)
from problems import linear

from batchsel import SmoothedCrossentropy, Trainer, UserError
from batchsel.selectors import Plan, Selector, resolve
from batchsel.selectors.registry import REGISTRY
from batchsel.training.model.own_step.compatibility import SCORES, WORKING, needs_sample_losses

OWN = "OwnStep overrides train_step(), so "


def own(**options):
    return dense(OwnStep, **options)


def fit(model, *data, **settings):
    trainer = Trainer(model, **{"batch_size": B, "compile": "graph"} | settings)
    trainer.fit(*(data or (X, Y)), verbose=0)


SETTINGS = {
    "losses": (own, {"selector": "loss_ema"}, OWN + "the loss of a single sample is unknown, and the selector loss_ema(decay=0.9) needs it"),
    "signals": (own, {"selector": "gradient_ema"}, "needs it. Selectors that work: 'random', 'fixed', "),
    "pools": (own, {"selector": "candidates"}, "and pipes from 'batch_loss_score' or 'given'"),
    "auxiliary models": (own, {"selector": "rho_loss"}, "needs it"),
    "losses in a modifier": (own, {"selector": "batch_loss_score | rising_limit | keep"}, "needs it"),
    "a function": (own, {"selector": lambda losses, batch_size, rng: tf.range(batch_size)}, "needs it"),
    "weights": (own, {"selector": "batch_loss_score | prune | keep(rescale=True)"}, "Choose a draw without weights"),
    "weighted": (own, {"selector": "batch_loss_score | weighted"}, "whether its step weighs samples"),
    "accumulation": (own, {"accumulate": 2}, "accumulate= cannot sum gradients. Use gradient_accumulation_steps"),
    "mixing": (own, {"augment": "mixup"}, "losses for both targets of mixed samples are unknown; leave mixup"),
    "cut padding": (own, {"cut_padding": True}, "its step may depend on padding"),
    "smoothing": (lambda: own(loss=SmoothedCrossentropy(0.1, from_logits=True)), {}, "Use keras.losses.CategoricalCrossentropy(label_smoothing=...)"),
    "compute_loss": (autoencoder, {"selector": "smart"}, "Autoencoder overrides compute_loss(), so the loss"),
    "a sum": (with_sum, {"selector": "loss_ema"}, "has reduction='sum', which is not a mean over samples, so"),
    "one number": (with_contrastive, {"selector": "loss_ema"}, "loss 'contrastive' returns one number for the whole batch, so"),
    "a loss with __call__": (with_own_call, {"selector": "loss_ema"}, "overrides __call__() and not call(), so"),
    "losses of layers": (with_layer_losses, {"selector": "loss_ema"}, "Functional is compiled without a loss, so the loss of a single sample is"),
    "a rate that nobody uses": (gan, {"schedule": "cosine"}, "sets the learning rate of model.optimizer, which train_step() of GAN does not use"),
    "no loss": (gan, {"selector": "batch_loss_score"}, "GAN overrides train_step() and reports no loss of a batch"),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_need_losses_of_samples_are_refused_before_training(case):
    build, settings, words = SETTINGS[case]
    model = build()
    before = model.get_weights()
    with pytest.raises(UserError) as caught:
        fit(model, **settings)
    assert words in str(caught.value)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_selectors_that_the_message_names_are_those_that_work():
    entries = REGISTRY.built_in_entries
    families = ("modifier", "scoring", "draw")  # of what follows others
    alone = [name for name, entry in entries.items() if entry.family not in families and name != "given"]
    working = {name for name in alone if not needs_sample_losses(resolve(name))}
    assert working == {*WORKING, *SCORES} - {"given"}


@dataclasses.dataclass(frozen=True, repr=False)
class Doubled(Selector):
    name = "doubled"
    uses_training_losses = False

    def steps_per_plan(self, n, batch_size):
        return 1

    def plan(self, state, context):
        return Plan(tf.range(context.batch_size), tf.fill([context.batch_size], 2.0), tf.constant(1))


def test_weights_that_a_selector_does_not_declare_are_refused_before_training():
    model = own()
    before = model.get_weights()[0]
    with pytest.raises(
        UserError, match=r"doubled planned a sample with the weight 2, .* step of OwnStep weighs samples"
    ):
        fit(model, selector=Doubled())
    np.testing.assert_array_equal(model.get_weights()[0], before)


def without_loss():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd")
    return model


class Untraceable(keras.Sequential):
    def train_step(self, data):
        return {"loss": float(np.mean(data[0].numpy()))}


class Silent(keras.Sequential):
    def train_step(self, data):
        super().train_step(data)


@pytest.mark.parametrize(
    ("build", "data", "words"),
    [
        (
            lambda: dense(Untraceable, run_eagerly=True),
            (X, Y),
            "Untraceable cannot take a training step on these data: ",
        ),
        (
            lambda: dense(Untraceable, run_eagerly=True),
            (X, Y),
            "It is compiled with run_eagerly=True, and runs as a graph",
        ),
        (lambda: dense(Silent), (X, Y), "train_step() of Silent returned None; expected its logs, a dict"),
        (gan, (np.where(np.arange(50)[:, None] == 7, np.nan, X),), "x has NaN or infinite values in 1 samples: 7"),
        (lambda: dense(StepOfKeras), (X,), "cannot take a training step on these data"),
        (linear, (X[:, :3],), "x and y must be arrays"),
        (
            without_loss,
            (X, Y),
            "the model is not compiled with a loss. Call model.compile",
        ),
    ],
)
def test_steps_and_data_that_cannot_be_trained_are_refused(build, data, words):
    with pytest.raises(UserError) as caught:
        fit(build(), *data)
    assert words in str(caught.value)


def test_a_loss_that_is_not_finite_ends_the_run():
    model = vae(1e30)
    with pytest.raises(UserError, match="the loss is not finite at step"):
        fit(model, 1e6 * X)
