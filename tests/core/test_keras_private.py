"""The adapter to private parts of Keras, function by function, and the version of Keras it was checked with."""

import random
import re
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import mlp

from batchsel.core import keras_private

CHECKED_WITH = "3.15.1"
REMEDY = (
    f"batchsel/core/keras_private was checked with Keras {CHECKED_WITH}; this is {keras.__version__}. After an"
    " upgrade of Keras: look up in its source what became of the private names in the docstring of the function, change"
    " that function (nothing else uses private parts of Keras), run tests/core/test_keras_private.py,"
    " tests/training/test_agrees_with_keras.py and tests/optimizers, then set CHECKED_WITH and constraints.txt."
)
X = np.arange(8, dtype=np.float32).reshape(4, 2) / 8
TARGETS = {"first": np.array([0, 1, 0, 1]), "second": X[:, :1]}


class Zero(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.zeros(4)


@contextmanager
def checking(*functions):
    """Turn any failure into advice that names the functions."""
    names = " and ".join(function.__name__ for function in functions)
    try:
        yield
    except Exception as error:
        pytest.fail(f"{names}: {type(error).__name__}: {error}\n{REMEDY}")


@pytest.fixture
def model():
    """Two outputs, listed in another order than that of their names, both with losses and metrics."""
    inputs = keras.Input((2,))
    hidden = keras.layers.Dense(3, activation="relu", name="hidden")(inputs)
    outputs = {name: keras.layers.Dense(size, name=name)(hidden) for name, size in (("second", 1), ("first", 2))}
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.SGD(0.5),
        {"first": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "second": "mse"},
        loss_weights={"first": 1.0, "second": 0.5},
        metrics={"first": ["accuracy"]},
        weighted_metrics={"second": ["mae"]},
    )
    model.fit(X, TARGETS, batch_size=4, verbose=0)
    return model


def test_constraints_pin_the_version_of_keras_that_the_adapter_was_checked_with():
    lines = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
    assert f"keras=={CHECKED_WITH}" in lines, REMEDY


def test_keras_makes_up_seeds_from_the_generator_of_the_thread():
    def seeds(count):
        return [keras.initializers.GlorotUniform().seed for _ in range(count)]

    with checking(keras_private.draw_seeds_from):
        expected = random.Random("a")
        with keras_private.draw_seeds_from(random.Random("a")):
            assert seeds(3) == [expected.randint(1, int(1e9)) for _ in range(3)]
        random.seed("b")  # and afterwards from Python's own again
        expected = random.Random("b")
        assert seeds(2) == [expected.randint(1, int(1e9)) for _ in range(2)]


def test_containers_of_a_compiled_model_are_those_that_keras_uses(model):
    with checking(keras_private.get_compiled_loss, keras_private.get_loss_weights):
        outputs = model(X)
        expected = model.compute_loss(X, TARGETS, outputs)
        np.testing.assert_allclose(keras_private.get_compiled_loss(model)(TARGETS, outputs), expected, rtol=1e-6)
        assert keras_private.get_loss_weights(model) == {"first": 1.0, "second": 0.5}
    with checking(keras_private.get_compiled_metrics, keras_private.get_loss_tracker):
        assert keras_private.get_compiled_metrics(model) in model.metrics
        assert keras_private.get_loss_tracker(model).name == "loss"
        assert keras_private.get_loss_tracker(model) in model.metrics


def test_a_copy_of_the_losses_computes_with_other_losses_and_leaves_the_model_alone(model):
    with checking(keras_private.list_losses, keras_private.copy_compiled_loss):
        container, outputs = keras_private.get_compiled_loss(model), model(X)
        before = float(container(TARGETS, outputs))
        losses = keras_private.list_losses(container)
        assert sorted(loss.name for loss in losses) == ["mse", "sparse_categorical_crossentropy"]
        zeros = [Zero() for _ in losses]
        trackers = [keras.metrics.Mean() for _ in losses]
        copy = keras_private.copy_compiled_loss(container, zeros, trackers)
        assert float(copy(TARGETS, outputs)) == 0
        assert [int(tracker.count) for tracker in trackers] == [4, 4]
        assert float(container(TARGETS, outputs)) == before


