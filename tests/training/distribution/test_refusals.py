"""What several devices do not offer is refused in one sentence with a remedy, before anything is trained."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import batchsel
from batchsel import UserError

MESSAGES = {
    "xla": r"compile='xla' is impossible: it does not compile a loop over 2 devices\. Use compile='graph'",
    "outside": r"devices=2, and the model was built for 1\. .* with batchsel\.device_scope\(2\)",
    "more": r"devices=3, and TensorFlow sees 2 CPUs\. Set BATCHSEL_CPU_DEVICES=3",
    "none": r'devices must be a whole number of at least 1 or "all", got 0',
    "optimizer": r"the optimizer \(adam.*\) was made outside of the scope .* within it: with batchsel\.device_scope\(2\)",
    "metric": r"a metric \(.*\) was made outside of the scope .* within it",
    "ema and loss scale": r"Adam\(use_ema=\.\.\.\) with a loss scale is not offered .* Compile without a loss scale",
    "own step": r"OwnStep overrides train_step\(\), and batchsel cannot divide the batches .* outside of the scope",
    "no reduction": r"the reduction 'none' is added up and not averaged.* with the default reduction, or train on one",
    "mixed ignored class": r"mixup\(.*\) mixes samples, and the loss leaves out masked steps.* Leave that transform out",
    "padding": r"must not see rows that fill up a batch.* a multiple of 2",
}
STRATEGIES = {
    tf.distribute.MultiWorkerMirroredStrategy: "several machines.*MirroredStrategy.*--executor slurm or dask",
    tf.distribute.TPUStrategy: "compiles everything by XLA.*MirroredStrategy",
    tf.distribute.experimental.ParameterServerStrategy: "no fixed order.*MirroredStrategy",
    tf.distribute.experimental.CentralStorageStrategy: "one that holds all weights.*MirroredStrategy",
}


@pytest.fixture(scope="module")
def found(on_two_devices):
    return on_two_devices("refusals")


@pytest.mark.parametrize("case", MESSAGES)
def test_settings_are_refused_with_a_remedy(found, case):
    assert case in found
    with pytest.raises(UserError, match=MESSAGES[case]):
        raise UserError(found[case])


@pytest.mark.parametrize("kind", STRATEGIES)
def test_other_strategies_are_refused_by_name(kind):
    class Model(keras.Sequential):
        distribute_strategy = object.__new__(kind)

    model = Model([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(UserError, match=f"built under {kind.__name__}, .*{STRATEGIES[kind]}"):
        batchsel.fit(model, np.zeros((8, 4)), np.zeros((8, 1)))


def test_a_scope_of_one_device_changes_nothing():
    with batchsel.device_scope(1):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    assert batchsel.fit(model, np.ones((8, 4)), np.ones((8, 1)), devices=1, compile="graph", verbose=0).history["loss"]
