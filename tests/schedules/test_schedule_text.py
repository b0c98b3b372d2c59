"""The text form of schedules: what is read, printed, and refused with which words."""

import math
import re
import subprocess
import sys

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsel import cards, schedules
from batchsel.errors import UsageError, UserError
from batchsel.experiments.spec.resolve import resolve
from batchsel.schedules import (
    AccumulationSchedule,
    Constant,
    Cosine,
    Exponential,
    FunctionSchedule,
    InverseSqrt,
    LeRaC,
    Linear,
    OneCycle,
    Polynomial,
    Product,
    Scale,
    Schedule,
    StepDecay,
    Warmup,
    check,
    schedule,
)
from batchsel.schedules.registry import REGISTRY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant", Constant()),
        ("  cosine  ", Cosine()),
        ("linear()", Linear()),
        ("cosine | warmup(0.05)", Product((Cosine(), Warmup()))),
        ("warmup(0.2, start=0.5)", Warmup(0.2, 0.5)),
        ("warmup('5 passes', 'base')", Warmup("5 passes", "base")),
        ("step([0.3, '60 passes'], 0.2)", StepDecay((0.3, "60 passes"), 0.2)),
        ("step(at=(0.3,))", StepDecay([0.3])),
        ("one_cycle(0.05, momenta=[0.85, 0.95])", OneCycle(peak=0.05, momenta=(0.85, 0.95))),
        ("scale('sqrt', batch=64, rate=.1)|polynomial", Scale("sqrt", 64, 0.1) | Polynomial()),
        ("cosine | warmup | scale", Cosine() | (Warmup() | Scale())),
    ],
)
def test_texts_are_read(text, expected):
    check(text)
    found = schedule(text)
    assert found == expected
    assert hash(found) == hash(expected)
    assert schedule(repr(found)) == found
    assert schedule(found) is found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cosin", "unknown schedule 'cosin'. Did you mean 'cosine'"),
        ("linear | warmpu(0.1)", "unknown schedule 'warmpu'. Did you mean 'warmup'"),
        ("linear |", "in 'linear |'"),
        ("linear |", "as in 'cosine | warmup(0.05)'"),
        ("", "cannot read ''"),
        ("cosine(lambda: 0)", "cannot read"),
    ],
)
def test_check_rejects_wrong_texts(text, message):
    for reader in (check, schedule):
        with pytest.raises(UsageError, match=re.escape(message)):
            reader(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("constant(0.5)", "cannot build 'constant(0.5)': too many positional arguments"),
        ("warmup(speed=2)", "unknown parameter of warmup 'speed'. Known: form, share, start"),
        ("one_cycle(momentum=[0.8, 0.9])", "unknown parameter of one_cycle 'momentum'. Did you mean 'momenta'"),
        ("linear(2)", "linear: end must be a number in [0, 1], got 2"),
        ("cosine(end=-0.1)", "cosine: end must be a number in [0, 1], got -0.1"),
        ("polynomial(0)", "polynomial: power must be a number in [1e-06, 1000000], got 0"),
        ("exponential(0)", "exponential: end must be a number in (0, 1], got 0"),
        (
            "warmup(share=2)",
            "warmup: share must be a share of the budget in (0, 1] or a text such as '5 passes' (a pass is what Keras"
            " calls an epoch), got 2",
        ),
        ("warmup('3 epochs')", "'5 passes' (a pass is what Keras calls an epoch), got '3 epochs'"),
        ("warmup('1.2.3 passes')", "warmup: share must be a share of the budget in (0, 1] or a text such as"),
        ("warmup(start=-1)", "warmup: start must be a number in [0, 1] or 'base', got -1"),
        ("warmup(start='bottom')", "warmup: start must be a number in [0, 1] or 'base', got 'bottom'"),
        ("warmup(form='gradual')", "warmup: form must be one of 'linear', 'constant', got 'gradual'"),
        ("step([])", "step: at must list at least one milestone"),
        ("step(0.5)", "step: at must be a list of milestones, each a share of the budget in (0, 1] or a text such as"),
        ("step([0.5, 0])", "calls an epoch), got [0.5, 0]"),
        ("step(times=0)", "step: times must be a number in (0, 1000], got 0"),
        ("inverse_sqrt(0)", "inverse_sqrt: warmup must be a share of the budget in (0, 1]"),
        ("one_cycle(peak=0)", "one_cycle: peak must be a number in (0, 1000000] or None, got 0"),
        ("one_cycle(div=0.5)", "one_cycle: div must be a number in [1, 1000000000], got 0.5"),
        ("one_cycle(rise=1)", "one_cycle: rise must be a number in (0, 1), got 1"),
        ("one_cycle(momenta=0.9)", "one_cycle: momenta must be the lowest and the highest momentum, in [0, 1)"),
        ("one_cycle(momenta=[0.95, 0.85])", "as in [0.85, 0.95] or None, got [0.95, 0.85]"),
        ("scale('cubic')", "scale: rule must be one of 'linear', 'sqrt', 'none', got 'cubic'"),
        ("scale(batch=0)", "scale: batch must be a whole number of at least 1, got 0"),
        ("scale(rate=-1)", "scale: rate must be a number in (0, 1000000] or None, got -1"),
        ("one_cycle(peak=1) | scale(rate=0.1)", "one_cycle and scale both set the learning rate"),
        ("./nowhere.py:rate", "there is no file 'nowhere.py' to load 'rate' from"),
    ],
)
def test_impossible_parameters_are_refused(text, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        schedule(text)


def test_objects_and_functions_become_schedules():
    assert schedule(None) is None
    assert schedule(Cosine) == Cosine()
    assert isinstance(schedule(math.sqrt), FunctionSchedule)
    for value in (0.5, ["cosine"], dict, AccumulationSchedule(start=4)):
        with pytest.raises(UsageError, match="must be a text such as 'cosine | warmup"):
            schedule(value)
    with pytest.raises(UsageError, match="pass it to the optimizer as its learning rate"):
        schedule(keras.optimizers.schedules.CosineDecay(0.1, 10))


def test_schedules_from_a_file_are_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import dataclasses, batchsel\n"
        "@dataclasses.dataclass(frozen=True, repr=False)\n"
        "class Mine(batchsel.schedules.Schedule):\n"
        "    name = 'mine'\n"
        "    level: float = 0.25\n"
        "    def factor(self, moment):\n"
        "        return self.level + 0 * moment.progress\n"
        "def falling(progress):\n"
        "    return 1 - progress\n"
    )
    assert schedule("./mine.py:Mine(0.5)")(0.1) == 0.5
    assert schedule("./mine.py:Mine")(0.1) == 0.25
    assert schedule("./mine.py:falling")(0.25) == 0.75
    product = schedule("./mine.py:Mine(0.5) | linear | ./mine.py:falling")
    assert product(0.5) == 0.125
    assert repr(product) == "mine(level=0.5) | linear(end=0.0) | function(falling)"
    with pytest.raises(UsageError, match="unknown name in mine.py 'Mien'"):
        schedule("./mine.py:Mien")


