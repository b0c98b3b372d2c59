"""Augmentations in a part of a run: they begin and end with the step that a curriculum's phase does."""

import numpy as np
import pytest
import tensorflow as tf

from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.experiments.spec.run_spec import RunSpec
from batchsel.transforms.augmentation import resolve
from batchsel.transforms.curricula import resolve as resolve_curricula

X = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), np.uint8)


def at(augment, progress, passes=None, x=X):
    time = Timestamp.from_progress(progress, passes)
    return resolve(augment)(tf.constant(x), tf.ones([len(x)], tf.bool), Rng(tf.constant(3), tf.constant(5)), time)


def negative(x):
    return 255 - x


@pytest.mark.parametrize(
    ("before", "progress", "passes", "on"),
    [
        ("during(0.2)", 0.19, None, False),
        ("during(0.2)", 0.2, None, True),
        ("during(end=0.85)", 0.84, None, True),
        ("during(end=0.85)", 0.85, None, False),
        ("during('3 passes', 0.5)", 0.1, 2.9, False),
        ("during('3 passes', 0.5)", 0.2, 3.0, True),
        ("during('3 passes', 0.5)", 0.5, 9.0, False),
        ("during(0.9) | during(0.1)", 0.2, None, True),
    ],
)
def test_what_stands_to_the_right_holds_in_its_time(before, progress, passes, on):
    changed, mixture = at([before, negative], progress, passes)
    np.testing.assert_array_equal(changed, 255 - X if on else X)
    assert mixture is None


def test_what_stands_to_the_left_holds_always():
    np.testing.assert_array_equal(at([negative, "during(0.5)", negative], 0.1)[0], 255 - X)
    np.testing.assert_array_equal(at([negative, "during(0.5)", negative], 0.6)[0], X)


@pytest.mark.parametrize("mixers", ["mixup", "mixup | cutmix"])
def test_samples_are_mixed_in_its_time_only(mixers):
    plain, itself = at(f"during(end=0.5) | {mixers}", 0.5)
    np.testing.assert_array_equal(plain, X)
    assert (itself.partners.numpy().tolist(), float(itself.share)) == (list(range(6)), 1.0)
    losses = tf.constant([1.0, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(itself.weighted_mean(losses, itself.gather_partners(losses)), losses)
    mixed, mixture = at(f"during(end=0.5) | {mixers}", 0.4)
    assert sorted(mixture.partners.numpy()) == list(range(6))
    assert not np.array_equal(mixed, X)


def test_it_begins_with_the_step_that_ends_the_blur():
    blur, pipeline = resolve_curricula("blur(3.0, until=0.3)"), resolve(["during(0.3)", negative])

    @tf.function(autograph=False)
    def both(progress):
        time, rng = Timestamp.from_progress(progress), Rng(tf.constant(0), tf.constant(0))
        blurred = tf.reduce_any(blur(tf.constant(X), rng, time) != X)
        return blurred, tf.reduce_any(pipeline(tf.constant(X), tf.ones([6], tf.bool), rng, time)[0] != X)

    found = [tuple(bool(part) for part in both(tf.constant(step / 4000))) for step in range(1190, 1210)]
    assert {blurred != begun for blurred, begun in found} == {True}
    assert len(set(found)) == 2


def test_graph_and_xla_agree_with_eager():
    parts = resolve("flip | during(0.2) | crop(2) | rand_augment | during(end=0.6) | mixup")

    def change(progress):
        rng, time = Rng(tf.constant(3), tf.constant(5)), Timestamp.from_progress(progress)
        x, mixture = parts(tf.constant(X), tf.ones([6], tf.bool), rng, time)
        return x, *mixture

    modes = [change, tf.function(change, autograph=False), tf.function(change, autograph=False, jit_compile=True)]
    for progress in (0.1, 0.3, 0.7):
        first, *others = (tf.nest.map_structure(np.array, mode(tf.constant(progress))) for mode in modes)
        for other in others:
            assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_wrong_times_are_refused():
    with pytest.raises(UsageError, match="during needs a start or an end"):
        resolve("during()")
    with pytest.raises(UsageError, match="during: start must be a share of the budget"):
        resolve("during(1.5)")
    with pytest.raises(UsageError, match="'mixup' mixes finished samples; put it last"):
        resolve("mixup | during(0.5) | flip")
    settings = ("digits", "mlp", "random", 32, "adam", 1e-3, "constant", "30 seconds", "accuracy>=0.9")
    with pytest.raises(UsageError, match=r"what changes over the budget \(during\(0\.5\) \| flip\)"):
        RunSpec(*settings, augment="during(0.5) | flip")
