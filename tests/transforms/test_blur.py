"""Blur against SciPy in every type, form and mode; its frequency, strength and end."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError
from batchsel.transforms.curricula import Blur, Curricula
from batchsel.transforms.curricula.gaussian import UNITS, blur, fold, quantize, weights
from batchsel.transforms.phase import PARTS

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 11, 9, 3), np.uint8)
MODES = {"eager": None, "graph": False, "xla": True}
FORMS = ["fixed", "chance", "sigma"]


def reference(x, sigma, radius):
    """The blur of SciPy over height and width, in float64."""
    return ndimage.gaussian_filter(x.astype(float), (0, sigma, sigma, 0), mode="reflect", radius=(0, radius, radius, 0))


@functools.cache
def compiled(blur, jit, shape=IMAGES.shape, dtype=tf.uint8):
    """The blur as a function of (x, seed, step, progress), eager if `jit` is None."""

    def function(x, seed, step, progress):
        return blur(x, Rng(seed, step, "test/"), Timestamp(progress, 10 * progress))

    if jit is None:
        return function
    scalar = tf.TensorSpec([], tf.int32)
    kinds = [tf.TensorSpec(shape, dtype), scalar, scalar, tf.TensorSpec([], tf.float32)]
    return tf.function(function, input_signature=kinds, autograph=False, jit_compile=jit)


def applied(blur, x=IMAGES, seed=3, step=5, progress=0.0, jit=False):
    x = tf.constant(x)
    found = compiled(blur, jit, tuple(x.shape), x.dtype)(
        x, tf.constant(seed), tf.constant(step), tf.constant(progress, tf.float32)
    )
    return found.numpy()


@pytest.mark.parametrize(("height", "width", "channels"), [(32, 32, 3), (28, 17, 1), (5, 2, 3), (1, 1, 1), (1, 40, 2)])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 16.0])
def test_blur_equals_that_of_scipy(sigma, height, width, channels):
    x = np.random.default_rng(1).integers(0, 256, (3, height, width, channels), np.uint8)
    radius = int(np.ceil(3 * sigma))
    expected = reference(x, sigma, radius)
    levels = Blur(sigma)(tf.constant(x), Rng(0, 0), Timestamp.from_progress(0.0)).numpy()
    assert levels.dtype == np.uint8
    assert np.abs(levels - np.round(expected)).max() <= 1
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5), (np.float16, 2e-3)):
        found = Blur(sigma)(tf.constant((x / 256).astype(dtype)), Rng(0, 0), Timestamp.from_progress(0.0)).numpy()
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected / 256, atol=tolerance)


def test_8_bit_images_are_off_by_a_level_seldom():
    x = np.random.default_rng(1).integers(0, 256, (20, 32, 32, 3), np.uint8)
    for sigma, most in ((1.0, 0.03), (3.0, 0.03), (10.0, 0.03)):
        radius = int(np.ceil(3 * sigma))
        found = blur(tf.constant(x), [sigma], tf.constant(0), radius).numpy()
        off = found - np.round(reference(x, sigma, radius))
        assert np.mean(off != 0) < most
        assert abs(off.mean()) < 0.01


@pytest.mark.parametrize("size", [3, 5, 21])
def test_the_kernel_has_the_given_size(size):
    dot = np.zeros((1, 31, 31, 1), np.float64)
    dot[0, 15, 15] = 1
    found = applied(Blur(4.0, size=size), dot)
    assert (found > 0).sum() == size**2
    np.testing.assert_allclose(found, reference(dot, 4.0, size // 2), atol=1e-12)


@pytest.mark.parametrize("sigma", [0.0, 1e-6, 0.1, 1.0, 7.7, 20.0])
@pytest.mark.parametrize("radius", [1, 3, 60])
def test_kernels_sum_to_one(sigma, radius):
    half = weights(sigma, radius)
    assert half[0] + 2 * half[1:].sum() == pytest.approx(1, abs=1e-12)
    units = quantize(half)
    assert units[0] + 2 * units[1:].sum() == UNITS
    assert (units >= 0).all()
    assert (units == np.round(units)).all()
    assert np.abs(units / UNITS - half)[1:].max() <= 1 / UNITS
    for side in (1, 2, 5, 200):
        assert fold(units, side).sum() == UNITS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_constant_images_stay(form, level):
    x = np.full([2, 6, 4, 3], level, np.uint8)
    for progress in (0.0, 0.13):
        np.testing.assert_array_equal(applied(Blur(1.7, form=form), x, progress=progress, jit=None), x)


@pytest.mark.parametrize("form", FORMS)
def test_eager_graph_and_xla_agree_to_the_last_bit(form):
    blur = Blur(1.3, until=0.5, form=form, chance=0.75)
    # Moments that stand on edges of levels, between them, and at the end of the phase.
    for step, progress in enumerate((0.0, 1 / 7, 0.25, 0.3, 63 / 128, 0.4999, 0.5, 1.0)):
        eager, graph, xla = (applied(blur, step=step, progress=progress, jit=jit) for jit in MODES.values())
        np.testing.assert_array_equal(eager, graph)
        np.testing.assert_array_equal(eager, xla)


@pytest.mark.parametrize(("form", "chance"), [("fixed", 0.3), ("chance", 1.0), ("chance", 0.6), ("sigma", 0.5)])
def test_the_share_of_blurred_images_is_the_chance(form, chance):
    blur, steps = Blur(1.0, until=0.5, form=form, chance=chance), 250
    expected = drawn = variance = 0.0
    for step in range(steps):
        progress = 0.25 * step / steps
        share = chance * (1 - progress / 0.5 if form == "chance" else 1)
        drawn += (applied(blur, step=step, progress=progress) != IMAGES).any(axis=(1, 2, 3)).sum()
        expected += len(IMAGES) * share
        variance += len(IMAGES) * share * (1 - share)
    assert abs(drawn - expected) < 4 * np.sqrt(variance)


def test_each_image_is_blurred_completely_or_not_at_all():
    smooth = applied(Blur(1.0))
    found = applied(Blur(1.0, chance=0.5))
    whole, none = ((found == side).all(axis=(1, 2, 3)) for side in (smooth, IMAGES))
    assert (whole ^ none).all()
    assert 0 < whole.sum() < len(IMAGES)


def test_at_first_all_images_are_blurred_and_fewer_later():
    shares = []
    for progress in (0.0, 0.1, 0.19):
        found = [applied(Blur(form="chance"), step=step, progress=progress) for step in range(20)]
        shares.append(np.mean([(x != IMAGES).any(axis=(1, 2, 3)).mean() for x in found]))
    assert shares[0] == 1
    assert 0.35 < shares[1] < 0.65
    assert shares[2] < 0.15


def test_falling_sigma_is_that_of_scipy_and_leaves_more_and_more():
    blur = Blur(2.0, until=0.4, form="sigma")
    variances = []
    for progress in (0.0, 0.1, 0.2, 0.3, 0.35):
        found = applied(blur, progress=progress)
        sigma = float(blur.logged_values(Timestamp.from_progress(progress))["blur sigma"])
        assert sigma == pytest.approx(2.0 * (1 - progress / 0.4), abs=2.0 / 256)
        assert np.abs(found - np.round(reference(IMAGES, sigma, 6))).max() <= 1
        variances.append(found.astype(float).var())
    assert (np.diff(variances) > 0).all()
    np.testing.assert_array_equal(applied(blur, progress=0.3999), IMAGES)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("until", [0.2, 0.3, 1 / 3, "3 passes"])
def test_images_are_unchanged_after_the_phase(form, until):
    end = 0.3 if until == "3 passes" else until
    blur = Blur(3.0, until=until, form=form)
    assert (applied(blur, progress=0.3 * end, jit=None) != IMAGES).any()
    for progress in (end, np.nextafter(np.float32(end), np.float32(1)), 0.9, 1.0):
        np.testing.assert_array_equal(applied(blur, progress=progress, jit=None), IMAGES)
        shown = blur.logged_values(Timestamp.from_progress(progress, 10 * progress))
        assert float(shown["blur sigma"]) == float(shown["blur chance"]) == 0


def test_nothing_is_computed_after_the_phase():
    made = compiled(Blur(), False).get_concrete_function().graph
    kinds = {operation.type for operation in made.get_operations()}
    assert not kinds & {"MatMul", "BatchMatMulV2", "Transpose"}
    assert kinds & {"If", "StatelessIf"}


def test_logged_values_are_those_applied():
    for form, sigma, chance in (("fixed", 1.5, 0.8), ("chance", 1.5, 0.4), ("sigma", 0.75, 0.8)):
        blur = Blur(1.5, until=0.4, form=form, chance=0.8)
        shown = blur.logged_values(Timestamp.from_progress(0.2))
        assert set(shown) == {"blur sigma", "blur chance"}
        assert all(value.dtype == tf.float32 and value.shape == () for value in shown.values())
        assert float(shown["blur sigma"]) == pytest.approx(sigma)
        assert float(shown["blur chance"]) == pytest.approx(chance)


def test_draws_depend_on_seed_step_and_place_alone():
    blur = Blur(chance=0.5)
    x = np.tile(IMAGES, (8, 1, 1, 1))
    first = applied(blur, x)
    np.testing.assert_array_equal(first, applied(blur, x))
    assert (first != applied(blur, x, seed=4)).any()
    assert (first != applied(blur, x, step=6)).any()
    both = Curricula((Blur(0.5, chance=0.5), blur))(tf.constant(x), Rng(3, 5), Timestamp.from_progress(0.0)).numpy()
    alone = Curricula((blur,))(tf.constant(x), Rng(3, 5), Timestamp.from_progress(0.0)).numpy()
    assert ((both == x).all(axis=(1, 2, 3)) != (alone == x).all(axis=(1, 2, 3))).any()


def test_several_steps_in_one_call_are_those_of_single_calls():
    blur = Curricula((Blur(1.0, until=0.5, form="chance"),))
    images, steps = tf.constant(IMAGES), 6

    def once(step):
        return blur(images, Rng(tf.constant(3), step), Timestamp.from_progress(tf.cast(step, tf.float32) / 10))

    together = tf.function(lambda: tf.map_fn(once, tf.range(steps), tf.uint8), autograph=False)()
    for step in range(steps):
        np.testing.assert_array_equal(together[step], once(tf.constant(step)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sigma": 0}, "blur: sigma must be a number in (0, 20], got 0"),
        ({"sigma": 21.0}, "blur: sigma must be a number in (0, 20], got 21.0"),
        (
            {"until": 0.0},
            "blur: until must be a share of the budget in (0, 1] or a text such as '5 passes' (a pass is what Keras calls an epoch), got 0.0",
        ),
        ({"until": "soon"}, "blur: until must be a share"),
        ({"form": "linear"}, "blur: form must be one of 'fixed', 'chance', 'sigma', got 'linear'"),
        ({"chance": 0}, "blur: chance must be a number in (0, 1], got 0"),
        ({"size": 4}, "blur: size must be an odd whole number of at least 3 and at most 255 or None, got 4"),
        ({"size": 1}, "blur: size must be an odd whole number of at least 3 and at most 255 or None, got 1"),
        ({"size": 3.0}, "blur: size must be an odd whole number of at least 3 and at most 255 or None, got 3.0"),
    ],
)
def test_wrong_parameters_are_rejected_with_a_message(settings, words):
    with pytest.raises(UsageError) as caught:
        Blur(**settings)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros([2, 64]), "is for images, [batch, height, width, channels]; the inputs have the shape [2, 64]"),
        (np.zeros([2, 8, 8, 1], np.int32), "is for uint8 or floating-point inputs, these are int32"),
    ],
)
def test_other_inputs_than_images_are_rejected_with_a_message(x, words):
    with pytest.raises(UserError) as caught:
        Blur()(tf.constant(x), Rng(0, 0), Timestamp.from_progress(0.0))
    assert words in str(caught.value)


def test_images_of_unknown_size_are_rejected_with_a_message():
    blur = tf.function(lambda x: Blur()(x, Rng(0, 0), Timestamp.from_progress(0.0)), autograph=False)
    with pytest.raises(UserError, match=r"is for images of one size, the inputs have the shape \[2, None, None, 3\]"):
        blur.get_concrete_function(tf.TensorSpec([2, None, None, 3]))


def test_parts_of_a_phase_do_not_depend_on_the_last_bit():
    from batchsel.transforms.phase import elapsed_parts

    for steps in (10, 64, 100, 128, 1000, 1024, 5000):
        shares = np.arange(steps + 1, dtype=np.float32) / np.float32(steps)
        found = [
            [
                int(elapsed_parts(1.0, Timestamp.from_progress(np.clip(np.nextafter(share, np.float32(way)), 0, 1))))
                for way in (0, 1)
            ]
            for share in shares[:: max(1, steps // 50)]
        ]
        assert all(low == high for low, high in found)
    assert int(elapsed_parts(0.5, Timestamp.from_progress(0.5))) == PARTS
