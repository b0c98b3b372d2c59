"""Bad input is rejected before training, with the value, what was expected and what to do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, linear, mlp, two_outputs

from batchsel import Trainer, UserError
from batchsel.core.target import Target
from batchsel.errors import UsageError

N, B = 50, 8
X, Y = classes(N)


def bad(array, rows, value):
    array = np.array(array, dtype="float32")
    array[rows] = value
    return array


def uncompiled():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


def mean_of_the_batch(y_true, y_pred):
    return tf.reduce_mean((y_true - y_pred) ** 2)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            uncompiled,
            "the model is not compiled with a loss. Call model.compile(optimizer=..., loss=..., metrics=...).",
        ),
        (lambda: "mlp", "model must be a keras.Model, got str."),
        (lambda: None, "model must be a keras.Model, got NoneType."),
    ],
)
def test_untrainable_models_are_rejected(build, words):
    with pytest.raises(UserError) as caught:
        Trainer(build())
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (
            keras.losses.MeanSquaredError(reduction="sum"),
            "has reduction='sum', which is not a mean over samples, so the loss",
        ),
        (
            mean_of_the_batch,
            "returns one number for the whole batch, so the loss of a single sample is unknown, and the selector",
        ),
    ],
)
def test_losses_without_a_per_sample_form_are_rejected_with_selectors_by_loss(loss, words):
    trainer = Trainer(linear(4, loss=loss), "loss_ema", batch_size=B, compile="graph")
    with pytest.raises(UserError, match=words):
        trainer.fit(X, X[:, 0], verbose=0)


NOT_FINITE = "has NaN or infinite values in"
OUTSIDE = "labels lie outside 0 ... 2, the classes of the model"
BAD_DATA = {
    "no samples": ((X[:0], Y[:0]), "x is empty: there is no sample to train on"),
    "lengths differ": ((X, Y[:-1]), "x has 50 samples, but y has shape [49]; their first axes must agree"),
    "weights differ": ((X, Y, np.ones(3)), "but sample_weight has shape [3]"),
    "inputs differ": (([X, X[:-1]], Y), "but x has shape [49, 4]"),
    "no array for an input": (([X, None], Y), "x is None for one of the inputs. Give an array for each"),
    "a scalar target": ((X, 3), "but y has shape []"),
    "nan feature": ((bad(X, [7, 31], np.nan), Y), f"x {NOT_FINITE} 2 samples: 7, 31."),
    "infinite feature": ((bad(X, [[7], [1]], -np.inf), Y), f"x {NOT_FINITE} 2 samples: 1, 7."),
    "many nan": ((bad(X, slice(10, 30), np.nan), Y), f"x {NOT_FINITE} 20 samples: 10, 11, 12, 13, 14, ..."),
    "nan target": ((X, bad(Y, [3], np.nan)), f"y {NOT_FINITE} 1 samples: 3."),
    "nan weight": ((X, Y, bad(np.ones(N), [4], np.nan)), f"sample_weight {NOT_FINITE} 1 samples: 4."),
    "words": ((np.full((N, 4), "a"), Y), "x holds texts, and the model takes numbers. Begin the model with keras.layers.StringLookup"),
    "words as targets": ((X, np.full(N, "a")), "y must hold numbers, got an array of <U1"),
    "objects": ((np.full((N, 4), None), Y), "x must hold numbers, got an array of object"),
    "complex": ((X + 1j, Y), "x must hold numbers, got an array of complex64"),
    "no targets": ((X,), "x and y must be arrays (or x a source with len() and take()), got ndarray and NoneType"),
    "label too large": ((X, np.where(np.arange(N) == 20, 3, Y)), f"1 {OUTSIDE}: 3 at 20"),
    "label negative": ((X, np.where(np.arange(N) < 2, -1, Y)), f"2 {OUTSIDE}: -1 at 0, -1 at 1"),
    "tf.data": ((tf.data.Dataset.from_tensor_slices((X, Y)),), "Single samples have to be batched first"),
    "tf.data with targets": ((tf.data.Dataset.from_tensor_slices(X), Y), "whose batches hold the targets and weights; leave out y"),
    "nothing": ((None,), "got NoneType and NoneType"),
    "lists of lists": (([*X.tolist()[:-1], [1.0]], Y), "x is a list of lists of different lengths (1 to 4)"),
}  # fmt: skip


@pytest.fixture(scope="module")
def trainer():
    return Trainer(mlp(), batch_size=B, schedule="linear", compile="graph")


@pytest.mark.parametrize("case", BAD_DATA)
def test_unusable_data_are_rejected(case, trainer):
    data, words = BAD_DATA[case]
    before, counts = trainer.model.get_weights(), trainer.counts
    with pytest.raises(UserError) as caught:
        trainer.fit(*data[:2], sample_weight=data[2] if len(data) > 2 else None, verbose=0)
    assert words in str(caught.value)
    assert trainer.counts == counts
    np.testing.assert_array_equal(trainer.model.get_weights()[0], before[0])


def test_metrics_with_several_numbers_are_rejected():
    model = mlp(loss=keras.losses.CategoricalCrossentropy(from_logits=True), metrics=[keras.metrics.F1Score()])
    with pytest.raises(UserError, match="metric 'f1_score' returns 3 numbers; batchsel records one for each"):
        Trainer(model, batch_size=B).fit(X, np.eye(3)[Y], verbose=0)


def test_models_without_trainable_weights_are_rejected():
    model = mlp()
    model.trainable = False
    model.compile("sgd", model.loss)
    with pytest.raises(UserError, match="no trainable weights"):
        Trainer(model, batch_size=B).fit(X, Y, verbose=0)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", keras.losses.SparseCategoricalCrossentropy()])
def test_labels_are_checked_for_every_form_of_the_loss(loss):
    trainer = Trainer(mlp(activation="softmax", loss=loss), batch_size=B, compile="graph")
    with pytest.raises(UserError, match=r"17 labels lie outside 0 \.\.\. 2"):
        trainer.fit(X, np.where(Y == 0, 3, Y), verbose=0)


BAD_OPTIONS = {
    "bad validation label": ({"validation_data": (X, Y + 1)}, "labels lie outside 0 ... 2"),
    "nan in validation": ({"validation_data": (bad(X, [5], np.nan), Y)}, f"x {NOT_FINITE} 1 samples: 5"),
    "validation without targets": ({"validation_data": (X,)}, "validation_data must be"),
    "validation of four": ({"validation_data": (X, Y, Y, Y)}, "validation_data must be (x, y) or (x, y, sample_weight)"),
    "validation of one array": ({"validation_data": X}, "of arrays, or a source, got ndarray."),
    "unknown verbosity": ({"verbose": "loud"}, "verbose must be 'auto', 0, 1 or 2, got 'loud'"),
    "empty validation": ({"validation_data": (X[:0], Y[:0])}, "x is empty"),
    "split too large": ({"validation_split": 1.0}, "validation_split must be in (0, 1)"),
    "split negative": ({"validation_split": -0.1}, "validation_split must be in (0, 1)"),
    "split leaves nothing": ({"validation_split": 0.99}, "leave samples in both parts, got 0.99 of 50"),
    "weight without class": ({"class_weight": {7: 1.0, 8: 2.0}}, "no sample is of any of these classes"),
    "two schedules": ({"callbacks": [keras.callbacks.ReduceLROnPlateau()]}, "would both set the learning rate"),
    "both weights": ({"class_weight": dict.fromkeys(range(3), 1.0), "sample_weight": np.ones(N)}, "cannot be combined; pass one of them"),
    "target without data": ({"target": "accuracy>=0.9"}, "accuracy>=0.9 needs validation_data to be measured on"),
    "target unreadable": ({"target": "accuracy"}, "cannot read the target 'accuracy'. Expected e.g. 'accuracy>=0.91'"),
    "no interval": ({"evaluate_every": 0}, "evaluate_every must be"),
    "negative interval": ({"evaluate_every": -1}, "evaluate_every must be"),
    "negative budget": ({"epochs": -1}, "epochs must be"),
    "endless budget": ({"epochs": float("nan")}, "epochs must be"),
    "no hold": ({"target": "loss<=0", "validation_data": (X, Y), "hold": 0}, "hold must be"),
    "negative time": ({"seconds": -1}, "seconds must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_meaningless_options_are_rejected(case, trainer):
    options, words = BAD_OPTIONS[case]
    before = trainer.counts
    with pytest.raises(UserError) as caught:
        trainer.fit(X, Y, **{"verbose": 0} | options)
    assert words in str(caught.value)
    assert trainer.counts == before


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("acuracy>=0.9", "unknown target metric 'acuracy'. Did you mean 'accuracy'? Known: accuracy, loss."),
        ("val_accuracy>=0.9", "unknown target metric 'val_accuracy'. Did you mean 'accuracy'?"),
        ("accuracy>=91", "accuracy lies between 0 and 1; did you mean 0.91?"),
        ("accuracy>=-0.1", "accuracy lies between 0 and 1."),
        ("accuracy<=0.9", "reverse the sign, accuracy should rise"),
        ("loss>=0.3", "reverse the sign, loss should fall"),
    ],
)
def test_unreachable_targets_are_rejected(target, words, trainer):
    with pytest.raises(UsageError) as caught:
        trainer.fit(X, Y, target=target, validation_data=(X, Y), verbose=0)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "accuracy>0.9", "accuracy=0.9", "0.9<=accuracy", "accuracy>=", "accuracy>=nan", "accuracy>=1e", "a b>=1"],
)
def test_malformed_targets_are_rejected(text):
    with pytest.raises(UsageError, match="cannot read the target"):
        Target.parse(text)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "batch_size must be a whole number of at least 1, got 0"),
        (-3, "at least 1, got -3"),
        (2.0, "at least 1, got 2.0"),
        ("8", "at least 1, got '8'"),
    ],
)
def test_batch_sizes_below_1_are_rejected(size, words):
    with pytest.raises(UsageError) as caught:
        Trainer(mlp(), batch_size=size, compile="graph").fit(X, Y, verbose=0)
    assert words in str(caught.value)


def test_unknown_compile_modes_are_rejected():
    with pytest.raises(UsageError, match="compile must be 'auto', 'graph' or 'xla', got 'jit'"):
        Trainer(mlp(), compile="jit").fit(X, Y, verbose=0)


def test_xla_with_python_code_is_rejected():
    from batchsel.selectors import NumpyFunction

    chosen = NumpyFunction(lambda losses, size, rng: np.arange(size))
    with pytest.raises(
        UsageError, match=r"compile='xla' is impossible: selector .* runs Python code. Use compile='graph'"
    ):
        Trainer(mlp(), chosen, batch_size=B, compile="xla").fit(X, Y, verbose=0)


def test_methods_that_need_data_say_so_before_fit(tmp_path):
    trainer = Trainer(mlp())
    for ask in (lambda: trainer.losses, lambda: trainer.save(tmp_path / "a.npz")):
        with pytest.raises(UserError, match=r"nothing was trained yet: call fit\(\) first"):
            ask()
    assert trainer.counts == {"steps": 0, "samples": 0, "scored": 0, "plans": 0}


def test_class_weights_of_several_outputs_are_rejected():
    with pytest.raises(UserError, match="class_weight"):
        Trainer(two_outputs(), batch_size=B).fit(
            X, {"kind": Y, "size": X[:, 0]}, class_weight={0: 1.0}, verbose=0
        )  # fmt: skip
