"""Gradient noise scale: estimates match NumPy, samples depend on the seed, and the model is unchanged."""

import keras
import numpy as np
import pytest
from problems import assert_same, classes, compile_model, line, linear, noisy_mlp, sparse, variable_values

from batchsel import Trainer
from batchsel.data.sources import as_source
from batchsel.errors import UsageError, UserError
from batchsel.training.diagnostics.noise_scale import NoiseScale, noise_scale


def compute_gradients(model, x, y):
    """Gradients of the squared error of each sample in NumPy, ``float64[n, features + 1]``."""
    kernel, bias = (np.asarray(weight, np.float64) for weight in model.get_weights())
    residual = x.astype(np.float64) @ kernel[:, 0] + bias[0] - y
    return 2 * residual[:, None] * np.hstack([x, np.ones([len(x), 1])])


@pytest.fixture(scope="module")
def regression():
    x, y = line(2000)
    model = linear()
    return model, x, y, NoiseScale(model)


def test_estimates_are_inner_products_and_variance_of_batches(regression):
    model, x, y, measure = regression
    batches = []

    def take(rows):
        batches.append(rows)
        return x[rows], y[rows]

    found = measure(take, len(x), batch=8, many=10, seed=3)
    each = np.array([compute_gradients(model, x[rows], y[rows]).mean(axis=0) for rows in batches])
    products = each @ each.T
    assert np.unique(batches).size == 80
    assert found["gradient"] == pytest.approx((products.sum() - products.trace()) / 90, rel=1e-4)
    assert found["trace"] == pytest.approx(8 * each.var(axis=0, ddof=1).sum(), rel=1e-4)
    assert found["scale"] == pytest.approx(found["trace"] / found["gradient"])
    assert (found["batch"], found["many"]) == (8, 10)


def test_the_average_estimate_matches_all_samples(regression):
    model, x, y, measure = regression
    stages = [measure(lambda rows: (x[rows], y[rows]), len(x), batch=8, many=16, stage=stage) for stage in range(40)]
    each = compute_gradients(model, x, y)
    trace = each.var(axis=0, ddof=1).sum()
    known = {"trace": trace, "gradient": (each.mean(axis=0) ** 2).sum() - trace / len(x)}
    for name, expected in known.items():
        values = [stage[name] for stage in stages]
        assert np.ptp(values) > 0
        assert abs(np.mean(values) - expected) < 4 * np.std(values) / np.sqrt(len(values))
        assert np.std(values) / np.sqrt(len(values)) < 0.1 * expected


def test_samples_depend_on_seed_and_stage_and_one_trace_suffices(regression):
    _, x, y, measure = regression

    def trace(**key):
        return measure(lambda rows: (x[rows], y[rows]), len(x), batch=8, many=10, **key)["trace"]

    values = [trace(seed=seed, stage=stage) for seed, stage in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert values[0] == values[3]
    assert len(set(values)) == 3
    assert measure._add.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(("n", "batch", "many"), [(90, 16, 5), (31, 15, 2), (2, 1, 2)])
def test_few_samples_are_measured_in_fewer_or_smaller_batches(n, batch, many):
    x, y = line(n)
    found = noise_scale(linear(), x, y)
    assert (found["batch"], found["many"]) == (batch, many)


def test_a_gradient_hidden_by_noise_has_no_scale():
    x = np.ones([2, 1], np.float32)
    model = linear(features=1)
    model.set_weights([np.zeros([1, 1]), np.zeros([1])])
    found = noise_scale(model, x, np.array([-1, 1], np.float32))
    assert found["scale"] is None
    assert found["gradient"] == pytest.approx(-8)
    assert found["trace"] == pytest.approx(16)


class AlwaysNoisy(keras.layers.Layer):
    """Adds noise in inference mode too."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(3)

    def call(self, x):
        return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.generator)


def test_trainer_and_source_agree_and_the_model_is_unchanged():
    x, y = classes(60)
    layers = [AlwaysNoisy(), keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    model = compile_model(keras.Sequential([keras.Input((4,)), *layers]))
    model(x, training=True)  # moves moments and generator, which are then not those of a new model
    before = variable_values(model)
    expected = noise_scale(model, x, y, batch=4, seed=2)
    assert noise_scale(Trainer(model, batch_size=8), as_source((x, y)), batch=4, seed=2) == expected
    assert_same(variable_values(model), before)


def test_dropout_is_off():
    x, y = classes(60)
    model = noisy_mlp(batch_norm=False)
    without_dropout = keras.Sequential([layer for layer in model.layers if not isinstance(layer, keras.layers.Dropout)])
    without_dropout.build((None, 4))
    without_dropout.compile("sgd", sparse())
    assert noise_scale(model, x, y) == pytest.approx(noise_scale(without_dropout, x, y), rel=1e-5)


def test_embeddings_and_regularizers_are_part_of_the_gradient():
    def build(strength):
        embedding = keras.layers.Embedding(9, 2, embeddings_regularizer=keras.regularizers.L2(strength))
        return compile_model(keras.Sequential([keras.Input((5,), dtype="int32"), embedding, keras.layers.Flatten(),
                                          keras.layers.Dense(2)]))  # fmt: skip

    x, y = np.arange(100).reshape(20, 5) % 9, np.arange(20) % 2
    plain, strong = (noise_scale(build(strength), x, y, batch=2) for strength in (0.0, 10.0))
    assert strong["gradient"] > plain["gradient"] + 100
    assert strong["trace"] == pytest.approx(plain["trace"], rel=1e-2)


def test_data_and_models_that_cannot_be_measured_are_rejected():
    x, y = line(20)
    with pytest.raises(UserError, match="needs at least two samples, got 1"):
        noise_scale(linear(), x[:1], y[:1])
    with pytest.raises(UsageError, match="batch must be a whole number of at least 1, got 0"):
        noise_scale(linear(), x, y, batch=0)
    with pytest.raises(UsageError, match="many must be a whole number of at least 2, got 1"):
        noise_scale(linear(), x, y, many=1)
    frozen = linear()
    frozen.trainable = False
    with pytest.raises(UserError, match="no trainable weights"):
        noise_scale(frozen, x, y)
