"""Label smoothing for integer labels: the formula, and the places that use the plain loss."""

import functools

import keras
import numpy as np
import pytest
from problems import classes, fill_weights, mlp, two_outputs

from batchsel import Trainer
from batchsel.core.label_smoothing import SmoothedCrossentropy
from batchsel.errors import UsageError, UserError
from batchsel.experiments.spec.resolve import resolve
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.models.building import build_compiled
from batchsel.models.perplexity import Perplexity
from batchsel.training.model.objective import loss_kind

N, SHARE = 40, 0.3
X, Y = classes(N)
HOT = np.eye(3, dtype="float32")[Y]
RUN = ("iris", "mlp", "random", 8, "adam", 1e-3, "linear", "2 passes", "loss<=1")


def smoothed(share=SHARE):
    return SmoothedCrossentropy(share, from_logits=True)


def cross_entropy(logits, y):
    return np.log(np.exp(logits).sum(axis=-1)) - np.take_along_axis(logits, y[..., None], axis=-1)[..., 0]


@functools.cache
def trained(hot):
    """A trainer with smoothed labels after two passes, and its history; by Keras's own loss if one-hot."""
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=SHARE) if hot else smoothed()
    trainer = Trainer(mlp(loss=loss), "random", batch_size=8, compile="graph")
    validation = (X[:20], (HOT if hot else Y)[:20])
    history = trainer.fit(X, HOT if hot else Y, epochs=2, validation_data=validation, verbose=0).history
    return trainer, history


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("form", ["rows", "column", "steps"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
def test_smoothed_loss_equals_the_one_hot_loss_of_keras(share, form, from_logits):
    generator = np.random.default_rng(0)
    shape = (6, 4) if form == "steps" else (6,)
    y, outputs = generator.integers(0, 5, shape), generator.normal(size=(*shape, 5)).astype("float32")
    if not from_logits:
        outputs = np.exp(outputs) / np.exp(outputs).sum(axis=-1, keepdims=True)
    own = keras.losses.CategoricalCrossentropy(from_logits, share, reduction=None)(np.eye(5)[y], outputs)
    loss = SmoothedCrossentropy(share, from_logits, reduction=None)
    found = loss(y[:, None] if form == "column" else y, outputs)
    np.testing.assert_allclose(found, own, rtol=1e-5)
    if share == 0:
        plain = keras.losses.SparseCategoricalCrossentropy(from_logits, reduction=None)
        np.testing.assert_array_equal(found, plain(y, outputs))
    elif from_logits:
        log_odds = outputs - np.log(np.exp(outputs).sum(axis=-1, keepdims=True))
        by_hand = (1 - share) * cross_entropy(outputs, y) - share * log_odds.mean(axis=-1)
        np.testing.assert_allclose(found, by_hand, rtol=1e-5)


def test_smoothed_loss_round_trips_through_its_config():
    again = keras.losses.deserialize(keras.losses.serialize(smoothed(0.2)))
    assert isinstance(again, SmoothedCrossentropy)
    assert again.get_config() == smoothed(0.2).get_config()
    assert again(Y, X[:, :3]) == smoothed(0.2)(Y, X[:, :3])


def test_integer_labels_are_still_checked():
    assert loss_kind(smoothed()) == ("sparse", True)
    with pytest.raises(UserError, match="outside"):
        Trainer(mlp(loss=smoothed()), batch_size=8, compile="graph").fit(X, Y + 1, verbose=0)


def test_training_steps_equal_those_with_one_hot_labels():
    (ours, history), (keras_own, other) = trained(False), trained(True)
    for one, two in zip(ours.model.get_weights(), keras_own.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(history["loss"], other["loss"], rtol=1e-4)
    np.testing.assert_allclose(ours.losses, keras_own.losses, rtol=1e-3)


def test_evaluations_use_no_smoothing():
    trainer, history = trained(False)
    plain = cross_entropy(trainer.model.predict(X, verbose=0), Y)
    assert trainer.evaluate(X, Y)["loss"] == pytest.approx(plain.mean(), rel=1e-4)
    assert history["val_loss"][-1] == pytest.approx(plain[:20].mean(), rel=1e-4)
    assert trained(True)[1]["val_loss"][-1] > 1.05 * plain[:20].mean()  # where the loss is that of Keras, as in Keras


def test_selectors_see_losses_without_smoothing():
    model = mlp(loss=smoothed(), optimizer=keras.optimizers.SGD(0.0))
    trainer = Trainer(model, "loss_ema", batch_size=8, compile="graph")
    history = trainer.fit(X, Y, epochs=1, verbose=0).history
    seen = trainer.visits > 0
    plain = cross_entropy(model.predict(X, verbose=0), Y)
    np.testing.assert_allclose(trainer.losses[seen], plain[seen], rtol=1e-4)
    shares = trainer.visits / trainer.visits.sum()
    assert abs(history["loss"][0] - shares @ plain) > 0.01


def test_smoothing_of_one_of_several_outputs_is_left_out_of_evaluation():
    loss = {"kind": smoothed(), "size": "mse"}
    targets = {"kind": Y, "size": X[:, :1]}
    found, plain = (
        Trainer(two_outputs(**options), batch_size=8, compile="graph").evaluate(X, targets)
        for options in ({"loss": loss}, {})
    )
    assert found.keys() == plain.keys() >= {"loss", "kind_loss", "size_loss"}
    assert found == pytest.approx(plain, rel=1e-5)


def test_perplexity_uses_no_smoothing():
    words = np.random.default_rng(0).integers(0, 5, (16, 4))
    model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Embedding(5, 5)])
    fill_weights(model)
    model.compile(keras.optimizers.SGD(0.0), smoothed(), metrics=[Perplexity()])
    trainer = Trainer(model, "fixed", batch_size=8, compile="graph")
    history = trainer.fit(words[:, ::-1].copy(), words, epochs=1, verbose=0).history
    expected = np.exp(cross_entropy(model.get_weights()[0][words[:, ::-1]], words).mean())
    assert history["perplexity"][0] == pytest.approx(expected, rel=1e-4)
    assert trainer.evaluate(words[:, ::-1].copy(), words)["perplexity"] == pytest.approx(expected, rel=1e-4)


def test_classification_models_are_compiled_with_smoothing():
    assert build_compiled("mlp(hidden=[4])", (2,), 2, "classification", label_smoothing=0.1).loss.label_smoothing == 0.1
    assert (
        type(build_compiled("mlp(hidden=[4])", (2,), 2, "classification").loss)
        is keras.losses.SparseCategoricalCrossentropy
    )
    with pytest.raises(UsageError, match="labels of a regression are not classes"):
        build_compiled("mlp(hidden=[4])", (2,), 1, "regression", label_smoothing=0.1)


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5])
def test_label_smoothing_of_1_is_rejected(share):
    with pytest.raises(UsageError, match=r"label_smoothing must be in \[0, 1\)"):
        SmoothedCrossentropy(share)
    with pytest.raises(UsageError, match=r"label_smoothing must be a number in \[0, 1\), got"):
        RunSpec(*RUN, label_smoothing=share)


def test_digests_of_records_without_smoothing_stay():
    assert not {"label_smoothing", "train_share"} & RunSpec(*RUN).values().keys()
    assert RunSpec(*RUN, label_smoothing=0.1).digest() != RunSpec(*RUN).digest()


def test_label_smoothing_of_a_regression_is_rejected():
    from batchsel import cards

    with pytest.raises(UsageError, match="boston_housing is a regression: its labels are not classes"):
        resolve({"label_smoothing": 0.1}, {}, cards.load("datasets", "boston_housing"))
    assert resolve({"label_smoothing": 0.1}, {}, cards.load("datasets", "iris")).label_smoothing == 0.1
