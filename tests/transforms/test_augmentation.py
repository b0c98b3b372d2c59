"""Augmentations on their own: effect on pixels, frequency, equality in every mode."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError
from batchsel.transforms.augmentation import (
    Augmentation,
    Crop,
    CutMix,
    Erasing,
    Flip,
    Jitter,
    Mixup,
    Pipeline,
    RandAugment,
    resolve,
)
from batchsel.transforms.augmentation.methods.erasing import fitting_sizes
from batchsel.transforms.augmentation.partners import draw_partners, draw_share
from batchsel.transforms.augmentation.pixels import ONE
from batchsel.transforms.augmentation.registry import REGISTRY

MANY = 4000
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 7, 3), np.uint8)
RNG = Rng(tf.constant(3), tf.constant(5))
START = Timestamp.from_progress(0.0)
MODES = {
    "eager": lambda function: function,
    "graph": lambda function: tf.function(function, autograph=False),
    "xla": lambda function: tf.function(function, autograph=False, jit_compile=True),
}
PARTS = [
    Crop(2), Crop(3, fill="reflect"), Flip(), Flip(direction="vertical"), Jitter(white=1.0), Erasing(0.7),
    Erasing(0.7, fill="mean"), Erasing(0.7, fill="zero"), RandAugment(3, 20), Mixup(0.8), CutMix(),
]  # fmt: skip


def applied(augment, x, rng=RNG, valid=None):
    pipeline = resolve(augment)
    valid = tf.ones([len(x)], tf.bool) if valid is None else tf.constant(valid)
    return pipeline(tf.constant(x), valid, rng, START)


def repeated(shape, count=MANY):
    """The same image of different pixels, many times."""
    image = np.arange(1, np.prod(shape) + 1).reshape(shape).astype(np.uint8)
    return image, np.tile(image[None], (count, 1, 1, 1))


@pytest.mark.parametrize("part", [*PARTS, Crop(2) | RandAugment() | CutMix()], ids=repr)
def test_eager_graph_and_xla_agree_to_the_last_bit(part):
    found = {}
    for mode, compiled in MODES.items():

        def change(x, seed, step):
            return resolve(part)(x, tf.ones([6], tf.bool), Rng(seed, step), START)

        made = compiled(change)
        found[mode] = [made(tf.constant(IMAGES), tf.constant(3), tf.constant(step)) for step in range(8)]
    for first, second, third in zip(*found.values(), strict=True):
        leaves = zip(*(tf.nest.flatten(nest) for nest in (first, second, third)), strict=True)
        assert all(np.array_equal(a, b) and np.array_equal(a, c) for a, b, c in leaves)


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_8_bit_images_stay_8_bit_and_floats_floats(part):
    for dtype in (np.uint8, np.float32, np.float16):
        if isinstance(part, RandAugment) and dtype != np.uint8:
            continue
        x = IMAGES if dtype == np.uint8 else (IMAGES / 255).astype(dtype)
        changed = applied(part, x)[0]
        assert changed.dtype == dtype
        assert changed.shape == x.shape
        assert np.isfinite(changed.numpy().astype(np.float32)).all()


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_seed_step_and_place_in_the_pipeline_change_the_draw(part):
    def several(seed, step, parts):
        x = np.tile(IMAGES, (8, 1, 1, 1))
        if part.mixes:
            return applied(Pipeline(parts), x, Rng(tf.constant(seed), tf.constant(step)))[1].partners.numpy()
        return applied(Pipeline(parts), x, Rng(tf.constant(seed), tf.constant(step)))[0].numpy()

    base = several(0, 0, (part,))
    assert np.array_equal(base, several(0, 0, (part,)))
    before = resolve(lambda x: x).parts
    others = [several(1, 0, (part,)), several(0, 1, (part,)), several(0, 0, (*before, part))]
    assert not any(np.array_equal(base, other) for other in others)


@pytest.mark.parametrize("fill", ["zero", "reflect"])
def test_crops_are_uniform_over_all_offsets(fill):
    padding = 2
    image, x = repeated((6, 5, 1))
    crops = applied(Crop(padding, fill), x)[0].numpy()
    padded = np.pad(
        image, ((padding, padding), (padding, padding), (0, 0)), "reflect" if fill == "reflect" else "constant"
    )
    places = {
        padded[i : i + 6, j : j + 5].tobytes(): (i, j) for i in range(2 * padding + 1) for j in range(2 * padding + 1)
    }
    found = [places[crop.tobytes()] for crop in crops]
    counts = [found.count(place) for place in places.values()]
    assert len(counts) == 25
    assert stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 2), ("vertical", 1)])
@pytest.mark.parametrize("chance", [0.0, 0.5, 0.9, 1.0])
def test_the_share_of_flipped_images_is_the_chance(direction, axis, chance):
    _, x = repeated((3, 4, 2))
    changed = applied(Flip(chance, direction), x)[0].numpy()
    mirrored = (changed == np.flip(x, axis)).all(axis=(1, 2, 3))
    assert ((changed == x).all(axis=(1, 2, 3)) | mirrored).all()
    assert abs(mirrored.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / MANY) + 1e-9


def test_brightness_is_a_uniform_factor():
    changed = applied(Jitter(0.4, 0, 0), np.full([MANY, 2, 2, 1], 150, np.uint8))[0].numpy()
    assert (changed == changed[:, :1, :1]).all()
    factors = changed[:, 0, 0, 0] / 150
    assert 0.59 < factors.min() < 0.62
    assert 1.38 < factors.max() < 1.41
    assert stats.kstest(factors, stats.uniform(0.6, 0.8).cdf).pvalue > 0.01


def test_contrast_and_saturation_leave_what_is_even():
    even = np.full([50, 4, 4, 3], 90, np.uint8)
    np.testing.assert_array_equal(applied(Jitter(0, 0.9, 0.9), even)[0], even)
    pixels = np.tile(IMAGES[:1], (200, 1, 1, 1))
    flat = applied(Jitter(0, 1, 0), pixels)[0].numpy().astype(float)
    luma = pixels[0] @ [0.299, 0.587, 0.114]
    assert flat.std(axis=(1, 2, 3)).min() < 10
    assert np.abs(flat - luma.mean()).mean(axis=(1, 2, 3)).min() < 8
    gray = applied(Jitter(0, 0, 1), pixels)[0].numpy().astype(float)
    assert np.ptp(gray, axis=-1).mean(axis=(1, 2)).min() < 10
    np.testing.assert_allclose(gray[np.ptp(gray, axis=-1).mean(axis=(1, 2)).argmin()].mean(-1), luma, atol=10)


def test_jitter_of_floats_is_that_of_8_bit_images():
    floats = applied(Jitter(white=1.0), (IMAGES / 255).astype(np.float32))[0].numpy()
    assert floats.min() >= 0
    assert floats.max() <= 1
    np.testing.assert_allclose(255 * floats, applied(Jitter(), IMAGES)[0].numpy(), atol=2.5)
    with pytest.raises(UserError, match=r"the images are float32. Give the value of white, as in jitter\(0.4, white"):
        applied(Jitter(), floats)


@pytest.mark.parametrize("chance", [0.25, 1.0])
def test_frequency_and_area_of_erased_rectangles_follow_the_parameters(chance):
    height, width = 20, 16
    changed = applied(Erasing(chance, fill="zero"), np.ones([MANY, height, width, 1], np.uint8))[0].numpy()[..., 0]
    erased = changed == 0
    hit = erased.any(axis=(1, 2))
    assert abs(hit.mean() - chance) < 4 * np.sqrt(0.25 / MANY)
    rows, columns = erased.any(axis=2).sum(axis=1), erased.any(axis=1).sum(axis=1)
    assert (rows * columns == erased.sum(axis=(1, 2))).all()
    sizes = fitting_sizes(height, width, 0.02, 0.4, 0.3)
    areas = sizes.prod(axis=1) / (height * width)
    assert areas.min() == pytest.approx(0.02, abs=0.01)
    assert areas.max() == pytest.approx(0.4, abs=0.03)
    shares = erased[hit].mean(axis=(1, 2))
    assert shares.mean() == pytest.approx(areas.mean(), abs=5 * areas.std() / np.sqrt(hit.sum()))
    # Rectangles lie anywhere: mirrored images look the same on average.
    hits = erased[hit].mean(axis=0)
    assert np.abs(hits - hits[::-1, ::-1]).max() < 5 * np.sqrt(0.5 / hit.sum())


def test_erased_rectangles_hold_the_fill():
    x = np.tile(IMAGES[:1], (300, 1, 1, 1))
    for fill in ("mean", "random"):
        changed = applied(Erasing(1.0, fill=fill), x)[0].numpy()
        there = (changed != x).any(axis=-1)
        if fill == "mean":
            assert (changed[there] == IMAGES[0].reshape(-1, 3).mean(axis=0).astype(int)).all()
        else:
            assert stats.kstest(changed[there].ravel() / 256, stats.uniform.cdf).statistic < 0.02
    floats = (x / 100 - 1).astype(np.float32)
    changed = applied(Erasing(1.0), floats)[0].numpy()
    assert changed.min() >= floats.min()
    assert changed.max() <= floats.max()
    numbers = applied(Erasing(1.0), x.astype(np.int32))[0].numpy()
    assert numbers.dtype == np.int32
    assert numbers.max() <= 255


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_shares_follow_the_beta_distribution(alpha):
    draw = tf.function(lambda step: draw_share(alpha, 1.0, Rng(tf.constant(0), step)), autograph=False)
    shares = np.array([draw(tf.constant(step)).numpy() for step in range(1500)]) / ONE
    # Between whole parts of ONE, to which the shares are rounded.
    places = (np.arange(1, ONE, 20) + 0.5) / ONE
    found = (shares[:, None] < places).mean(axis=0)
    assert np.abs(found - stats.beta(alpha, alpha).cdf(places)).max() < 1.63 / np.sqrt(1500)
    assert shares.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(1500))


def test_the_share_of_mixed_batches_is_the_chance():
    draw = tf.function(lambda step: draw_share(1.0, 0.3, Rng(tf.constant(0), step)), autograph=False)
    mixed = [draw(tf.constant(step)).numpy() < ONE for step in range(1000)]
    assert np.mean(mixed) == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mixup_is_the_mean_in_these_shares(dtype):
    x = IMAGES.astype(dtype)
    changed, mixture = applied(Mixup(1.0), x)
    share, partners = float(mixture.share), mixture.partners.numpy()
    assert 0 < share < 1
    assert sorted(partners) == list(range(6))
    expected = share * x.astype(float) + (1 - share) * x[partners].astype(float)
    np.testing.assert_allclose(changed, expected, atol=0.5 if dtype == np.uint8 else 1e-4)


def test_the_share_of_cutmix_is_that_of_the_pixels():
    x = np.zeros([8, 11, 14, 1], np.uint8) + np.arange(8, dtype=np.uint8)[:, None, None, None]
    shares = []
    change = tf.function(
        lambda step: CutMix().mix(tf.constant(x), tf.ones([8], tf.bool), Rng(tf.constant(1), step)), autograph=False
    )
    for step in range(300):
        changed, mixture = (
            tf.nest.map_structure(lambda leaf: leaf.numpy(), part) for part in change(tf.constant(step))
        )
        own = (changed == x)[..., 0]
        moved = mixture.partners != np.arange(8)
        assert (changed[~own] == np.broadcast_to(x[mixture.partners], x.shape)[~own]).all()
        np.testing.assert_allclose(own.mean(axis=(1, 2))[moved], mixture.share, atol=1e-6)
        if moved.any():
            lost = ~own[moved.argmax()]
            assert lost.any(axis=1).sum() * lost.any(axis=0).sum() == lost.sum()
        shares.append(float(mixture.share))
    # Cut off at the rim, rectangles are smaller than 1 - λ, which is 1/2 on average.
    assert 0.6 < np.mean(shares) < 0.8


@given(st.lists(st.booleans(), min_size=1, max_size=90), st.integers(0, 50))
def test_partners_of_real_rows_are_real(valid, step):
    partners = draw_partners(tf.constant(valid), Rng(0, step)).numpy()
    assert sorted(partners) == list(range(len(valid)))
    assert (np.array(valid)[partners] == valid).all()


def test_partners_are_uniform():
    valid = np.array([True, True, True, True, False, False])
    draw = tf.function(lambda step: draw_partners(tf.constant(valid), Rng(tf.constant(0), step)), autograph=False)
    found = [tuple(draw(tf.constant(step)).numpy()[:4]) for step in range(2400)]
    counts = [found.count(order) for order in set(found)]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.01


def test_one_of_several_mixers_is_drawn_for_each_batch():
    change = tf.function(
        lambda step: resolve("mixup(1.0) | cutmix")(
            tf.constant(IMAGES), tf.ones([6], tf.bool), Rng(tf.constant(0), step), START
        ),
        autograph=False,
    )
    cut = []
    for step in range(200):
        changed, mixture = change(tf.constant(step))
        pairs = (IMAGES, IMAGES[mixture.partners.numpy()])
        cut.append(all(((changed == pairs[0]) | (changed == pairs[1])).numpy().ravel()))
    assert 0.35 < np.mean(cut) < 0.65


@pytest.mark.parametrize(
    ("augment", "x", "words"),
    [
        (
            "crop(4)",
            np.zeros([2, 64]),
            "is for images, [batch, height, width, channels]; the inputs have the shape [2, 64]",
        ),
        ("flip", np.zeros([2, 8, 8]), "the inputs have the shape [2, 8, 8]. Leave it out, or reshape"),
        ("jitter", np.zeros([2, 8]), "is for images"),
        ("rand_augment", np.zeros([2, 8, 8, 1], np.float32), "is for 8-bit images, these are float32"),
        ("erasing", np.zeros([2, 1, 1, 1]), "no such rectangle fits into images of 1 x 1 pixels"),
        ("crop(4, fill='reflect')", np.zeros([2, 4, 9, 1]), "images of 4 x 9 pixels are too small to reflect 4"),
        ("mixup", np.zeros([2, 8], np.int32), "is for uint8 or floating-point inputs, these are int32"),
        ("cutmix", np.zeros([2, 8]), "is for images"),
    ],
)
def test_unsuitable_inputs_are_rejected_with_a_message(augment, x, words):
    with pytest.raises(UserError) as caught:
        applied(augment, x)
    assert words in str(caught.value)


def test_several_inputs_are_rejected_with_a_message():
    with pytest.raises(
        UserError, match="is for models with one array of inputs, this one has 2. Leave it out, or write a transform"
    ):
        resolve("flip")({"a": tf.zeros([2, 4, 4, 1]), "b": tf.zeros([2])}, tf.ones([2], tf.bool), RNG, START)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("crop(4) | flip | erasing(0.25)", Crop(4) | Flip() | Erasing(0.25)),
        (" flip ", Pipeline((Flip(),))),
        ("rand_augment(2, magnitude=9)|jitter(.1)", RandAugment(2, 9) | Jitter(0.1)),
        ("mixup(0.8) | cutmix(1.0, chance=0.5)", Mixup(0.8) | CutMix(1.0, 0.5)),
    ],
)
def test_the_text_form_round_trips(text, expected):
    assert resolve(text) == expected
    assert resolve(repr(expected)) == expected
    REGISTRY.check(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("corp(4)", "unknown augmentation 'corp'. Did you mean 'crop'?"),
        ("flip | ", "cannot read ' '"),
        ("crop(pading=2)", "unknown parameter of crop 'pading'. Did you mean 'padding'?"),
        ("crop(0)", "crop: padding must be a whole number of at least 1, got 0"),
        ("crop(2, fill='one')", "crop: fill must be one of 'zero', 'reflect', got 'one'"),
        ("flip(1.5)", "flip: chance must be a number in [0, 1], got 1.5"),
        ("erasing(smallest=0.5)", "smallest must not be above largest, got 0.5 and 0.4"),
        ("rand_augment(magnitude=31)", "magnitude must be a number in [0, 30], got 31"),
        ("jitter(white=0)", "jitter: white must be a number in [1e-06, 1000000] or None, got 0"),
        ("mixup(0)", "mixup: alpha must be a number in (0, 1000], got 0"),
        ("mixup | flip", "'mixup' mixes finished samples; put it last"),
        ("./no/such.py:f", "there is no file 'no/such.py' to load 'f' from"),
    ],
)
def test_errors_name_the_problem(text, words):
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("wrong", [3, 0.5, b"flip", {"flip"}])
def test_other_objects_are_rejected(wrong):
    with pytest.raises(UsageError, match=r"augment must be a text such as 'crop\(4\) | flip', an augmentation"):
        resolve(wrong)
    assert resolve(None) is resolve("") is resolve([]) is None


def test_objects_are_loaded_from_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import dataclasses, keras\n"
        "from batchsel.transforms.augmentation import Augmentation\n"
        "def double(x):\n    return 2 * x\n"
        "def times(factor):\n    return lambda x: factor * x\n"
        "flip = keras.layers.RandomFlip()\n"
        "@dataclasses.dataclass(frozen=True, repr=False)\n"
        "class Add(Augmentation):\n"
        "    name = 'add'\n    amount: float = 1.0\n"
        "    def __call__(self, x, rng):\n        return x + self.amount\n"
    )
    text = f"{path}:double | {path}:times(3) | {path}:Add | {path}:Add(0.5)"
    assert applied(text, np.ones([2, 3]))[0].numpy().tolist() == [[7.5] * 3] * 2
    assert repr(resolve(f"{path}:flip")) == "RandomFlip(mode='horizontal_and_vertical')"
    assert len(REGISTRY.parse(text)) == 4


def test_every_docstring_cites_its_source():
    for name in REGISTRY.entries():
        doc = REGISTRY.doc(name)
        assert "Source:" in doc
        assert "https://" in doc
        assert "Example:" in doc


@dataclasses.dataclass(frozen=True, repr=False)
class Fading(Augmentation):
    name = "fading"

    def __call__(self, x, rng, timestamp):
        return x * (1 - timestamp.progress)


def test_augmentations_and_functions_may_depend_on_time():
    def brighter(x, timestamp):
        return x + timestamp.progress

    pipeline = resolve([Fading(), brighter, lambda x, rng: x + 0 * rng.uniform(x.shape)])
    changed, mixture = pipeline(tf.ones([2, 3]), tf.ones([2], tf.bool), RNG, Timestamp.from_progress(0.25))
    assert changed.numpy().tolist() == [[1.0] * 3] * 2
    assert mixture is None
    pipeline.check(tf.ones([1, 3]), 2)
