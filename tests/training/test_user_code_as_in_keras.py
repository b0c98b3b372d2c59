"""Code of the user in losses, layers, metrics and data, which may count, draw, and look at a batch as a whole."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from parity import assert_agrees, assert_equal

import batchsel
from batchsel import Trainer
from batchsel.errors import UserError

N = 22
X = np.random.default_rng(0).normal(size=(N, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(N, 1)).astype("float32")


def compiled(*inner, loss="mse", optimizer="sgd", head=1, **options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh"), *inner, layers.Dense(head)])
    model.compile(optimizer, loss, **options)
    return model


def fit(model, by_keras, x=X, y=Y, **options):
    options = {"epochs": 2, "verbose": 0} | options
    if by_keras:
        history = model.fit(x, y, shuffle=False, **options)
    else:
        history = batchsel.fit(model, x, y, selector="fixed", compile="graph", **options)
    return history.history, model.get_weights()


def root_mean(y, y_pred):
    return ops.sqrt(ops.mean((y - y_pred) ** 2))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, number):
        rows = slice(5 * number, 5 * number + 5)
        return X[rows], Y[rows]


@pytest.mark.parametrize("form", ["tf.data", "PyDataset", "generator"])
def test_validation_batches_are_evaluated_as_they_come(form):
    sizes = []

    def train(by_keras):
        data = {
            "tf.data": tf.data.Dataset.from_tensor_slices((X, Y)).batch(5),
            "PyDataset": Batches(),
            "generator": ((X[i : i + 5], Y[i : i + 5]) for i in range(0, N, 5)),
        }[form]
        if form == "generator" and by_keras:
            data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(5)  # Keras would read it in the first epoch only
        hook = keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: sizes.append((by_keras, batch)))
        return fit(
            compiled(metrics=[root_mean]), by_keras, batch_size=8, validation_data=data, callbacks=[TestHook(hook)]
        )

    class TestHook(keras.callbacks.Callback):
        def __init__(self, inner):
            super().__init__()

        def on_test_batch_end(self, batch, logs=None):
            sizes.append(batch)

    assert_agrees(train)
    assert sizes == 4 * [0, 1, 2, 3, 4]


class Centered(layers.Layer):
    def call(self, inputs):
        return inputs - ops.mean(inputs, axis=0, keepdims=True)


class Noisy(layers.Dropout):
    def call(self, inputs, training=True):
        return super().call(inputs, training=True)


class Counting(layers.Layer):
    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        return inputs * (1.0 + 0.01 * self.calls)


LAYERS = {
    "looks at the batch": Centered,
    "draws when evaluated": lambda: Noisy(0.5, seed=3),
    "counts its calls": Counting,
    "a function": lambda: layers.Lambda(lambda inputs: inputs - ops.mean(inputs, axis=0, keepdims=True)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_that_see_a_batch_as_a_whole_evaluate_in_batches_of_keras(kind):
    rows = slice(0, 16)  # Keras takes a short batch as it comes; this is about full ones
    assert_agrees(
        lambda by_keras: fit(
            compiled(LAYERS[kind]()), by_keras, X[rows], Y[rows], batch_size=8, validation_data=(X[rows], Y[rows])
        )
    )


def counting_loss(calls):
    def loss(y, y_pred):
        calls.assign_add(1.0)
        return (1.0 + 0.1 * calls) * ops.mean((y - y_pred) ** 2, -1)

    return loss


class AnnealedLoss(keras.losses.Loss):
    def __init__(self):
        super().__init__()
        self.calls = keras.Variable(0.0, trainable=False)

    def call(self, y, y_pred):
        self.calls.assign_add(1.0)
        return (1.0 + 0.1 * self.calls) * ops.mean((y - y_pred) ** 2, -1)


class Hidden(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = {"calls": tf.Variable(0.0)}  # TensorFlow's: Keras does not track it

    def call(self, inputs):
        self.inner["calls"].assign_add(1.0)
        return inputs * (1.0 + 0.1 * self.inner["calls"])


@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize("place", ["closure", "attribute of a loss", "attribute of a layer"])
def test_state_that_keras_does_not_track_is_that_of_the_steps_alone(place, calls):
    counts = []

    def train(by_keras):
        if place == "closure":
            counter = tf.Variable(0.0)
            model = compiled(loss=counting_loss(counter))
        elif place == "attribute of a loss":
            loss = AnnealedLoss()
            model, counter = compiled(loss=loss), loss.calls
        else:
            layer = Hidden()
            model, counter = compiled(layer), layer.inner["calls"]
            model(X[:1])
            counter.assign(0.0)
        for _ in range(calls):
            found = fit(model, by_keras, batch_size=8)
        counts.append(float(np.asarray(counter)))
        return found

    assert_agrees(train)
    assert counts[0] == counts[1] == 6 * calls


def test_a_checkpoint_holds_that_state(tmp_path):
    first, second = (tf.Variable(0.0) for _ in range(2))
    trainer = Trainer(compiled(loss=counting_loss(first)), "fixed", batch_size=8, compile="graph")
    trainer.fit(X, Y, epochs=1, verbose=0)
    trainer.save(tmp_path / "run.npz")
    resumed = Trainer(compiled(loss=counting_loss(second)), "fixed", batch_size=8, compile="graph")
    resumed.resume(tmp_path / "run.npz")
    resumed.fit(X, Y, epochs=1, verbose=0)  # the call that was saved, of which nothing is left
    assert float(second) == 3
    histories = [one.fit(X, Y, epochs=1, verbose=0).history for one in (trainer, resumed)]
    assert histories[0] == histories[1]
    assert float(first) == float(second) == 6


@pytest.mark.parametrize("width", [8, 3])
def test_a_mean_over_the_samples_is_one_number_for_a_batch(width):
    y = np.random.default_rng(1).normal(size=(24, width)).astype("float32")
    x = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")

    def loss(y, y_pred):
        return ops.mean((y - y_pred) ** 2, axis=0)

    with pytest.raises(UserError, match=f"returns {width} values for [89] samples"):
        Trainer(compiled(loss=loss, head=width), "loss_ema", batch_size=8, compile="graph").fit(x, y, verbose=0)
    assert_agrees(lambda by_keras: fit(compiled(loss=loss, head=width), by_keras, x, y, batch_size=8))


def test_a_learning_rate_that_is_a_function_is_that_of_keras():
    rates = iter(np.linspace(0.1, 0.01, 100))
    assert_agrees(lambda by_keras: fit(compiled(optimizer=keras.optimizers.SGD(lambda: 0.03)), by_keras, batch_size=8))
    with pytest.raises(UserError, match="a learning-rate schedule of its own"):
        Trainer(compiled(optimizer=keras.optimizers.SGD(lambda: next(rates))), schedule="linear")


def test_a_batch_of_billions_holds_the_samples_there_are():
    assert_agrees(lambda by_keras: fit(compiled(), by_keras, batch_size=2**33))


def test_an_output_without_weights_counts_each_sample_once():
    def train(by_keras):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((4,))
        model = keras.Model(inputs, [layers.Dense(1, name="a")(inputs), layers.Dense(1, name="b")(inputs)])
        model.compile("sgd", ["mse", "mae"])
        weights = [np.linspace(0, 2, N).astype("float32"), None]
        return fit(model, by_keras, X, [Y, Y], batch_size=8, sample_weight=weights)

    assert_agrees(train)


def test_a_class_that_no_sample_has_may_have_a_weight():
    labels = (Y[:, 0] > 0).astype("int32")

    def train(by_keras):
        model = compiled(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), head=3)
        return fit(model, by_keras, X, labels, batch_size=8, class_weight={0: 1.0, 1: 2.0, 2: 5.0})

    assert_agrees(train)


class SharedIterator:
    """Batches that can be read once, whatever asks for them."""

    def __init__(self):
        self.iterator = ((X[i : i + 8], Y[i : i + 8]) for i in range(0, N, 8))

    def __iter__(self):
        return self.iterator


def test_batches_that_can_be_read_once_are_all_trained_on():
    expected = fit(compiled(), True, batch_size=8, epochs=1)
    found = fit(compiled(), False, SharedIterator(), None, epochs=1)
    assert_equal(found, expected)


def test_shuffled_batches_have_the_order_of_the_first_pass():
    def train(by_keras):
        data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(N, seed=3).batch(8)
        return fit(compiled(), by_keras, data, None, epochs=1)

    tf.random.set_seed(0)
    found = train(by_keras=False)
    tf.random.set_seed(0)
    assert_equal(found, train(by_keras=True))


def two_inputs():
    first, second = keras.Input((4,), name="u"), keras.Input((2,), name="v")
    model = keras.Model({"u": first, "v": second}, layers.Dense(1)(layers.Concatenate()([first, second])))
    model.compile("sgd", "mse")
    return model


REFUSED = {
    "another width": (compiled, X[:, :3], Y, {}, "the model cannot be called on x: "),
    "no columns": (compiled, X[:, :0], Y, {}, "the model cannot be called on x: "),
    "another rank": (compiled, X[:, None, None], Y, {}, "the model cannot be called on x: "),
    "an input is missing": (two_inputs, {"u": X}, Y, {}, 'Missing data for input "v"'),
    "inputs are swapped": (two_inputs, {"u": X[:, :2], "v": X}, Y, {}, "the model cannot be called on x: "),
    "validation of another width": (compiled, X, Y, {"validation_data": (X[:, :3], Y)}, "validation_data"),
    "a number": (compiled, 5, Y, {}, "x must be an array"),
    "a text": (compiled, "hello", Y, {}, "x must be an array"),
    "no axis": (compiled, np.array(1.0), Y, {}, "x must be an array"),
    "an input layer": (compiled, keras.Input((4,)), Y, {}, "x must be an array"),
    "texts as targets": (compiled, X, tf.constant(["a"] * N), {}, "Cast string to float is not supported"),
    "numbers beyond 64 bits": (compiled, X, [10**30] * N, {}, "more than 64 bits"),
    "validation without samples": (compiled, X, Y, {"validation_data": (X[:0], Y[:0])}, "validation_data: x is empty"),
    "an unknown metric": (lambda: compiled(metrics=["nonsense"]), X, Y, {}, "Could not interpret metric identifier"),
    "a rate that is set twice": (
        lambda: compiled(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9))),
        X, Y, {"callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)]},
        "the schedule of the optimizer and LearningRateScheduler would both set the learning rate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_keras_cannot_use_is_one_sentence_before_training(case):
    build, x, y, options, said = REFUSED[case]
    model = build()
    before = model.get_weights()
    with pytest.raises(UserError, match=said) as caught:
        batchsel.fit(model, x, y, batch_size=8, compile="graph", verbose=0, **options)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    for own, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, other)


def test_an_optimizer_of_another_model_is_refused_in_one_sentence():
    optimizer = keras.optimizers.SGD(0.1)
    batchsel.fit(compiled(optimizer=optimizer), X, Y, batch_size=8, compile="graph", verbose=0)
    with pytest.raises(UserError, match="the model cannot be trained: Unknown variable"):
        batchsel.fit(compiled(optimizer=optimizer), X, Y, batch_size=8, compile="graph", verbose=0)


def test_numbers_of_more_bits_than_tensorflow_knows_are_rounded():
    found = fit(compiled(), False, X.astype(np.longdouble), Y, batch_size=8)
    assert_equal(found, fit(compiled(), True, batch_size=8))


def test_weights_that_metrics_cannot_use_are_one_sentence():
    ids = np.random.default_rng(0).integers(0, 5, (N, 5))
    model = keras.Sequential([keras.Input((5,)), layers.Embedding(5, 3, mask_zero=True), layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    with pytest.raises(UserError, match="the metrics cannot be computed from these targets, outputs and weights"):
        batchsel.fit(model, ids, ids % 2, sample_weight=np.ones(N), batch_size=8, compile="graph", verbose=0)


@pytest.mark.parametrize("form", ["array", "dictionary", "validation"])
def test_numbers_without_a_row_in_an_embedding_are_told_before_training(form):
    inputs = keras.Input((5,), name="words")
    embedded = layers.GlobalAveragePooling1D()(layers.Embedding(50, 3)(inputs))
    model = keras.Model({"words": inputs} if form == "dictionary" else inputs, layers.Dense(1)(embedded))
    model.compile("sgd", "mse")
    ids = np.random.default_rng(0).integers(0, 50, (400, 5))
    y = np.zeros(400)
    wrong = ids.copy()
    wrong[390, 2] = 50
    x = {"array": wrong, "dictionary": {"words": wrong}, "validation": ids}[form]
    right = {"words": ids} if form == "dictionary" else ids
    options = {"validation_data": (wrong, y)} if form == "validation" else {}
    before = model.get_weights()
    with pytest.raises(UserError, match="x has 1 numbers outside 0 ... 49, the rows of the Embedding: 50 at 390"):
        batchsel.fit(model, x, y, batch_size=8, compile="graph", verbose=0, **options)
    for own, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, other)
    fitted = batchsel.fit(model, right, y, batch_size=8, compile="graph", verbose=0)
    assert len(fitted.history["loss"]) == 1
