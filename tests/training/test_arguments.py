"""Every argument of wrong type or value is refused in one sentence or two, before anything is built."""

import copy
import inspect
import multiprocessing
import os
import pickle
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp, two_outputs

import batchsel
from batchsel import Target, Trainer, UserError
from batchsel.errors import UsageError
from batchsel.training.inputs import arguments
from batchsel.training.runtime import guards

N, B = 50, 8
X, Y = classes(N)


class Unprintable:
    """An object whose text cannot be shown."""

    def __repr__(self):
        raise RuntimeError


def masked(array, rows):
    mask = np.zeros(np.shape(array), bool)
    mask[rows] = True
    return np.ma.masked_array(array, mask)


VALUES = {
    "a text": "x", "a number as text": "2", "no text": "", "a text with a null": "a\0b", "bytes": b"x", "None": None,
    "minus one": -1, "zero": 0, "a half": 0.5, "nan": float("nan"), "infinite": float("inf"), "1e300": 1e300,
    "a huge integer": 10**400, "2**63": 2**63, "True": True, "complex": 1j, "a list": [1, 2], "a tuple": (0.5, "x"),
    "an array": np.ones([3, 2]), "a scalar array": np.array(np.nan), "a tensor": tf.ones([2]), "a dict": {"a": 1},
    "a set": {1}, "an object": object(), "a type": int, "an exception": ValueError("x"), "unprintable": Unprintable(),
    "a list of an object": [object()], "a long path": "a" * 5000, "a folder": "/", "a callback type": keras.callbacks.History,
}  # fmt: skip

NUMBERS = {"zero", "a half"}
COUNTS: set[str] = {"a huge integer", "2**63"}
ANYTHING = set(VALUES)
ACCEPTED = {
    "fit": {
        "steps_per_epoch": {"None"}, "initial_epoch": {"zero"}, "shuffle": {"True"}, "validation_steps": {"None"},
        "validation_batch_size": {"None"}, "validation_freq": {"a list", "a set"},
        "epochs": NUMBERS | {"None"}, "passes": NUMBERS | {"None"}, "sample_weight": {"None"}, "class_weight": {"None"}, "validation_data": {"None"},
        "validation_split": NUMBERS, "evaluate_every": {"a half", "1e300", "2**63"}, "callbacks": {"None"},
        "verbose": {"zero", "True"}, "target": {"None"}, "hold": COUNTS, "stop_at_target": {"True"},
        "seconds": {"None", "a half", "1e300", "2**63"}, "checkpoint": {"None", "a text", "a number as text"},
        "buffer_bytes": COUNTS, "x": set(), "y": set(),
    },
    "Trainer": {
        "model": set(), "selector": set(), "batch_size": COUNTS, "seed": {"zero"},
        "schedule": {"None"}, "compile": set(), "cut_padding": {"True"},
        "evaluation_batch_size": {"None"}, "augment": {"None", "no text"}, "curriculum": {"None", "no text"},
        "accumulate": {"None", "a number as text"}, "devices": {"None"},
    },
    "evaluate": {"x": set(), "y": set(), "sample_weight": {"None"}},
    "reset": {
        "seed": {"zero"}, "weights": {"None"}, "build": {"None", "a type", "a callback type"},
        "learning_rate": {"None", "zero", "a half", "1e300", "2**63"},
    },
    "reseed": {"seed": {"zero"}},
    "resume": {"path": set()},
    "save": {"path": {"a text", "a number as text", "a folder", "a long path"}},
}  # fmt: skip


def call(trainer, function, name, value):
    """Call a function with one bad argument and good ones for the others."""
    if function == "Trainer":
        return Trainer(**{"model": trainer.model, name: value})
    if function == "batchsel.fit":
        return batchsel.fit(**{"model": trainer.model, "x": X, "y": Y, name: value})
    good = {"fit": {"x": X, "y": Y}, "evaluate": {"x": X, "y": Y}, "reset": {"seed": 0}}.get(function, {})
    return getattr(trainer, function)(**good | {name: value})


def unbuilt():
    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def refused_cases():
    for function, accepted in ACCEPTED.items():
        for name, good in accepted.items():
            yield function, name, sorted(ANYTHING - good)
    for name in sorted(ACCEPTED["Trainer"].keys() - {"evaluation_batch_size"}):
        default = {"None"} if name in ("batch_size", "selector") else set()
        yield "batchsel.fit", name, sorted(ANYTHING - ACCEPTED["Trainer"][name] - default)
    for name in sorted(ACCEPTED["fit"]):
        yield "batchsel.fit", name, sorted(ANYTHING - ACCEPTED["fit"][name])


