"""The rule for what XLA compiles, and equal runs with and without it."""

import keras
import numpy as np
import pytest
from problems import assert_same, classes, compile_model, mlp, variable_values

from batchsel import Trainer
from batchsel.selectors import NumpyFunction, resolve
from batchsel.training.loop import compilation
from batchsel.training.loop.compilation import Compilation, choose_compilation

METHODS = ["random", "loss_ema", "online_batch", "infobatch", "kakurenbo", "great", "milo", "selective_backprop"]


def cnn():
    """A model that stays a plain graph."""
    layers = [keras.layers.Reshape((2, 2, 1)), keras.layers.Conv2D(3, 2), keras.layers.Flatten(), keras.layers.Dense(3)]
    return compile_model(keras.Sequential([keras.Input((4,)), *layers]))


def test_auto_compiles_dense_networks_whole_and_otherwise_selection_where_it_pays():
    random = resolve("random")
    assert choose_compilation("auto", mlp(), random, 10) == Compilation(all=True)
    assert choose_compilation("graph", mlp(), random, 10**6) == Compilation(all=False)
    assert choose_compilation("auto", cnn(), random, 10**6) == Compilation(all=False, planning=True, choosing=True)
    assert choose_compilation("auto", cnn(), random, 10) == Compilation(all=False, planning=False, choosing=True)


def test_selectors_that_run_python_code_are_never_compiled():
    selector = NumpyFunction(lambda losses, batch_size, rng: rng.integers(len(losses), size=batch_size))
    assert choose_compilation("auto", cnn(), selector, 10**6) == Compilation(all=False)


@pytest.mark.parametrize("name", METHODS)
def test_compiling_the_selection_does_not_change_a_run(name, monkeypatch):
    monkeypatch.setattr(compilation, "_MANY", 1)
    x, y = classes(60)
    runs = []
    for mode in ("graph", "auto"):
        trainer = Trainer(cnn(), name, batch_size=8, compile=mode)
        trainer.fit(x, y, epochs=3, verbose=0)
        runs.append((trainer.visits, variable_values(trainer.model)))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert_same(runs[0][1], runs[1][1])
