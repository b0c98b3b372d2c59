"""Arrays and tables of other libraries: numbers as NumPy has them, and a remedy for everything else."""

import numpy as np
import pandas
import pytest
import tensorflow as tf

from batchsel.core.sources.frames import to_matrix, to_values
from batchsel.core.sources.leaves import as_array
from batchsel.errors import UserError


class Series:
    """Behaves as a column of polars."""

    def __init__(self, name, values, dtype):
        self.name, self.dtype, self._values = name, dtype, values

    def to_numpy(self):
        return np.array(self._values)

    def null_count(self):
        return sum(value is None for value in self._values)

    def is_null(self):
        return np.array([value is None for value in self._values])


class DataFrame:
    """Behaves as a table of polars."""

    def __init__(self, *columns):
        self._columns = {column.name: column for column in columns}
        self.columns = list(self._columns)

    def __getitem__(self, name):
        return self._columns[name]

    def to_numpy(self):
        raise AssertionError("the whole table may have no common type")


DAYS = pandas.to_datetime(["2024-01-01", "2024-01-02", "2024-01-05"])
COLUMNS = {
    "category": (pandas.Categorical(["a", "b", "a"]), "is a category"),
    "numbers as categories": (pandas.Categorical([1, 2, 1]), "is a category"),
    "date": (DAYS, "holds dates or times"),
    "zoned date": (DAYS.tz_localize("UTC"), "holds dates or times"),
    "duration": (DAYS - DAYS[0], "holds dates or times"),
    "text": (["a", "b", "c"], "holds text"),
    "pandas text": (pandas.array(["a", "b", None], "string"), "holds text"),
    "objects": ([[1], [2], [3]], "holds objects (list)"),
    "nullable": (pandas.array([1, None, 3], "Int64"), "has 1 missing values"),
    "nullable truth": (pandas.array([True, None, None], "boolean"), "has 2 missing values"),
    "none": ([1, None, True], "has 1 missing values"),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_that_are_no_numbers_are_named_with_a_remedy(kind):
    values, words = COLUMNS[kind]
    frame = pandas.DataFrame({"age": [1.0, 2.0, 3.0], "bad": values, "worse": ["x", "y", "z"]})
    with pytest.raises(UserError) as caught:
        to_matrix("x", frame)
    assert str(caught.value).startswith(f"x cannot be trained on: column 'bad' {words}")
    assert "column 'worse' holds text (encode it" in str(caught.value)
    assert "age" not in str(caught.value)


def test_numbers_of_every_type_stand_side_by_side():
    frame = pandas.DataFrame(
        {
            "a": [1, 2],
            "b": [True, False],
            "c": pandas.array([3, 4], "Int64"),
            "d": pandas.array([0.5, 1.5], "Float32"),
            "e": pandas.array([True, False], "boolean"),
            "f": np.array([7, 8], "uint8"),
            "g": pandas.array([1, 2], dtype=pandas.SparseDtype("int64", 0)),
            "h": pandas.Series([5, 6.5], dtype=object),
        }
    )
    expected = [[1, 1, 3, 0.5, 1, 7, 1, 5], [2, 0, 4, 1.5, 0, 8, 2, 6.5]]
    assert to_matrix("x", frame).tolist() == expected
    assert to_matrix("x", pandas.DataFrame({"a": [True, False]})).dtype.kind == "i"
    doubled = pandas.concat([frame[["a"]], frame[["b"]].rename(columns={"b": "a"})], axis=1)
    assert to_matrix("x", doubled).tolist() == [[1, 1], [2, 0]]
    assert np.isnan(to_matrix("x", pandas.DataFrame({"a": [1.0, np.nan]}))[1, 0])  # left to the checks of arrays


def test_tables_of_polars_are_read_by_column():
    frame = DataFrame(
        Series("a", [1, 2], "Int64"), Series("b", [True, False], "Boolean"), Series("c", [0.5, 1.0], "Float32")
    )
    assert as_array("x", frame).tolist() == [[1, 1, 0.5], [2, 0, 1]]
    bad = DataFrame(Series("a", [1, None], "Int64"), Series("b", ["u", "v"], "Categorical(ordering='physical')"))
    with pytest.raises(UserError, match=r"column 'a' has 1 missing values.*column 'b' is a category"):
        as_array("x", bad)


def test_single_columns_are_numbers_or_texts():
    assert to_values("y", pandas.Series([True, False])).tolist() == [True, False]
    assert to_values("x", pandas.Series(["a", "b"])).tolist() == ["a", "b"]
    assert to_values("x", pandas.Series(["a", "b"], dtype="string")).tolist() == ["a", "b"]
    with pytest.raises(UserError, match="y cannot be trained on: column 'day' holds dates"):
        to_values("y", pandas.Series(DAYS, name="day"))
    with pytest.raises(UserError, match="y cannot be trained on: it is a category"):
        to_values("y", pandas.Series(["a", "b"], dtype="category"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (tf.ragged.constant([[1, 2], [3]]), r"a RaggedTensor, whose rows have different lengths.*x\.to_tensor\(\)"),
        ([[1, 2], [3]], r"lists of different lengths \(1 to 2\)\. Pad them.*pad_sequences"),
        (np.array([[1, 2], [3]], object), "an array of 2 lists of different lengths"),
        (np.array([1, None, 2], object), r"x must hold numbers, got an array of object \(NoneType, int\)"),
        (np.array([1, "a"], object), r"array of object \(int, str\)"),
        (np.array(["2024-01-01"], "datetime64[D]"), r"dates or times \(datetime64\[D\]\)"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_with_a_remedy(value, words):
    with pytest.raises(UserError, match=words):
        as_array("x", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
        ([True, False], np.array([True, False])),
        (np.array([1, 2.5], object), np.array([1, 2.5])),
        (np.array([1, 2], object), np.array([1, 2])),
        (np.array([[1, 2], [3, 4]], object), np.array([[1, 2], [3, 4]])),
        (["a", "bc"], np.array(["a", "bc"], object)),
    ],
)
def test_lists_and_objects_of_numbers_are_arrays(value, expected):
    array = as_array("x", value)
    np.testing.assert_array_equal(array, expected)
    assert array.dtype == expected.dtype


def test_objects_of_arrays_are_stacked():
    value = np.empty(2, object)
    value[:] = [np.zeros(3), np.ones(3)]
    assert as_array("x", value).shape == (2, 3)
