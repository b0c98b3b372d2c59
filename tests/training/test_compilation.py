"""What XLA compiles: a rule, and runs that are the same whichever way it goes."""

import keras
import numpy as np
import pytest
from problems import assert_same, classes, compiled, mlp, weights_of

from batchsel import Trainer
from batchsel.selectors import NumpyFunction, resolve
from batchsel.training.loop import compilation
from batchsel.training.loop.compilation import Compilation, choose_compilation

METHODS = ["random", "loss_ema", "online_batch", "infobatch", "kakurenbo", "great", "milo", "selective_backprop"]


def cnn():
    """A model that stays a plain graph."""
    layers = [keras.layers.Reshape((2, 2, 1)), keras.layers.Conv2D(3, 2), keras.layers.Flatten(), keras.layers.Dense(3)]
    return compiled(keras.Sequential([keras.Input((4,)), *layers]))


def test_dense_networks_are_compiled_whole_and_the_selection_of_others_if_it_pays():
    random = resolve("random")
    assert choose_compilation("auto", mlp(), random, 10) == Compilation(all=True)
    assert choose_compilation("graph", mlp(), random, 10**6) == Compilation(all=False)
    assert choose_compilation("auto", cnn(), random, 10**6) == Compilation(all=False, planning=True, choosing=True)
    assert choose_compilation("auto", cnn(), random, 10) == Compilation(all=False, planning=False, choosing=True)


def test_what_runs_python_code_is_never_compiled():
    chosen = NumpyFunction(lambda losses, batch_size, rng: rng.integers(len(losses), size=batch_size))
    assert choose_compilation("auto", cnn(), chosen, 10**6) == Compilation(all=False)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_is_the_same_whether_selection_is_compiled_or_not(name, monkeypatch):
    monkeypatch.setattr(compilation, "_MANY", 1)
    x, y = classes(60)
    runs = []
    for mode in ("graph", "auto"):
        trainer = Trainer(cnn(), name, batch_size=8, compile=mode)
        trainer.fit(x, y, epochs=3, verbose=0)
        runs.append((trainer.visits, weights_of(trainer.model)))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert_same(runs[0][1], runs[1][1])