@pytest.mark.parametrize(("function", "name", "values"), list(refused_cases()))
def test_an_argument_of_wrong_type_or_value_is_refused(function, name, values, monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("something was built")

    monkeypatch.setattr(keras.Sequential, "build", fail)
    trainer = Trainer(unbuilt(), batch_size=B)
    for value in values:
        with pytest.raises(UserError) as caught:
            call(trainer, function, name, VALUES[value])
        words = str(caught.value)
        assert "\n" not in words, value
        assert len(words) < 1200, value
        assert words.count(". ") <= 2, value


def test_every_argument_is_in_the_table():
    for function, accepted in ACCEPTED.items():
        target = Trainer if function == "Trainer" else getattr(Trainer, function)
        assert set(inspect.signature(target).parameters) - {"self"} == set(accepted)
    known = set(inspect.signature(batchsel.fit).parameters) - {"options"}
    assert known == set(ACCEPTED["Trainer"]) - {"evaluation_batch_size"} | {"x", "y"}


def test_arguments_of_numpy_are_accepted():
    trainer = Trainer(mlp(), batch_size=np.int64(B), seed=np.int32(1), cut_padding=np.False_, compile="graph")
    options = {"epochs": np.float32(0.5), "seconds": np.float64(9), "hold": np.int8(1), "verbose": np.int64(0)}
    trainer.fit(X, Y, validation_data=(X, Y), target=Target("loss", 0.0, False), callbacks=[[], ()], **options)
    assert trainer.counts["samples"] == 32


@pytest.mark.parametrize("name", ["epoch", "learning_rate", "x_train"])
def test_an_unknown_argument_of_fit_is_refused(name):
    with pytest.raises(UsageError, match=r"unknown argument of fit\(\)"):
        batchsel.fit(mlp(), X, Y, **{name: 1})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"y": Y + 0.5}, r"50 labels are not whole numbers: 0\.5 at 0, 1\.5 at 1, .* Class ids must be"),
        ({"validation_data": (X, Y + 0.25)}, "50 labels are not whole numbers"),
        ({"x": masked(X, [3, 4])}, "x is a masked array with 8 masked values, which would be trained on"),
        ({"y": masked(Y, [3])}, "y is a masked array with 1 masked values"),
        ({"validation_data": (X, masked(Y, [3]))}, "y is a masked array"),
        ({"sample_weight": np.where(np.arange(N) == 7, -1.0, 1)}, "sample_weight is negative for 1 samples: 7"),
        ({"sample_weight": tf.constant(np.full(N, -1.0))}, "sample_weight is negative for 50 samples"),
        ({"sample_weight": np.zeros(N)}, "all sample weights are 0"),
        ({"sample_weight": np.full(N, np.nan)}, "sample_weight has NaN"),
        ({"class_weight": dict.fromkeys(range(3), 0.0)}, "all sample weights are 0"),
        ({"class_weight": {0: -1.0}}, "class_weight of 0 must be a number of at least 0, got -1"),
        ({"class_weight": {0: "1"}}, "class_weight of 0 must be a number"),
        ({"class_weight": [1, 2]}, r"class_weight must be a dictionary such as \{0: 1.0, 1: 2.0\}, got \[1, 2\]"),
        ({"target": 5}, "target must be a text such as 'accuracy>=0.91', a Target or None, got 5"),
        ({"callbacks": keras.callbacks.History}, r"must be Keras callbacks .* Create it first, as in Name\(\)"),
        ({"checkpoint": Path(__file__) / "run.npz"}, "checkpoint cannot be the file .*: Not a directory"),
        ({"epochs": "2"}, "epochs must be a number of at least 0 and below 2.14748e\\+09, got '2'"),
    ],
)  # fmt: skip
def test_values_that_would_be_changed_silently_are_refused(options, words):
    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    with pytest.raises(UserError, match=words):
        trainer.fit(**{"x": X, "y": Y, "verbose": 0} | options)
    assert trainer.counts["steps"] == 0


def test_labels_of_each_of_several_outputs_are_checked():
    trainer = Trainer(two_outputs(), batch_size=B, compile="graph")
    for kind, words in ((Y + 0.5, "not whole numbers"), (np.where(Y == 2, 3, Y), r"lie outside 0 \.\.\. 2")):
        with pytest.raises(UserError, match=words):
            trainer.fit(X, {"kind": kind, "size": X[:, 0]}, verbose=0)
    with pytest.raises(UserError, match="not whole numbers"):
        trainer.evaluate(X, {"kind": Y + 0.5, "size": X[:, 0]})


