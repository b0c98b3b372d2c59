"""Accumulation schedules: the text form, and the number of batches over a run."""

import re

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules import AccumulationSchedule, accumulation_schedule, check_accumulation


@pytest.mark.parametrize(
    ("value", "expected", "printed"),
    [
        (None, None, None),
        (1, None, None),
        ("1", None, None),
        (AccumulationSchedule(), None, None),
        (4, AccumulationSchedule(start=4), "4"),
        (" 4 ", AccumulationSchedule(start=4), "4"),
        ("grow(start=4)", AccumulationSchedule(start=4), "4"),
        ("grow", None, None),
        (
            "grow(factor=5, at=[0.3, 0.6])",
            AccumulationSchedule(5, (0.3, 0.6), 1),
            "grow(factor=5, at=(0.3, 0.6), start=1)",
        ),
        (
            "grow(3, at=['30 passes'], start=2)",
            AccumulationSchedule(3, ["30 passes"], 2),
            "grow(factor=3, at=('30 passes',), start=2)",
        ),
    ],
)
def test_every_form_of_accumulation_is_read_and_printed(value, expected, printed):
    found = accumulation_schedule(value)
    assert found == expected
    if isinstance(value, str):
        check_accumulation(value)
    if found is not None:
        assert repr(found) == printed
        assert accumulation_schedule(printed) == found
        assert found.constant == printed.isdecimal()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "grow: start must be a whole number of at least 1, got 0"),
        ("-2", "grow: start must be a whole number of at least 1, got -2"),
        ("4.5", "must be a whole number, or grow(2, at=[0.3, 0.6]); got '4.5'"),
        ("", "must be a whole number, or grow("),
        ("grwo(4)", "must be a whole number, or grow("),
        ("./mine.py:grow(4)", "must be a whole number, or grow("),
        (2.0, "must be a whole number, or grow("),
        (True, "must be a whole number, or grow("),
        ("grow(1, [0.5])", "grow: factor must be a whole number of at least 2, got 1"),
        ("grow(at=0.5)", "grow: at must be a list of milestones"),
        ("grow(at=[1.5])", "grow: at must be a list of milestones"),
        ("grow(4)", "grow: the factor 4 has no effect without milestones"),
        ("grow(2)", "say 2 for that many batches in every update"),
        ("grow(factor=5, start=4)", "grow: the factor 5 has no effect without milestones"),
        ("grow(by=2)", "unknown parameter of grow 'by'"),
        ("grow(factor=1000, at=[0.1, 0.2, 0.3])", "the last updates would have 1000000000 batches"),
    ],
)
def test_accumulation_that_cannot_be_read_is_refused(value, message):
    for reader in (accumulation_schedule, check_accumulation) if isinstance(value, str) else (accumulation_schedule,):
        with pytest.raises(UserError, match=re.escape(message)):
            reader(value)


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_batches_grow_at_each_milestone_in_every_mode(jit_compile):
    grow = AccumulationSchedule(3, [0.25, "15 passes", 0.5], start=2)

    def batches(progress):
        return grow.batches(Timestamp.from_progress(progress, progress * 20))

    found = batches if jit_compile is None else tf.function(batches, jit_compile=jit_compile, autograph=False)
    numbers = [found(tf.constant(p)) for p in (0.0, 0.24, 0.25, 0.49, 0.5, 0.74, 0.75, 1.0)]
    assert [int(number) for number in numbers] == [2, 2, 6, 6, 18, 18, 54, 54]
    assert {number.dtype for number in numbers} == {tf.int32}
    assert grow.max_batches == 54


milestones = st.lists(st.floats(0, 1, exclude_min=True) | st.sampled_from(["0.5 passes", "30 passes"]), max_size=4)


@given(st.integers(2, 8), milestones, st.integers(1, 64))
def test_printed_accumulation_is_read_back(factor, at, start):
    grow = AccumulationSchedule(factor if at else 2, at, start)
    assert (accumulation_schedule(repr(grow)) or AccumulationSchedule()) == grow