def test_paths_of_losses_lead_to_their_outputs(model):
    with checking(keras_private.list_loss_paths):
        container = keras_private.get_compiled_loss(model)
        names = {"sparse_categorical_crossentropy": ("first",), "mse": ("second",)}
        expected = [names[loss.name] for loss in keras_private.list_losses(container)]
        assert keras_private.list_loss_paths(container) == expected


def test_metrics_and_targets_come_in_the_same_order_of_outputs(model):
    with checking(keras_private.list_metrics, keras_private.flatten_outputs):
        container = keras_private.get_compiled_metrics(model)
        metrics = keras_private.list_metrics(container)
        targets = keras_private.flatten_outputs(container, TARGETS)
        by_target = {
            "second" if target is TARGETS["second"] else "first": [[one.name for one in group] for group in pair]
            for target, pair in zip(targets, metrics, strict=True)
        }
        assert by_target == {"first": [["accuracy"], []], "second": [[], ["mae"]]}


def test_a_loss_with_replaced_options_computes_with_them():
    with checking(keras_private.get_loss_options, keras_private.replace_loss_options):
        smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
        options = keras_private.get_loss_options(smoothed)
        assert options["from_logits"] is True
        assert options["label_smoothing"] == 0.2
        plain = keras_private.replace_loss_options(smoothed, label_smoothing=0.0)
        y, logits = np.array([[0.0, 1.0]]), np.array([[1.0, -1.0]])
        assert float(plain(y, logits)) == float(keras.losses.CategoricalCrossentropy(from_logits=True)(y, logits))
        assert float(smoothed(y, logits)) != float(plain(y, logits))
        assert keras_private.get_loss_options(keras.losses.Loss()) == {}


def test_the_mask_of_an_embedding_marks_its_words():
    with checking(keras_private.get_mask):
        embedded = keras.layers.Embedding(3, 2, mask_zero=True)(np.array([[2, 0]]))
        assert np.array(keras_private.get_mask(embedded)).tolist() == [[True, False]]
        assert keras_private.get_mask(tf.zeros([1])) is None


def test_a_mask_is_attached_as_a_layer_attaches_it():
    with checking(keras_private.set_mask, keras_private.get_mask):
        values, mask = tf.ones([2]), tf.constant([True, False])
        assert keras_private.set_mask(values, None) is values
        assert keras_private.get_mask(values) is None
        assert keras_private.get_mask(keras_private.set_mask(values, mask)) is mask
        assert float(keras.losses.MeanSquaredError()(tf.zeros([2, 1]), tf.constant([[3.0], [1.0]]))) == 5.0
        masked = keras_private.set_mask(tf.constant([[3.0], [1.0]]), mask)
        assert float(keras.losses.MeanSquaredError()(tf.zeros([2, 1]), masked)) == 9.0


class LayerThatTrains(keras.Model.__mro__[1], keras.layers.Dense):
    """A layer with Keras's trainer mixed in, as some of Keras's own tests define; its call takes no `training`."""

    def __init__(self, units):
        keras.layers.Dense.__init__(self, units)
        keras.Model.__mro__[1].__init__(self)

    def test_step(self, data):
        return super().test_step(data)


def test_a_layer_that_trains_is_a_trainer_and_says_what_it_overrides(model):
    with checking(keras_private.is_trainer, keras_private.overrides, keras_private.call_model):
        layer = LayerThatTrains(2)
        assert keras_private.is_trainer(model)
        assert keras_private.is_trainer(layer)
        assert not keras_private.is_trainer(keras.layers.Dense(2))
        assert keras_private.overrides(layer, "test_step")
        assert not keras_private.overrides(layer, "train_step")
        assert not keras_private.overrides(model, "test_step")
        assert keras_private.call_model(layer, X, training=True).shape == (4, 2)
        assert set(keras_private.call_model(model, X, training=False)) == {"first", "second"}


