"""Shortcuts take their stride before the 1x1 convolution: the same numbers and weights, without a crash."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from batchsel import models
from batchsel.models import resnet, wide_resnet
from batchsel.models.striding import take_strided

numpy_warning = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
TEXTS = ["resnet18(width=4)", "resnet50(width=2)", "wide_resnet(depth=10, widen=1)"]


def old_shortcut(x, filters, stride, name):
    if stride == 1 and x.shape[-1] == filters:
        return x
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(resnet._conv(filters, 1, stride)(x))


def old_block(x, filters, stride, dropout, name):
    active = wide_resnet._normalize_and_activate(x)
    hidden = wide_resnet._normalize_and_activate(wide_resnet._conv(filters, stride=stride)(active))
    hidden = wide_resnet._conv(filters)(hidden)
    same = stride == 1 and x.shape[-1] == filters
    return layers.Add()([hidden, x if same else wide_resnet._conv(filters, size=1, stride=stride)(active)])


def build_both(text, side, monkeypatch):
    """Return a network, and the same one with the stride in its 1x1 convolutions as before, of the same weights."""
    built = []
    for old in (False, True):
        with monkeypatch.context() as patched:
            if old:
                patched.setattr(resnet, "_shortcut", old_shortcut)
                patched.setattr(wide_resnet, "_block", old_block)
            keras.backend.clear_session()
            keras.utils.set_random_seed(0)
            built.append(models.build(text, (side, side, 3), 5))
    return built


def results(model, x, y):
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, outputs, from_logits=True))
    return [outputs, *tape.gradient(loss, model.trainable_variables)]


@pytest.mark.parametrize("side", [32, 27])
@pytest.mark.parametrize("text", TEXTS)
def test_outputs_gradients_and_weights_are_as_before(text, side, monkeypatch):
    new, old = build_both(text, side, monkeypatch)
    assert [variable.name for variable in new.variables] == [variable.name for variable in old.variables]
    for one, other in zip(new.get_weights(), old.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, [4, side, side, 3]).astype("float32"), rng.integers(0, 5, 4)
    for one, other in zip(results(new, x, y), results(old, x, y), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * float(tf.reduce_max(tf.abs(other))))


@pytest.mark.parametrize("side", [5, 8])
def test_a_strided_convolution_of_one_pixel_is_one_of_the_strided_image(side):
    x, kernel = tf.random.normal([2, side, side, 3]), tf.random.normal([1, 1, 3, 4])
    expected = tf.nn.conv2d(x, kernel, 2, "SAME")
    np.testing.assert_allclose(tf.nn.conv2d(take_strided(x, 2), kernel, 1, "SAME"), expected, rtol=1e-5, atol=1e-6)


@numpy_warning
def test_saved_models_load(tmp_path):
    model = models.build("resnet18(width=2)", (16, 16, 3), 5)
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).integers(0, 256, [2, 16, 16, 3]).astype("float32")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))


@numpy_warning
def test_weights_of_the_old_form_load(tmp_path, monkeypatch):
    new, old = build_both("resnet18(width=2)", 16, monkeypatch)
    old.set_weights([weight + 1 for weight in old.get_weights()])
    old.save_weights(tmp_path / "old.weights.h5")
    new.load_weights(tmp_path / "old.weights.h5")
    for one, other in zip(new.get_weights(), old.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


STEP = """
from batchsel import models
import numpy as np
model = models.build("resnet18(width=8)", (64, 64, 3), 10)
model.compile("sgd", "mse")
model.train_on_batch(np.zeros([32, 64, 64, 3], "float32"), np.zeros([32, 10], "float32"))
"""


def test_a_step_on_images_of_64_pixels_does_not_end_the_process():
    done = subprocess.run([sys.executable, "-c", STEP], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
