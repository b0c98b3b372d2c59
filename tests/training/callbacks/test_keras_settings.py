"""Settings of Keras that change how long epochs are and how often hooks are called hold here too."""

import keras
import numpy as np
import pytest
from parity import assert_equal, fit
from problems import classes, mlp

N = 50
X, Y = classes(N)


class Hooks(keras.callbacks.Callback):
    """Notes each hook with its number and the loss of its logs."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append(("epoch", epoch, 0))

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(("begin", batch, 0))

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(("end", batch, logs["loss"]))


def hooks_of(by_keras, **options):
    hooks = Hooks()
    fit(mlp(**options), X, Y, by_keras, epochs=3, callbacks=[hooks])
    return [name for name, *_ in hooks.seen], [row[1:] for row in hooks.seen]


@pytest.mark.parametrize("steps", [1, 3, 7, 100])
def test_hooks_for_batches_are_called_once_for_each_execution(steps):
    (names, numbers), (expected, in_keras) = (
        hooks_of(by_keras, steps_per_execution=steps) for by_keras in (False, True)
    )
    assert names == expected
    np.testing.assert_allclose(numbers, in_keras, rtol=1e-5)


@pytest.fixture
def limits():
    yield keras.config
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


@pytest.mark.filterwarnings("ignore:Limiting", "ignore:keras.config limits")
@pytest.mark.parametrize(("epochs", "steps"), [(2, None), (None, 3), (2, 3), (9, 90)])
def test_epochs_are_no_more_and_no_longer_than_keras_is_told(limits, epochs, steps):
    data = X[:48], Y[:48]  # 6 batches, so that epochs of 3 divide the data
    limits.set_max_epochs(epochs)
    limits.set_max_steps_per_epoch(steps)
    found = fit(mlp(), *data, by_keras=False, epochs=4)
    assert len(found[0]["loss"]) == min(4, epochs or 4)
    if steps == 90:  # more than the data have, which Keras warns of
        limits.set_max_steps_per_epoch(None)
    if steps != 3:  # Keras starts each epoch of fewer batches with the first sample
        assert_equal(found, fit(mlp(), *data, by_keras=True, epochs=4))
