"""The operations of RandAugment against those of Pillow."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from batchsel.core.rng import Rng
from batchsel.transforms.augmentation import RandAugment
from batchsel.transforms.augmentation.methods.rand_augment import OPERATIONS

SIZE = 24
GENERATOR = np.random.default_rng(0)
# Smooth colors with some noise, no level of which is black or white.
RAMP = np.linspace(40, 200, SIZE)
PICTURE = np.stack(
    [RAMP[:, None] + 0 * RAMP, RAMP[None] + 0 * RAMP[:, None], 240 - RAMP[:, None] / 2 - RAMP / 3], axis=-1
)
PICTURE = np.clip(PICTURE + GENERATOR.normal(0, 8, PICTURE.shape), 5, 250).astype(np.uint8)


def ours(name, magnitude, sign, picture=PICTURE):
    operation = tf.constant([OPERATIONS.index(name)])
    return RandAugment(1, magnitude).apply(tf.constant(picture[None]), operation, tf.constant([sign])).numpy()[0]


def pillow(name, magnitude, sign):
    image, strength = Image.fromarray(PICTURE), magnitude / 30
    factor = 1 + sign * 0.9 * strength
    enhanced = {"brightness": "Brightness", "contrast": "Contrast", "color": "Color", "sharpness": "Sharpness"}
    if name in enhanced:
        return getattr(ImageEnhance, enhanced[name])(image).enhance(factor)
    if name == "rotate":
        return image.rotate(sign * 30 * strength, Image.Resampling.NEAREST)
    shear, shift, middle = sign * 0.3 * strength, sign * round(0.45 * strength * SIZE), SIZE / 2
    maps = {
        "shear_x": (1, shear, -shear * middle, 0, 1, 0),
        "shear_y": (1, 0, 0, shear, 1, -shear * middle),
        "translate_x": (1, 0, shift, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, shift),
    }
    if name in maps:
        return image.transform(image.size, Image.Transform.AFFINE, maps[name], Image.Resampling.NEAREST)
    return {
        "identity": lambda: image,
        "posterize": lambda: ImageOps.posterize(image, 8 - round(4 * strength)),
        "solarize": lambda: ImageOps.solarize(image, 255 * (1 - strength)),
        "autocontrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
    }[name]()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("magnitude", [0, 9, 30])
@pytest.mark.parametrize("sign", [-1, 1])
def test_each_operation_equals_that_of_pillow(name, magnitude, sign):
    found, expected = ours(name, magnitude, sign).astype(int), np.asarray(pillow(name, magnitude, sign)).astype(int)
    if name in ("rotate", "shear_x", "shear_y"):
        # Where a pixel falls between two, the last bit decides which is nearest.
        assert (found == expected).all(axis=-1).mean() > 0.98
    else:
        # Pillow cuts off where it blends and stretches, here it is rounded.
        exact = name in ("identity", "posterize", "solarize", "equalize", "translate_x", "translate_y")
        assert np.abs(found - expected).max() <= (0 if exact else 1)


@pytest.mark.parametrize("name", OPERATIONS)
def test_constant_and_tiny_images_are_handled(name):
    even = np.full([5, 4, 1], 77, np.uint8)
    assert ours(name, 9, 1, even).dtype == np.uint8
    assert ours(name, 9, -1, even[:1, :2]).shape == (1, 2, 1)


def test_operations_are_drawn_uniformly_for_each_image():
    """Every operation gives another picture, so that the picture says which it was."""
    count = 1500
    pictures = {name: {ours(name, 20, sign).tobytes() for sign in (-1, 1)} for name in OPERATIONS}
    changed = RandAugment(1, 20)(tf.constant(np.tile(PICTURE[None], (count, 1, 1, 1))), Rng(0, 0)).numpy()
    names = [next(name for name in OPERATIONS if image.tobytes() in pictures[name]) for image in changed]
    assert stats.chisquare([names.count(name) for name in OPERATIONS]).pvalue > 0.01


def test_several_operations_follow_each_other():
    x, rng = tf.constant(np.tile(PICTURE[None], (40, 1, 1, 1))), Rng(0, 7)
    drawn = (
        rng.integers([3, 40], len(OPERATIONS), "rand_augment"),
        2 * rng.integers([3, 40], 2, "rand_augment/sign") - 1,
    )
    expected = x
    for operations, signs in zip(*drawn, strict=True):
        expected = RandAugment(1, 12).apply(expected, operations, signs)
    np.testing.assert_array_equal(RandAugment(3, 12)(x, rng), expected)
