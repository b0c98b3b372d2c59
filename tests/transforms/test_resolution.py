"""Progressive resizing: sizes over time, pixels, and models that accept all sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import compile_model, sparse
from scipy import ndimage

from batchsel import models
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError
from batchsel.training.inputs.compatibility import check_sizes
from batchsel.transforms.curricula import Blur, Resolution, resolve

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 24, 3), np.uint8)
RNG = Rng(tf.constant(0), tf.constant(0))


def applied(curriculum, progress, x=IMAGES):
    return curriculum(tf.constant(x), RNG, Timestamp.from_progress(progress)).numpy()


def sizes(curriculum, points, height=32, width=32):
    x = np.zeros([1, height, width, 1], np.uint8)
    return [applied(curriculum, progress, x).shape[1:3] for progress in points]


def bilinear(x, height, width):
    """Between the four nearest pixels, counted from their middles."""
    rows = (np.arange(height) + 0.5) * x.shape[1] / height - 0.5
    columns = (np.arange(width) + 0.5) * x.shape[2] / width - 0.5
    places = np.meshgrid(rows, columns, indexing="ij")
    planes = [
        [ndimage.map_coordinates(image[..., c].astype(float), places, order=1, mode="nearest") for c in range(3)]
        for image in x
    ]
    return np.moveaxis(np.array(planes), 1, -1)


def test_sizes_start_small_rise_linearly_and_end_full():
    points = (0.0, 0.3, 0.5, 0.56, 0.65, 0.74, 0.78, 0.8, 1.0)
    assert [h for h, _ in sizes(Resolution(), points)] == [16, 16, 16, 20, 24, 28, 32, 32, 32]
    steps = [h for h, _ in sizes(Resolution(0.25, 0.0, 1.0, multiple=1), np.linspace(0, 1, 49), height=64)]
    np.testing.assert_allclose(steps, np.linspace(16, 64, 49), atol=0.51)
    assert steps == sorted(steps)


@pytest.mark.parametrize("multiple", [1, 4, 7, 100])
@pytest.mark.parametrize(("height", "width"), [(32, 24), (5, 33), (1, 1)])
def test_sides_are_multiples_and_never_above_the_full_size(multiple, height, width):
    for found in sizes(Resolution(0.3, 0.2, 0.8, multiple), np.linspace(0, 1, 9), height, width):
        for side, full in zip(found, (height, width), strict=True):
            assert side == full or (side % multiple == 0 and 0 < side < full)
    assert sizes(Resolution(0.3, 0.2, 0.8, multiple), [0.8], height, width) == [(height, width)]


def test_without_a_ramp_sizes_jump():
    assert [h for h, _ in sizes(Resolution(0.5, 0.5, 0.5), (0.0, 0.499, 0.5, 1.0))] == [16, 16, 32, 32]
    assert [h for h, _ in sizes(Resolution(0.5, 1.0, 1.0), (0.0, 0.99, 1.0))] == [16, 16, 32]
    assert sizes(Resolution(1.0), (0.0, 0.6)) == [(32, 32)] * 2


@pytest.mark.parametrize("method", ["bilinear", "area"])
def test_half_the_size_is_the_mean_of_two_by_two(method):
    found = applied(Resolution(0.5, method=method), 0.0)
    assert found.dtype == np.uint8
    expected = IMAGES.reshape(4, 16, 2, 12, 2, 3).mean(axis=(2, 4))
    np.testing.assert_array_equal(found, np.round(expected))


def test_other_sizes_interpolate_the_nearest_pixels():
    expected = bilinear(IMAGES, 24, 20)
    found = applied(Resolution(), 0.65)
    assert found.shape == (4, 24, 20, 3)
    assert np.abs(found - expected).max() <= 0.501
    for dtype, tolerance in ((np.float32, 1e-3), (np.float16, 0.2)):
        floats = applied(Resolution(), 0.65, IMAGES.astype(dtype))
        assert floats.dtype == dtype
        np.testing.assert_allclose(floats, expected, atol=tolerance)


def test_full_size_images_are_unchanged():
    noise = np.random.default_rng(1).normal(size=(2, 9, 9, 1)).astype(np.float32)
    for progress in (0.8, 1.0):
        np.testing.assert_array_equal(applied(Resolution(), progress), IMAGES)
        np.testing.assert_array_equal(applied(Resolution(), progress, noise), noise)


def test_one_trace_serves_all_sizes_and_equals_eager():
    traces = []

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.float32)])
    def made(progress):
        traces.append(0)
        found = resolve("resolution")(tf.constant(IMAGES), RNG, Timestamp.from_progress(progress))
        assert found.shape.as_list() == [4, None, None, 3]
        return found

    for progress in (0.0, 0.6, 0.7, 0.79, 0.8, 1.0):
        np.testing.assert_array_equal(made(tf.constant(progress)), applied(Resolution(), progress))
    assert len(traces) == 1


def test_the_scale_is_logged():
    curriculum = Resolution(0.25, 0.2, 0.6)
    for progress, scale in ((0.0, 0.25), (0.2, 0.25), (0.4, 0.625), (0.6, 1.0), (1.0, 1.0)):
        shown = curriculum.logged_values(Timestamp.from_progress(progress))
        assert list(shown) == ["picture scale"]
        assert shown["picture scale"].dtype == tf.float32
        assert float(shown["picture scale"]) == pytest.approx(scale, abs=2e-3)


def test_resolution_must_be_last_and_checks_its_inputs():
    assert (Blur() | Resolution()).resizes
    assert not (Blur() | Resolution()).supports_jit
    (Blur() | Resolution()).check(tf.constant(IMAGES[:1]), 5)
    with pytest.raises(UsageError, match="after 'resolution' the size of images is known only when the step"):
        Resolution() | Blur()
    with pytest.raises(UsageError, match="put it last, and only once"):
        Resolution() | Resolution()
    with pytest.raises(UserError, match=r"is for images, \[batch, height, width, channels\]"):
        resolve("resolution").check(tf.zeros([1, 8]), 5)
    with pytest.raises(UserError, match="is for uint8 or floating-point inputs, these are int32"):
        resolve("resolution").check(tf.zeros([1, 8, 8, 1], tf.int32), 5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start": 0}, "resolution: start must be a number in (0, 1], got 0"),
        ({"delay": -0.1}, "resolution: delay must be a number in [0, 1], got -0.1"),
        ({"finish": 1.5}, "resolution: finish must be a number in [0, 1], got 1.5"),
        ({"delay": 0.9}, "resolution: delay must not be above finish, got 0.9 and 0.8"),
        ({"multiple": 0}, "resolution: multiple must be a whole number of at least 1, got 0"),
        ({"method": "nearest"}, "resolution: method must be one of 'bilinear', 'area', got 'nearest'"),
    ],
)
def test_wrong_parameters_are_rejected_with_a_message(settings, words):
    with pytest.raises(UsageError) as caught:
        Resolution(**settings)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "simple_cnn",
        "resnet18(width=4)",
        "wide_resnet(depth=10, widen=1)",
        "convnext_tiny(width=8, depths=[1, 1, 1, 1])",
    ],
)
def test_models_that_end_in_a_mean_accept_all_sizes(text):
    check_sizes(models.build(text, (32, 32, 3), 10), IMAGES)


@pytest.mark.parametrize("text", ["mlp(hidden=[4])", "cnn", "cvt13(width=8, depths=[1, 1, 1])"])
def test_models_of_one_size_are_rejected_with_a_message(text):
    model = models.build(text, (32, 32, 3), 10)
    with pytest.raises(UserError, match="accepts images of one size only, and not of 16 x 16 pixels") as caught:
        check_sizes(model, np.zeros([2, 32, 32, 3], np.uint8))
    assert "GlobalAveragePooling2D in place of Flatten" in str(caught.value)


def test_outputs_that_grow_with_the_image_are_rejected_with_a_message():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Reshape((-1, 2))])
    with pytest.raises(UserError, match=r"the outputs have the shapes \[1, 36, 2\] and \[1, 4, 2\]"):
        check_sizes(model, np.zeros([1, 8, 8, 1], np.float32))
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 4), keras.layers.GlobalMaxPooling2D()])
    check_sizes(model, np.zeros([1, 8, 8, 1], np.float32))
    with pytest.raises(UserError, match="and not of 2 x 2 pixels"):
        check_sizes(model, np.zeros([1, 8, 8, 1], np.float32), np.zeros([1, 2, 2, 1], np.float32))
    with pytest.raises(UserError, match=r"can be resized; the inputs have the shape \[1, 8\]"):
        check_sizes(model, np.zeros([1, 8], np.float32))


def test_a_model_trains_on_the_sizes_in_one_trace():
    layers = [keras.Input((16, 16, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 3, padding="same")]
    model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model = compile_model(model, loss=sparse())
    x, y = tf.constant(IMAGES[:, :16, :16, :1]), tf.constant([0, 1, 0, 1])
    traces = []

    @tf.function(autograph=False)
    def step(progress):
        traces.append(0)
        with tf.GradientTape() as tape:
            logits = model(resolve("resolution")(x, RNG, Timestamp.from_progress(progress)), training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
        return loss, tape.gradient(loss, model.trainable_variables)

    for progress in (0.0, 0.65, 1.0):
        loss, gradients = step(tf.constant(progress))
        assert np.isfinite(loss)
        assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert len(traces) == 1
