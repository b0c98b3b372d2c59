"""Augmentation inside the traced step: inputs, plain samples elsewhere, mixed losses, modes, seeds, resuming."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from counting_source import CountingSource
from problems import assert_same, classes, compile_model, mlp, sparse, two_outputs, variable_values

import batchsel
from batchsel import Trainer, UserError
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.training.loop.compilation import choose_compilation
from batchsel.transforms.augmentation import resolve

N, B = 50, 8
GENERATOR = np.random.default_rng(1)
Y = np.arange(N) % 3
X = (GENERATOR.integers(0, 100, (N, 6, 5, 3)) + 50 * Y[:, None, None, None]).astype(np.uint8)
FLAT, KINDS = classes(N)
SOME = "crop(2) | erasing | mixup(0.8)"


def perceptron(rate=0.1, **options):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((6, 5, 3)), *layers])
    return compile_model(model, optimizer=keras.optimizers.SGD(rate, momentum=0.9), **options)


def trained(augment, selector="random", data=(X, Y), build=perceptron, epochs=2, options=None, **settings):
    settings = {"batch_size": B, "compile": "graph"} | settings
    trainer = Trainer(build(), selector, augment=augment, **settings)
    history = trainer.fit(*data, epochs=epochs, verbose=0, **(options or {})).history
    return trainer, history


def keras_layers():
    return [keras.layers.RandomFlip("horizontal"), keras.layers.RandomTranslation(0.2, 0.2), "mixup"]


def test_training_without_augmentation_is_unchanged():
    plain, history = trained(None)
    for nothing in ("", [], lambda x: x):
        other, same = trained(nothing)
        assert same == history
        assert_same(variable_values(other.model), variable_values(plain.model))
    np.testing.assert_array_equal(other.losses, plain.losses)


def test_the_step_sees_what_the_function_returns():
    seen, _ = trained([lambda x: 255 - x])
    turned, _ = trained(None, data=(255 - X, Y))
    assert_same(variable_values(seen.model), variable_values(turned.model))


def test_graph_and_xla_train_alike():
    (graph, first), (xla, second) = (
        trained("flip | rand_augment(1) | cutmix", compile=mode) for mode in ("graph", "xla")
    )
    assert xla.xla
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-4)
    np.testing.assert_allclose(graph.losses, xla.losses, rtol=1e-3, atol=1e-5)
    assert np.ptp(first["loss"]) > 0


def test_augmentation_around_a_graph_is_compiled_separately(monkeypatch):
    def convolution():
        layers = [
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(2, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
        return compile_model(keras.Sequential([keras.Input((6, 5, 3)), *layers]))

    plain, _ = trained(SOME, build=convolution)
    monkeypatch.setattr("batchsel.training.loop.compilation._MANY", N)
    auto, _ = trained(SOME, build=convolution, compile="auto")
    assert not auto.xla
    assert choose_compilation("auto", auto.model, auto.selector, N, False, auto.augmentation).augmenting
    assert_same(variable_values(auto.model), variable_values(plain.model))
    for other in (None, resolve(lambda x: x)):
        assert not choose_compilation("auto", auto.model, auto.selector, N, False, other).augmenting


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_streamed_data_are_augmented_alike(compile):
    resident, first = trained(SOME, compile=compile)
    streamed, second = trained(
        SOME, data=(CountingSource(X, Y),), compile=compile, options={"buffer_bytes": 6 * B * 98}
    )
    np.testing.assert_allclose(second["loss"], first["loss"], rtol=1e-5)
    np.testing.assert_allclose(streamed.losses, resident.losses, rtol=1e-4, atol=1e-6)


def test_evaluation_sees_plain_samples():
    trainer, _ = trained([lambda x: 0 * x], options={"validation_data": (X, Y)})
    expected = trainer.model.evaluate(X, Y, verbose=0, return_dict=True)
    assert trainer.evaluate(X, Y)["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert trainer.evaluations[-1]["loss"] == pytest.approx(expected["loss"], rel=1e-5)


@pytest.mark.parametrize("selector", ["candidates(pool=2)", "k_centre(pool=2, on='inputs')"])
def test_pools_are_scored_as_plain_samples(selector):
    (plain, _), (black, _) = (
        trained(augment, selector, build=lambda: perceptron(rate=1e-12)) for augment in (None, [lambda x: 0 * x])
    )
    np.testing.assert_array_equal(plain.visits, black.visits)
    assert (plain.losses != black.losses)[plain.visits > 0].all()


def mixture_of(text, x, step=0, seed=0, valid=None):
    valid = tf.ones([len(x)], tf.bool) if valid is None else tf.constant(valid)
    rng = Rng(tf.constant(seed), tf.constant(step, tf.int64))
    return tf.nest.map_structure(
        lambda leaf: leaf.numpy(), resolve(text)(tf.constant(x), valid, rng, Timestamp.from_progress(0.0))
    )


def cross_entropy(model, x, y, smoothing=0.0):
    shares = np.log(np.asarray(tf.nn.softmax(model(x, training=True))))
    truth = np.eye(3)[y] * (1 - smoothing) + smoothing / 3
    return -(truth * shares).sum(axis=1)


@pytest.mark.parametrize("text", ["mixup(1.0)", "cutmix", "crop(1) | flip | mixup(1.0)"])
def test_the_loss_of_a_mixed_sample_is_the_mean_in_its_shares(text):
    weight = np.linspace(0.2, 3, B).astype("float32")
    x, y = X[:B], Y[:B]
    model = perceptron()
    mixed, mixture = mixture_of(text, x)
    own, other = (cross_entropy(model, mixed, labels) for labels in (y, y[mixture.partners]))
    expected = mixture.share * own + (1 - mixture.share) * other
    assert 0.02 < mixture.share < 0.98
    trainer, history = trained(text, "fixed", (x, y), epochs=1, options={"sample_weight": weight})
    np.testing.assert_allclose(trainer.losses, expected, rtol=1e-4)
    # The weight is that of the row itself.
    assert history["loss"][0] == pytest.approx((weight * expected).mean(), rel=1e-4)
    larger = y if mixture.share >= 0.5 else y[mixture.partners]
    right = np.asarray(model(mixed)).argmax(axis=1) == larger
    assert history["accuracy"][0] == pytest.approx(right.mean())


def test_the_gradient_is_that_of_the_mixed_loss():
    x, y = X[:B], Y[:B]
    mixed, mixture = mixture_of("mixup(1.0)", x)
    shares = mixture.share * np.eye(3)[y] + (1 - mixture.share) * np.eye(3)[y[mixture.partners]]
    soft = perceptron(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    expected, _ = trained(None, "fixed", (mixed, shares.astype("float32")), lambda: soft, epochs=1)
    found, _ = trained("mixup(1.0)", "fixed", (x, y), epochs=1)
    for first, second in zip(variable_values(found.model), variable_values(expected.model), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)


def test_rows_of_padding_are_never_partners_of_real_rows():
    n = B + 3
    trainer, history = trained("mixup(1.0)", "fixed", (X[:n], Y[:n]), lambda: perceptron(rate=1e-9), epochs=1)
    filled = np.append(np.arange(B, n), np.zeros(B - 3, int))
    valid = np.arange(B) < 3
    mixed, mixture = mixture_of("mixup(1.0)", X[filled], step=1, valid=valid)
    assert set(mixture.partners[:3]) == {0, 1, 2}
    labels = Y[filled]
    own, other = (cross_entropy(perceptron(), mixed, kinds)[:3] for kinds in (labels, labels[mixture.partners]))
    np.testing.assert_allclose(trainer.losses[B:], mixture.share * own + (1 - mixture.share) * other, rtol=1e-4)
    assert history["loss"][0] == pytest.approx(trainer.losses.mean(), rel=1e-4)


def test_losses_that_are_kept_are_mixed_without_smoothing():
    x, y = X[:B], np.eye(3, dtype="float32")[Y[:B]]

    def smooth():
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
        return perceptron(loss=loss)

    mixed, mixture = mixture_of("cutmix", x)
    trainer, history = trained("cutmix", "fixed", (x, y), smooth, epochs=1)
    pair = [Y[:B], Y[:B][mixture.partners]]
    sharp, smoothed = (
        mixture.share * cross_entropy(smooth(), mixed, pair[0], amount)
        + (1 - mixture.share) * cross_entropy(smooth(), mixed, pair[1], amount)
        for amount in (0.0, 0.3)
    )
    np.testing.assert_allclose(trainer.losses, sharp, rtol=1e-4)
    assert history["loss"][0] == pytest.approx(smoothed.mean(), rel=1e-4)


def test_losses_of_several_outputs_are_mixed_separately():
    x, y = FLAT[:B], {"kind": KINDS[:B], "size": FLAT[:B].sum(1)}
    _, history = trained("mixup(1.0)", "fixed", (x, y), two_outputs, epochs=1)
    assert history["loss"][0] == pytest.approx(history["kind_loss"][0] + 0.5 * history["size_loss"][0], rel=1e-4)
    mixed, mixture = mixture_of("mixup(1.0)", x)
    outputs = two_outputs()(mixed)
    errors = [(np.asarray(outputs["size"])[:, 0] - sizes) ** 2 for sizes in (y["size"], y["size"][mixture.partners])]
    expected = mixture.share * errors[0] + (1 - mixture.share) * errors[1]
    assert history["size_loss"][0] == pytest.approx(expected.mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("augment", "compile"), [(SOME, "xla"), (keras_layers, "graph"), ("flip | jitter | cutmix", "graph")]
)
def test_resuming_at_any_step_is_bit_equal(augment, compile, tmp_path):
    def make(seed=4):
        parts = augment() if callable(augment) else augment
        return Trainer(perceptron(), "random", batch_size=B, compile=compile, augment=parts, seed=seed)

    def save(batch, logs):
        first.save(tmp_path / f"{first.counts['steps']}.npz")

    first = make()
    saves = keras.callbacks.LambdaCallback(on_train_batch_end=save)
    expected = first.fit(X, Y, epochs=2, callbacks=[saves], verbose=0).history
    for step in (3, 9):
        second = make(seed=99)
        second.resume(tmp_path / f"{step}.npz")
        assert second.fit(X, Y, epochs=2, verbose=0).history == expected
        assert_same(variable_values(second.model), variable_values(first.model))
        np.testing.assert_array_equal(second.losses, first.losses)
    other = Trainer(perceptron(), "random", batch_size=B, compile=compile)
    with pytest.raises(UserError, match=r"was made with augment=.*, this trainer has augment=None"):
        other.resume(tmp_path / "3.npz")


@pytest.mark.parametrize("augment", [lambda: SOME, keras_layers])
def test_one_trace_serves_all_seeds_and_seeds_determine_all_draws(augment):
    trainer = Trainer(perceptron(), "random", batch_size=B, compile="graph", augment=augment())
    histories = {}
    for seed in (0, 1, 0, 2):
        trainer.reset(seed)
        history = trainer.fit(X, Y, epochs=2, verbose=0).history
        assert histories.setdefault(seed, history) == history
    assert trainer.loop.trace_count() == 1
    assert len({tuple(history["loss"]) for history in histories.values()}) == 3
    again = Trainer(perceptron(), "random", batch_size=B, compile="graph", augment=augment(), seed=5)
    once = again.fit(X, Y, epochs=2, verbose=0).history
    same, _ = trained(augment(), seed=5)
    assert_same(variable_values(same.model), variable_values(again.model))
    assert once != histories[0]


def test_a_second_call_of_fit_continues_with_new_draws():
    def run(epochs):
        trainer = Trainer(perceptron(), "fixed", batch_size=B, compile="graph", augment=["flip", *keras_layers()])
        return [trainer.fit(X, Y, epochs=each, verbose=0).history["loss"] for each in epochs]

    whole, parts = run([2]), run([1, 1])
    np.testing.assert_allclose(np.concatenate(parts), whole[0], rtol=1e-6)


def test_fit_accepts_augmentations():
    model = perceptron()
    options = {"batch_size": B, "compile": "graph", "augment": ["crop(2)", "flip"], "verbose": 0}
    first = batchsel.fit(model, X, Y, **options).history
    second = batchsel.fit(model, X, Y, **options).history
    expected, _ = trained("crop(2) | flip", epochs=1)
    assert first["loss"] != second["loss"]
    history = expected.fit(X, Y, verbose=0).history
    assert history == second


def test_functions_get_random_numbers_of_their_own():
    def noisy(x, rng):
        return x + 20 * rng.uniform(x.shape, "noise")

    def twice(x, rng):
        return noisy(noisy(x, rng), rng)

    flat = {"data": (FLAT, KINDS), "build": mlp}
    (one, _), (two, _), (same, _) = (trained(parts, **flat) for parts in ([noisy], [noisy, noisy], [twice]))
    assert not np.array_equal(one.losses, two.losses)
    assert not np.array_equal(two.losses, same.losses)


def test_functions_get_inputs_in_their_structure():
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((2,), name="b")}
    joined = keras.layers.Concatenate()([inputs["a"], inputs["b"]])
    data = {"a": FLAT, "b": FLAT[:, :2]}

    def swap(x):
        return {"a": x["a"] * 0, "b": x["b"]}

    trainers = [
        trained(
            augment, data=(x, KINDS), build=lambda: compile_model(keras.Model(inputs, keras.layers.Dense(3)(joined)))
        )[0]
        for augment, x in (([swap], data), (None, {"a": 0 * FLAT, "b": FLAT[:, :2]}))
    ]
    assert_same(variable_values(trainers[0].model), variable_values(trainers[1].model))


def test_auxiliary_models_are_augmented_alike():
    trainer, _ = trained("flip | mixup", "rho_loss(pool=2)", build=lambda: perceptron(metrics=()))
    assert trainer.auxiliary._trainers
    for inner, _ in trainer.auxiliary._trainers.values():
        assert inner.augmentation == trainer.augmentation


@pytest.mark.parametrize(
    ("augment", "words"),
    [
        (["crop(4)"], r"is for images, \[batch, height, width, channels\]; the inputs have the shape \[8, 4\]"),
        ([lambda x: x[:, :2]], r"turns batches of the shape \[8, 4\] into \[8, 2\]. Samples must keep their shape"),
        ([lambda x: x.numpy()], r"the augmentation function\(<lambda>\) cannot be applied to float32\[8, 4\]"),
        ([keras.layers.RandomFlip()], r"RandomFlip\(mode='horizontal_and_vertical'\) cannot be applied to float32"),
    ],
)
def test_unsuitable_augmentations_are_rejected_before_training(augment, words):
    with pytest.raises(UserError, match=words):
        trained(augment, data=(FLAT, KINDS), build=mlp)


def test_sequences_are_changed_before_their_padding_is_cut():
    tokens = (np.arange(12) < np.arange(N)[:, None] % 12 + 1).astype("int32")

    def lstm():
        layers = [keras.layers.Embedding(10, 4, mask_zero=True), keras.layers.LSTM(3), keras.layers.Dense(3)]
        return compile_model(keras.Sequential([keras.Input((12,), dtype="int32"), *layers]), loss=sparse())

    def shorter(x, rng):
        return tf.where(tf.range(12) < 3, x, 0)

    # Batches that are only scored are not changed.
    found = [trained([shorter], "kakurenbo", (tokens, Y), lstm, cut_padding=cutting)[0] for cutting in (True, False)]
    for first, second in zip(*(trainer.model.get_weights() for trainer in found), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