class Source:
    """A source whose rows can be changed."""

    def __init__(self, length=N, change=lambda *parts: parts):
        self.length, self.change = length, change

    def __len__(self):
        return self.length

    def take(self, indices):
        return self.change(X[indices], Y[indices], np.ones(len(indices)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y, weight: (x, y, -weight), "sample_weight is negative for 8 samples"),
        (lambda x, y, weight: (masked(x, [0]), y), "the rows of the source is a masked array"),
        (lambda x, y, weight: (x, y + 0.5), "labels are not whole numbers"),
    ],
)
def test_rows_of_a_source_are_checked_too(change, words):
    with pytest.raises(UserError, match=words):
        Trainer(mlp(), "fixed", batch_size=B, compile="graph").fit(Source(change=change), buffer_bytes=1, verbose=0)


def test_more_samples_than_can_be_numbered_are_refused_by_their_shape():
    trainer = Trainer(mlp(), batch_size=B)
    x = np.broadcast_to(np.float32(0), [2**31, 4])
    for data in ((x, x[:, 0]), (Source(2**31), None)):
        with pytest.raises(UserError, match=r"the data have 2,147,483,648 samples, and at most 2,147,483,647"):
            trainer.fit(*data)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
@pytest.mark.parametrize("function", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_trainer_is_not_copied_but_its_model_is(function):
    model = mlp()
    trainer = Trainer(model, batch_size=B)
    with pytest.raises(UserError, match=r"a Trainer cannot be copied or pickled, .* save\(path\), .* resume\(path\)"):
        function(trainer)
    object.__setattr__(model, "_batchsel_trainer", ((), trainer))
    assert pickle.dumps(model)  # as batchsel.fit leaves it


def test_training_inside_tf_function_is_refused():
    trainer = Trainer(mlp(), batch_size=B)
    calls = {
        "fit()": lambda: trainer.fit(X, Y), "evaluate()": lambda: trainer.evaluate(X, Y),
        "Trainer()": lambda: Trainer(trainer.model), "reset()": lambda: trainer.reset(0),
    }  # fmt: skip
    for name, function in calls.items():
        with pytest.raises(UserError, match=rf"{name[:-2]}\(\) was called inside tf\.function or a graph"):
            tf.function(function, autograph=False)()


def test_a_second_fit_of_a_model_that_trains_is_refused_in_a_callback_and_in_another_thread():
    trainer = Trainer(mlp(), batch_size=B, compile="graph")
    other, refused = Trainer(trainer.model, batch_size=B, compile="graph"), []

    def attempt():
        for function in (
            lambda: trainer.fit(X, Y, verbose=0), lambda: other.fit(X, Y, verbose=0), lambda: trainer.reset(1),
            lambda: trainer.reseed(1), lambda: trainer.resume("a.npz"),
        ):  # fmt: skip
            with pytest.raises(UserError, match="while another fit\\(\\) is training the same model"):
                function()
            refused.append(threading.current_thread().name)

    def attempt_twice(epoch, logs):
        attempt()
        thread = threading.Thread(target=attempt, name="other")
        thread.start()
        thread.join()

    trainer.fit(X, Y, verbose=0, callbacks=keras.callbacks.LambdaCallback(on_epoch_end=attempt_twice))
    assert refused == ["MainThread"] * 5 + ["other"] * 5
    assert trainer.counts["samples"] == N
    other.fit(X, Y, verbose=0)
    assert other.counts["samples"] == N


def fit_in_child(trainer, results):
    try:
        trainer.fit(X, Y, verbose=0)
    except UserError as error:
        results.send(str(error))
    finally:
        os._exit(0)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_fit_in_a_forked_process_is_refused_instead_of_hanging():
    receive, send = multiprocessing.Pipe(False)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=fit_in_child, args=(Trainer(mlp(), batch_size=B), send))
    process.start()
    assert receive.poll(60)
    assert "fit() was called in a process forked from one that had used TensorFlow" in receive.recv()
    process.join(60)
    assert process.exitcode == 0
    assert not guards._forked


@pytest.mark.parametrize("selector", ["loss_ema | weighted(every=1048576)", "divbs(pool=1024)"])
def test_a_plan_of_more_rows_than_can_be_numbered_is_refused_before_it_is_allocated(selector, monkeypatch):
    monkeypatch.setattr(arguments, "LARGEST", 2**13 - 1)
    with pytest.raises(UsageError, match=r"a plan has at most 8,191 .* steps of .* samples. Choose smaller batches"):
        Trainer(mlp(), selector, batch_size=B, compile="graph").fit(*classes(N), verbose=0)