def test_metrics_of_keras_are_told_from_those_of_users():
    def per_batch(y_true, y_pred):
        return keras.ops.mean(y_pred)

    class OwnMean(keras.metrics.Mean):
        pass

    with checking(keras_private.sums_rows, keras_private.averages_rows):
        own = [keras.metrics.MeanMetricWrapper(per_batch), OwnMean()]
        assert not any(map(keras_private.sums_rows, own))
        assert keras_private.sums_rows(keras.metrics.AUC())
        assert keras_private.averages_rows(keras.metrics.AUC(), 1)
        assert not keras_private.averages_rows(keras.metrics.AUC(), 2)
        assert keras_private.averages_rows(keras.metrics.CategoricalAccuracy(), 2)


def test_layers_are_listed_at_any_depth():
    with checking(keras_private.list_layers):
        inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="deep")])
        outer = keras.Sequential([keras.Input((2,)), inner])
        assert outer in keras_private.list_layers(outer)
        assert outer not in keras_private.list_layers(outer, include_self=False)
        assert "deep" in [layer.name for layer in keras_private.list_layers(outer, include_self=False)]


def test_nodes_of_a_graph_come_from_inputs_to_outputs(model):
    with checking(keras_private.list_nodes):
        nodes = keras_private.list_nodes(model)
        assert [node.is_input for node in nodes] == [True, False, False, False]
        assert nodes[1].operation.name == "hidden"
        assert nodes[1].input_tensors[0] is model.inputs[0]
        assert {id(tensor) for node in nodes[2:] for tensor in node.outputs} == set(map(id, model.outputs))
        assert keras_private.list_nodes(keras.Sequential([keras.layers.Dense(2)])) is None


def test_the_learning_rate_setting_is_the_variable_or_the_schedule():
    with checking(keras_private.get_learning_rate_setting):
        decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
        assert keras_private.get_learning_rate_setting(keras.optimizers.SGD(decay)) is decay
        assert float(keras_private.get_learning_rate_setting(keras.optimizers.SGD(0.5))) == 0.5


def test_the_key_of_a_variable_is_the_same_within_a_trace():
    with checking(keras_private.get_variable_key):
        optimizer, variable = keras.optimizers.SGD(), keras.Variable([0.0])
        optimizer.build([variable])
        key = keras_private.get_variable_key(optimizer, variable)
        assert key == keras_private.get_variable_key(optimizer, variable.value)
        assert key != keras_private.get_variable_key(optimizer, keras.Variable([0.0]))


def test_moments_are_those_of_the_variable_after_a_step():
    with checking(keras_private.get_adam_moments):
        optimizer, variables = keras.optimizers.Lamb(beta_1=0.5, beta_2=0.75), [keras.Variable(1.0) for _ in range(2)]
        optimizer.apply([tf.constant(1.0), tf.constant(2.0)], variables)
        first, second = keras_private.get_adam_moments(optimizer, variables[1])
        assert (float(first), float(second)) == (1.0, 1.0)


def test_gradients_are_transformed_before_they_are_clipped():
    class Doubled(keras_private.GradientTransform, keras.optimizers.SGD):
        def transform_gradients(self, gradients):
            return [2 * gradient for gradient in gradients]

    with checking(keras_private.GradientTransform):
        variable = keras.Variable(0.0)
        Doubled(1.0, clipnorm=1.5).apply([tf.constant(1.0)], [variable])
        assert float(variable) == -1.5


def test_updates_and_weight_decay_go_by_the_rate_of_each_variable():
    with checking(keras_private.override_learning_rates):
        variables = [keras.Variable(1.0), keras.Variable(1.0)]
        optimizer = keras.optimizers.SGD(0.5, weight_decay=0.5)
        optimizer.build(variables)
        trained = keras_private.get_variable_key(optimizer, variables[0])

        def rate_for(variable, rate):
            return rate if keras_private.get_variable_key(optimizer, variable) == trained else 0.0 * rate

        with keras_private.override_learning_rates(optimizer, rate_for):
            optimizer.apply([tf.constant(1.0), tf.constant(1.0)])
        assert [float(variable) for variable in variables] == [1 - 0.5 * 0.5 - 0.5, 1.0]
        assert not {"update_step", "_apply_weight_decay", "_get_current_learning_rate"} & set(vars(optimizer))


