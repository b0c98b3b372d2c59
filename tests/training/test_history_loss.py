"""The training loss in the history is that of the chosen samples, whatever a selector makes of it."""

import keras
import numpy as np
import pytest
from problems import classes, mlp, two_outputs

from batchsel import Trainer
from batchsel.core.label_smoothing import SmoothedCrossentropy
from batchsel.models.building import build_compiled

N, B = 50, 8
X, Y = classes(N)
WEIGHTS = np.random.default_rng(1).uniform(0.5, 2, N).astype("float32")


def cross_entropy(model):
    logits = model.predict(X, verbose=0)
    return np.log(np.exp(logits).sum(axis=-1)) - logits[np.arange(N), Y]


class Visits(keras.callbacks.Callback):
    """Notes how often each sample was trained on in each epoch."""

    def __init__(self, trainer):
        super().__init__()
        self.trainer, self.epochs, self._before = trainer, [], 0

    def on_epoch_end(self, epoch, logs=None):
        visits = self.trainer.visits
        self.epochs.append(visits - self._before)
        self._before = visits


def fit(model, selector, y=Y, x=X, **options):
    trainer = Trainer(model, selector, batch_size=B, compile="graph")
    visits = Visits(trainer)
    history = trainer.fit(x, y, epochs=3, callbacks=[visits], verbose=0, **options).history
    return history, np.array(visits.epochs)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "selector",
    ["infobatch(delta=1.0)", "kakurenbo(tau=0.0)", "last_loss | reweigh", "ordered_sgd", "random"],
)
def test_the_loss_is_the_mean_over_the_chosen_samples(selector, weighted):
    model = mlp(optimizer=keras.optimizers.SGD(0.0))
    factors = WEIGHTS if weighted else np.ones(N)
    history, visits = fit(model, selector, sample_weight=WEIGHTS if weighted else None)
    # As in Keras, weights of the user are factors of the losses, and the mean is over the number of samples.
    expected = visits @ (factors * cross_entropy(model)) / visits.sum(axis=1)
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


def test_the_loss_of_several_outputs_is_their_sum():
    # Full batches only: as in Keras, the losses of outputs are means over batches, and their sum is one over samples.
    rows = slice(N // B * B)
    history, _ = fit(two_outputs(), "last_loss | reweigh", {"kind": Y[rows], "size": X[rows, :1]}, X[rows])
    total = np.array(history["kind_loss"]) + 0.5 * np.array(history["size_loss"])
    np.testing.assert_allclose(history["loss"], total, rtol=1e-4)


def test_regularizers_count_as_in_keras():
    model = mlp(optimizer=keras.optimizers.SGD(0.0), regularizer=keras.regularizers.L2(0.1))
    history, visits = fit(model, "infobatch(delta=1.0)")
    penalty = 0.1 * (model.get_weights()[0] ** 2).sum()
    np.testing.assert_allclose(history["loss"], visits @ cross_entropy(model) / visits.sum(axis=1) + penalty, rtol=1e-4)


def test_smoothing_by_a_setting_of_the_run_is_left_out_and_that_of_the_users_loss_is_not():
    setting = build_compiled("mlp", (4,), 3, "classification", optimizer="sgd", learning_rate=1e-9, label_smoothing=0.3)
    history, visits = fit(setting, "infobatch(delta=1.0)")
    np.testing.assert_allclose(history["loss"], visits @ cross_entropy(setting) / visits.sum(axis=1), rtol=1e-4)
    own = mlp(optimizer=keras.optimizers.SGD(0.0), loss=SmoothedCrossentropy(0.3, from_logits=True))
    history, _ = fit(own, "random")
    smoothed = SmoothedCrossentropy(0.3, from_logits=True)(Y, own.predict(X, verbose=0))
    np.testing.assert_allclose(history["loss"], float(smoothed), rtol=1e-4)
    assert abs(float(smoothed) - cross_entropy(own).mean()) > 0.01
