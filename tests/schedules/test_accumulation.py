"""How many batches make an update: the text form, and the number over a run."""

import re

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules import AccumulationSchedule, check_growth, growth


@pytest.mark.parametrize(
    ("value", "expected", "printed"),
    [
        (None, None, None),
        (1, None, None),
        ("1", None, None),
        (AccumulationSchedule(), None, None),
        (4, AccumulationSchedule(4), "4"),
        (" 4 ", AccumulationSchedule(4), "4"),
        ("grow(4)", AccumulationSchedule(4), "4"),
        ("grow(4, factor=5)", AccumulationSchedule(4), "4"),
        ("grow", None, None),
        (
            "grow(factor=5, at=[0.3, 0.6])",
            AccumulationSchedule(1, 5, (0.3, 0.6)),
            "grow(start=1, factor=5, at=(0.3, 0.6))",
        ),
        (
            "grow(2, at=['30 passes'])",
            AccumulationSchedule(2, at=["30 passes"]),
            "grow(start=2, factor=2, at=('30 passes',))",
        ),
    ],
)
def test_how_many_batches_make_an_update(value, expected, printed):
    found = growth(value)
    assert found == expected
    if isinstance(value, str):
        check_growth(value)
    if found is not None:
        assert repr(found) == printed
        assert growth(printed) == found
        assert found.constant == printed.isdecimal()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "grow: start must be a whole number of at least 1, got 0"),
        ("-2", "grow: start must be a whole number of at least 1, got -2"),
        ("4.5", "must be a whole number, or grow(start=1, factor=2, at=[0.3, 0.6]); got '4.5'"),
        ("", "must be a whole number, or grow("),
        ("grwo(4)", "must be a whole number, or grow("),
        ("./mine.py:grow(4)", "must be a whole number, or grow("),
        (2.0, "must be a whole number, or grow("),
        (True, "must be a whole number, or grow("),
        ("grow(2, 1, [0.5])", "grow: factor must be a whole number of at least 2, got 1"),
        ("grow(at=0.5)", "grow: at must be a list of points"),
        ("grow(at=[1.5])", "grow: at must be a list of points"),
        ("grow(by=2)", "unknown parameter of grow 'by'"),
        ("grow(factor=1000, at=[0.1, 0.2, 0.3])", "an update would be made of 1000000000 batches at the end"),
    ],
)
def test_growth_that_cannot_be(value, message):
    for reader in (growth, check_growth) if isinstance(value, str) else (growth,):
        with pytest.raises(UserError, match=re.escape(message)):
            reader(value)


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_batches_of_an_update_over_a_run(jit_compile):
    grow = AccumulationSchedule(2, 3, [0.25, "15 passes", 0.5])

    def batches(progress):
        return grow.batches(Timestamp.from_progress(progress, progress * 20))

    found = batches if jit_compile is None else tf.function(batches, jit_compile=jit_compile, autograph=False)
    numbers = [found(tf.constant(p)) for p in (0.0, 0.24, 0.25, 0.49, 0.5, 0.74, 0.75, 1.0)]
    assert [int(number) for number in numbers] == [2, 2, 6, 6, 18, 18, 54, 54]
    assert {number.dtype for number in numbers} == {tf.int32}
    assert grow.most == 54


points = st.lists(st.floats(0, 1, exclude_min=True) | st.sampled_from(["0.5 passes", "30 passes"]), max_size=4)


@given(st.builds(AccumulationSchedule, st.integers(1, 64), st.integers(2, 8), points))
def test_printed_growth_is_read_back(grow):
    assert (growth(repr(grow)) or AccumulationSchedule()) == grow