def test_texts_are_checked_without_tensorflow():
    code = (
        "import sys; from batchsel import schedules; from batchsel.schedules.registry import REGISTRY\n"
        "schedules.check('cosine | warmup(0.05)'); schedules.check_accumulation('grow(at=[0.5])'); REGISTRY.doc('cosine')\n"
        "assert schedules.__all__; sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_class_is_public():
    from batchsel import schedules

    public = [getattr(schedules, name) for name in schedules.__all__]
    classes = [value for value in public if isinstance(value, type) and value is not Schedule]
    named = {value.name for value in classes if issubclass(value, Schedule)}
    assert named == {*REGISTRY.built_in_entries, "product", "function"}


shares = st.floats(0, 1)
above_none = st.floats(0, 1, exclude_min=True)
large = st.floats(1, 1e9)
durations = above_none | st.floats(0.01, 1e6).map(lambda passes: f"{passes} passes")
points = st.lists(durations, min_size=1, max_size=4)
rates = st.none() | st.floats(0, 1e6, exclude_min=True)
pairs = st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=2).map(sorted)
parts = st.one_of(
    st.just(Constant()),
    st.builds(Linear, shares),
    st.builds(Cosine, shares),
    st.builds(Polynomial, st.floats(1e-6, 1e6), shares),
    st.builds(Exponential, above_none),
    st.builds(StepDecay, points, above_none),
    st.builds(InverseSqrt, durations, shares),
    st.builds(Warmup, durations, shares | st.just("base"), st.sampled_from(["linear", "constant"])),
    st.builds(OneCycle, rates, large, large, st.floats(0.001, 0.999), st.none() | pairs),
    st.builds(LeRaC, durations, above_none.map(lambda rate: max(rate, 1e-9))),
    st.builds(Scale, st.sampled_from(["linear", "sqrt", "none"]), st.integers(1, 2**31 - 1), rates),
)


@settings(max_examples=60)
@given(st.lists(parts, min_size=1, max_size=3))
def test_printed_schedules_are_read_back(several):
    made = several[0]
    try:
        for part in several[1:]:
            made |= part
    except UserError:  # two of them state the rate, or set the momentum
        made = several[0]
    text = repr(made)
    check(text)
    assert schedule(text) == made
    assert repr(schedule(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "one_cycle(0.05)",
        "one_cycle(div=2, peak=0.05)",
        "cosine | scale('sqrt', 64, 0.05)",
        "one_cycle",
        "scale",
        "linear",
    ],
)
def test_the_rate_in_a_text_is_that_of_its_schedule(text):
    assert schedules.base_learning_rate(text) == schedules.schedule(text).base_learning_rate


def test_a_rate_other_than_that_of_the_schedule_is_refused():
    card = cards.load("datasets", "digits")
    given = {"schedule": "one_cycle(peak=0.05)"}
    found = resolve(given, {}, card)
    assert found.learning_rate == 0.05
    assert resolve({}, {**found.values()}, card) == found  # a printed configuration can be read again
    with pytest.raises(UsageError, match=r"states the learning rate, 0.05, and learning_rate=0.1 is given too"):
        resolve(given | {"learning_rate": 0.1}, {}, card)


@pytest.mark.parametrize("text", [f"one_cycle(peak={'9' * 400})", "scale('linear', 256, 1e400)"])
def test_a_rate_beyond_the_bounds_is_left_to_the_check_of_the_text(text):
    assert schedules.base_learning_rate(text) is None
    with pytest.raises(UsageError, match="must be a number in"):
        check(text)
