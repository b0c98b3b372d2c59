"""Invalid data raise errors that name the rows."""

import numpy as np
import pytest

from batchsel.data import ArraySource, Dataset, Split, check_arrays
from batchsel.errors import UserError


def split(n=6, shape=(2,)):
    return Split(np.ones((n, *shape), np.float32), (np.arange(n) % 2).astype(np.int32))


def dataset(**splits):
    splits = {"train": split(), "validation": split(), "test": split()} | splits
    return Dataset("mine", "classification", **splits, class_names=("no", "yes"))


def test_valid_data_set_passes_the_check():
    data = dataset()
    data.check()
    assert data.input_shape == (2,)
    assert data.outputs == 2
    assert len(data.train) == 6


def test_regression_has_one_output():
    values = Split(np.ones((3, 4), np.float32), np.array([0.5, 1.5, -2.0], np.float32))
    data = Dataset("mine", "regression", values, values, values)
    data.check()
    assert data.outputs == 1


def test_up_to_five_rows_with_nan_are_named():
    x = np.zeros((20, 3), np.float32)
    x[[2, 4, 6, 8, 10, 12, 14], 1] = [np.nan, np.inf, -np.inf, np.nan, np.nan, np.nan, np.nan]
    with pytest.raises(UserError) as caught:
        dataset(validation=Split(x, np.zeros(20, np.int32))).check()
    text = str(caught.value)
    assert text.startswith(
        "mine, validation split: 7 samples hold NaN or infinite features: rows 2, 4, 6, 8, 10 and 2 more"
    )
    assert "remove these rows or fill the gaps" in text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_nonfinite_value_raises(value):
    with pytest.raises(UserError, match=r"1 sample holds NaN or infinite features: row 1\."):
        check_arrays(np.array([[0.0, 1.0], [0.0, value]]), np.array([0, 1]), where="w")


def test_targets_with_nan_are_named():
    with pytest.raises(UserError, match=r"1 sample has NaN or infinite targets: row 1\."):
        check_arrays(np.zeros((2, 1)), np.array([0.0, np.nan]), where="w")


@pytest.mark.parametrize("label", [-1, 2, 255])
def test_labels_outside_the_classes_raise(label):
    labels = np.array([0, 1, label], np.int64)
    with pytest.raises(UserError, match=rf"1 label is outside the classes 0 to 1: row 2 \(label {label}\)"):
        check_arrays(np.zeros((3, 1)), labels, where="w", classes=2)


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (np.zeros((3, 1)), np.zeros(2, int), "3 samples but 2 targets"),
        (np.zeros((0, 1)), np.zeros(0, int), "no samples"),
        (np.array([["a"], ["b"]]), np.zeros(2, int), "features of type <U1"),
        (np.zeros((2, 1)), np.array([None, 1]), "targets of type object"),
        (np.zeros((2, 1)), np.array([0.0, 1.0]), "labels of type float64"),
    ],
)
def test_other_invalid_arrays_raise(x, y, sentence):
    with pytest.raises(UserError, match=f"^where it is: {sentence}"):
        check_arrays(x, y, where="where it is", classes=2)


def test_splits_of_different_shapes_raise():
    with pytest.raises(
        UserError, match=r"mine, test split: samples have the shape \(3,\), those of the training split \(2,\)"
    ):
        dataset(test=split(shape=(3,))).check()


def test_split_can_be_a_source():
    data = dataset(train=ArraySource(np.ones((5, 2)), np.zeros(5, int)))
    data.check()
    assert data.input_shape == (2,)
    with pytest.raises(UserError, match="train split: no samples"):
        dataset(train=ArraySource(np.ones((0, 2)), np.zeros(0, int))).check()


def test_check_does_not_copy_byte_images():
    class Untouchable(np.ndarray):
        def __array_ufunc__(self, *values, **options):
            raise TypeError("bytes cannot be NaN; checking them all is a waste")

    images = np.zeros((4, 2, 2), np.uint8).view(Untouchable)
    check_arrays(images, np.array([0, 1, 0, 1]), where="w", classes=2)


@pytest.mark.parametrize(
    ("x", "y", "what"), [(np.array(3.0), np.zeros(2), "inputs"), (np.zeros(2), np.array(3), "targets")]
)
def test_single_numbers_are_no_samples(x, y, what):
    with pytest.raises(
        UserError, match=f"mine: the {what} are a single number. Expected an array with one row for each"
    ):
        check_arrays(x, y, where="mine")