@pytest.mark.parametrize(("optimizer", "name"), [(keras.optimizers.SGD, "momentum"), (keras.optimizers.Adam, "beta_1")])
def test_a_tensor_stands_for_the_momentum_and_the_number_comes_back(optimizer, name):
    with checking(keras_private.override_momentum):
        plain, steered = optimizer(0.5, **{name: 0.25}), optimizer(0.5, **{name: 0.75})
        variables = [keras.Variable(1.0), keras.Variable(1.0)]
        for _ in range(2):
            plain.apply([tf.constant(1.0)], variables[:1])
            with keras_private.override_momentum(steered, name, tf.constant(0.25)):
                steered.apply([tf.constant(1.0)], variables[1:])
        assert float(variables[0]) == pytest.approx(float(variables[1]), rel=1e-6)
        assert getattr(steered, name) == 0.75


def test_gradients_that_are_summed_already_are_applied_as_they_are():
    with checking(keras_private.keep_gradients):
        optimizer, variable = keras.optimizers.SGD(1.0), keras.Variable(1.0)
        doubled = [(tf.constant(2.0), variable)]
        with keras_private.keep_gradients(optimizer):
            assert optimizer._all_reduce_sum_gradients(doubled) is doubled
            optimizer.apply([tf.constant(0.25)], [variable])
        assert float(variable) == 0.75
        assert "_all_reduce_sum_gradients" not in vars(optimizer)


@pytest.mark.parametrize(
    "options",
    [
        {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2, "clipnorm": 0.5},
        {"gradient_accumulation_steps": 2},
    ],
)
def test_an_optimizer_updates_all_replicas_from_outside_of_them(options):
    def make():
        return keras.optimizers.AdamW(0.1, weight_decay=0.1, **options), keras.Variable([1.0, -2.0])

    with checking(keras_private.update_replicas):
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        with strategy.scope():
            optimizer, variable = make()
            optimizer.build([variable])

        @tf.function
        def update(gradient):
            with keras_private.update_replicas(optimizer, strategy), keras_private.keep_gradients(optimizer):
                optimizer.apply([gradient], [variable])

        plain, expected = make()
        for step in range(5):
            gradient = tf.constant([1.0, 0.5]) * step
            with strategy.scope():
                update(gradient)
            plain.apply([gradient], [expected])
            np.testing.assert_allclose(variable.numpy(), expected.numpy(), rtol=1e-6)
        for own, other in zip(optimizer.variables, plain.variables, strict=True):
            np.testing.assert_allclose(own.numpy(), other.numpy(), rtol=1e-6)
        assert not {"_backend_update_step", "_apply_weight_decay"} & set(vars(optimizer))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", None])
def test_a_model_computes_in_another_precision_for_a_while(dtype):
    with checking(keras_private.compute_in):
        model, x = mlp(), np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
        weights = [weight.dtype for weight in model.weights]
        with keras_private.compute_in(model, dtype):
            assert keras.backend.standardize_dtype(model(x).dtype) == (dtype or "float32")
        assert keras.backend.standardize_dtype(model(x).dtype) == "float32"
        assert [weight.dtype for weight in model.weights] == weights


def test_the_first_epoch_of_a_backup_is_taken_once(tmp_path):
    model = mlp()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    backup.set_model(model)
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "training_metadata.json").write_text('{"epoch": 3, "batch": 0}')
    assert keras_private.take_initial_epoch(model) == 0
    backup.on_train_begin()
    assert [keras_private.take_initial_epoch(model) for _ in range(2)] == [3, 0]


@pytest.mark.parametrize(("profile_batch", "expected"), [(0, False), (2, True), ((2, 3), True)])
def test_tensorboard_says_whether_it_profiles_batches(tmp_path, profile_batch, expected):
    with checking(keras_private.profiles_batches):
        board = keras.callbacks.TensorBoard(tmp_path, profile_batch=profile_batch)
        assert keras_private.profiles_batches(board) is expected


def test_every_function_of_the_adapter_is_exercised_above():
    assert set(keras_private.__all__) <= set(re.findall(r"keras_private\.(\w+)", Path(__file__).read_text())), REMEDY
