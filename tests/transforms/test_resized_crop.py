"""Random resized crops: parts of the stated sizes, enlarged as TensorFlow enlarges them, equal in every mode."""

import numpy as np
import pytest
import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.errors import UsageError, UserError
from batchsel.transforms.augmentation import ResizedCrop, resolve
from batchsel.transforms.augmentation.methods.resized_crop import part_sizes

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 7, 3), np.uint8)


def crops(part, x, step=5):
    return part(tf.constant(x), Rng(tf.constant(3), tf.constant(step))).numpy()


def drawn(part, count, height, width, step=5):
    """Return top, left, rows and columns of the parts, as the layers of an image with its places show them."""
    rng = Rng(tf.constant(3), tf.constant(step))
    sizes = part_sizes(height, width, part.smallest, part.largest, part.aspect)
    chosen = sizes[rng.integers([count], len(sizes), "resized_crop/size").numpy()]
    top = rng.integers([count], height - tf.constant(chosen[:, 0]) + 1, "resized_crop/top").numpy()
    left = rng.integers([count], width - tf.constant(chosen[:, 1]) + 1, "resized_crop/left").numpy()
    return zip(top, left, *chosen.T, strict=True)


@pytest.mark.parametrize("part", [ResizedCrop(), ResizedCrop(0.5), ResizedCrop(0.3, 0.3, 1.0)], ids=repr)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_parts_are_enlarged_as_tensorflow_does_it(part, dtype):
    x = IMAGES if dtype == np.uint8 else (IMAGES / 255).astype(np.float32)
    found = crops(part, x)
    assert found.dtype == dtype
    for image, result, (top, left, rows, columns) in zip(x, found, drawn(part, *x.shape[:3]), strict=True):
        cut = image[top : top + rows, left : left + columns].astype(np.float32)
        expected = tf.image.resize(cut, x.shape[1:3]).numpy()
        # Places are multiples of 1/1024 of a pixel; rounding to 8 bits adds half a level.
        np.testing.assert_allclose(result, expected, atol=0.5 + 0.3 if dtype == np.uint8 else 2e-3)


def test_areas_and_aspects_are_those_stated():
    sizes = part_sizes(224, 224, 0.08, 1.0, 0.75)
    areas, aspects = sizes.prod(axis=1) / 224**2, sizes[:, 1] / sizes[:, 0]
    assert 0.08 < areas.min() < 0.09
    assert areas.max() > 0.97
    assert aspects.min() == pytest.approx(0.75, abs=0.02)
    assert aspects.max() == pytest.approx(4 / 3, abs=0.02)
    small = areas < 0.5  # all aspects fit there, so areas are uniform and logarithms of aspects centered
    assert areas[small].mean() == pytest.approx(0.29, abs=0.01)
    assert np.log(aspects[small]).mean() == pytest.approx(0, abs=0.002)


def test_eager_graph_and_xla_agree_to_the_last_bit():
    def change(x, step):
        return ResizedCrop()(x, Rng(tf.constant(3), step))

    for step in range(4):
        modes = [change, tf.function(change, autograph=False), tf.function(change, autograph=False, jit_compile=True)]
        first, *others = (mode(tf.constant(IMAGES), tf.constant(step)).numpy() for mode in modes)
        assert all(np.array_equal(first, other) for other in others)


def test_each_image_and_step_has_a_part_of_its_own():
    same = np.tile(IMAGES[:1], (20, 1, 1, 1))
    found = crops(ResizedCrop(), same)
    assert len({image.tobytes() for image in found}) > 10
    assert not np.array_equal(found, crops(ResizedCrop(), same, step=6))
    square = np.tile(IMAGES[:1, :7], (3, 1, 1, 1))
    np.testing.assert_array_equal(crops(ResizedCrop(1.0, 1.0, 1.0), square), square)


def test_unsuitable_parts_are_refused():
    with pytest.raises(UsageError, match=r"smallest must not be above largest, got 0\.5 and 0\.4"):
        resolve("resized_crop(0.5, 0.4)")
    with pytest.raises(UserError, match="no such part fits into images of 1 x 100 pixels"):
        crops(ResizedCrop(0.9, 1.0, 1.0), np.zeros([2, 1, 100, 1], np.uint8))
