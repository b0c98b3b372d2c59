"""Schedules as functions: their formulas, written out independently here, and what holds for all of them."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsel import UserError
from batchsel.core.timestamp import Timestamp
from batchsel.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    OneCycle,
    Polynomial,
    Product,
    Scale,
    StepDecay,
    Warmup,
    WarmupCosine,
    schedule,
)
from batchsel.schedules.registry import REGISTRY

P = np.linspace(0, 1, 101)  # holds every point at which one of the schedules below has a corner
PASSES = 20 * P


def annealed(start, end, share):
    """Cosine annealing as PyTorch documents it: `start` for a share of 0, `end` for 1."""
    return end + (start - end) / 2 * (1 + np.cos(np.pi * share))


def one_cycle(start, peak, end, rise):
    """The two phases of PyTorch's OneCycleLR in their continuous form.

    PyTorch has them over the steps 0 to n - 1, the first ending at step rise · n - 1; with n steps of which none is
    lost, the ends of the phases are the shares 0, rise and 1 of the budget.
    """
    falls = annealed(peak, end, (P - rise) / (1 - rise))
    return np.where(rise > P, annealed(start, peak, P / rise), falls)


def torch_one_cycle(n, peak, div, final_div, rise):
    """OneCycleLR step by step, as PyTorch computes it: phases end at step rise · n - 1 and step n - 1."""
    first, rates = float(rise * n) - 1, []
    for step in range(n):
        if step <= first:
            rates.append(annealed(peak / div, peak, step / first))
        else:
            rates.append(annealed(peak, peak / div / final_div, (step - first) / (n - 1 - first)))
    return np.array(rates)


FORMULAS = {
    "constant": np.ones_like(P),
    "linear": 1 - P,
    "linear(0.2)": 1 - 0.8 * P,
    "cosine": annealed(1, 0, P),
    "cosine(end=0.1)": annealed(1, 0.1, P),
    "polynomial": (1 - P) ** 2,
    "polynomial(0.5, end=0.3)": 0.3 + 0.7 * np.sqrt(1 - P),
    "exponential": 10 ** (-2 * P),
    "exponential(0.5)": 0.5**P,
    "step": np.select([P < 0.5, P < 0.75], [1, 0.1], 0.01),
    "step(['2 passes', 0.5, '15 passes'], 0.5)": 0.5 ** ((PASSES >= 2) * 1.0 + (P >= 0.5) + (PASSES >= 15)),
    "inverse_sqrt": np.minimum(P / 0.05, np.sqrt(0.05 / np.maximum(P, 0.05))),
    "inverse_sqrt('4 passes', start=1)": np.sqrt(4 / np.maximum(PASSES, 4)),
    "one_cycle": one_cycle(1 / 25, 1, 1 / 25e4, 0.3),
    "one_cycle(0.5, 10, 100, 0.4, [0.8, 0.9])": one_cycle(1 / 10, 1, 1 / 1000, 0.4),
    "warmup": np.minimum(P / 0.05, 1),
    "warmup(0.2, start=0.5)": np.minimum(0.5 + 0.5 * P / 0.2, 1),
    "warmup('5 passes', 0.1, 'constant')": np.where(PASSES < 5, 0.1, 1),
    "warmup('5 passes', 'base') | scale('sqrt', 128) | linear": np.minimum(0.5 + PASSES / 10, 1) * 2 * (1 - P),
    "warmup_cosine": np.where(P < 0.05, P / 0.05, annealed(1, 0, (P - 0.05) / 0.95)),
    "warmup_cosine('5 passes', 0.1, 0.2)": np.where(
        PASSES < 5, 0.1 + 0.9 * PASSES / 5, annealed(1, 0.2, (PASSES - 5) / 15)
    ),
    "warmup_cosine('5 passes', 'base') | scale('sqrt', 128)": 2
    * np.where(PASSES < 5, 0.5 + PASSES / 10, annealed(1, 0, (PASSES - 5) / 15)),
    "scale": np.full_like(P, 2),
    "scale('none')": np.ones_like(P),
}
"""For 20 passes and batches of 512."""


def bound(text, batch_size=512):
    made = schedule(text)
    return made.bind(batch_size, made.multiple(batch_size))


def values(made, progress=P, passes=20):
    return made(progress, progress * passes).numpy()


@pytest.mark.parametrize("text", FORMULAS)
def test_factors_match_known_values(text):
    np.testing.assert_allclose(values(bound(text)), FORMULAS[text], atol=2e-7, rtol=2e-6)


def test_every_schedule_without_layer_rates_has_known_values():
    assert {text.split("(")[0] for text in FORMULAS} >= set(REGISTRY.built_in_entries) - {"lerac"}


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_factors_match_eager_ones(jit_compile):
    made = [bound(text) for text in FORMULAS]

    @tf.function(jit_compile=jit_compile, autograph=False)
    def compiled(progress):
        return tf.stack([one(progress, progress * 20) for one in made])

    shares = P[::10].astype("float32")
    found = np.array([compiled(tf.constant(p)) for p in shares])
    np.testing.assert_allclose(found, np.transpose([FORMULAS[text][::10] for text in FORMULAS]), atol=3e-7, rtol=3e-6)
    assert found.dtype == np.float32
    ends = {"cosine": 0, "linear": 0, "polynomial": 0, "cosine(end=0.1)": np.float32(0.1), "constant": 1}
    assert {text: found[-1, list(FORMULAS).index(text)] for text in ends} == ends
    assert found.min() >= 0


def test_warmup_cosine_matches_keras():
    """`CosineDecay` counts the steps after the warm-up, and reaches the target where it ends."""
    warm, rest, target, start = 20, 80, 0.4, 0.1
    theirs = keras.optimizers.schedules.CosineDecay(
        target * start, rest, alpha=0.05, warmup_target=target, warmup_steps=warm
    )
    ours = WarmupCosine(warm / (warm + rest), start, 0.05)
    steps = np.arange(warm + rest + 1)
    expected = [float(theirs(step)) for step in steps]
    np.testing.assert_allclose(target * ours(steps / (warm + rest)).numpy(), expected, rtol=1e-5, atol=1e-7)
    assert ours(warm / (warm + rest)) == 1
    assert (schedule("cosine") | Warmup(warm / (warm + rest), start))(warm / (warm + rest)) < 0.95


@pytest.mark.parametrize("n", [100, 1000])
def test_one_cycle_matches_pytorch(n):
    """The same rates at the same places of the two phases, which PyTorch counts in steps."""
    peak, div, final_div, rise = 0.05, 25.0, 1e4, 0.25
    theirs = torch_one_cycle(n, peak, div, final_div, rise)
    first = rise * n - 1
    steps = np.arange(n)
    share = np.where(steps <= first, rise * steps / first, rise + (1 - rise) * (steps - first) / (n - 1 - first))
    ours = OneCycle(peak, div, final_div, rise)
    assert ours.base_learning_rate == peak
    rates = peak * values(ours, share)
    np.testing.assert_allclose(rates, theirs, rtol=2e-5, atol=2e-9)
    # By progress, the two differ by no more than the step that PyTorch does not count.
    np.testing.assert_allclose(peak * values(ours, steps / n), theirs, atol=2 * peak * math.pi / 2 / (rise * n))
    assert rates[0] == np.float32(peak / div)
    assert rates.max() == np.float32(peak)
    assert rates[-1] == pytest.approx(peak / div / final_div)


def test_one_cycle_moves_the_momentum_in_the_opposite_direction():
    cycle = OneCycle(momenta=[0.85, 0.95])
    found = cycle.momentum(Timestamp.from_progress(P)).numpy()
    expected = np.where(P < 0.3, annealed(0.95, 0.85, P / 0.3), annealed(0.85, 0.95, (P - 0.3) / 0.7))
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert (found[0], found[30], found[100]) == (np.float32(0.95), np.float32(0.85), np.float32(0.95))
    assert OneCycle().momentum(Timestamp.from_progress(0.5)) is None
    product = schedule("one_cycle(momenta=[0.85, 0.95]) | warmup(0.1)")
    assert product.momentum(Timestamp.from_progress(0.3)) == np.float32(0.85)


@pytest.mark.parametrize(
    ("text", "theirs"),
    [
        ("cosine(end=0.1)", keras.optimizers.schedules.CosineDecay(1.0, 100, alpha=0.1)),
        ("linear(0.2)", keras.optimizers.schedules.PolynomialDecay(1.0, 100, 0.2)),
        ("polynomial(0.5, end=0.3)", keras.optimizers.schedules.PolynomialDecay(1.0, 100, 0.3, power=0.5)),
        ("exponential(0.5)", keras.optimizers.schedules.ExponentialDecay(1.0, 100, 0.5)),
        ("step([0.5, 0.75])", keras.optimizers.schedules.PiecewiseConstantDecay([49, 74], [1.0, 0.1, 0.01])),
        (
            "warmup(0.25)",
            keras.optimizers.schedules.CosineDecay(0.0, 1, alpha=1.0, warmup_target=1.0, warmup_steps=25),
        ),
    ],
)
def test_factors_match_keras_schedules(text, theirs):
    expected = [float(theirs(step)) for step in range(0, 101, 3)]
    np.testing.assert_allclose(values(schedule(text), P[::3]), expected, atol=2e-7)


def test_scaling_rules_multiply_the_rate():
    assert [Scale(rule, 128).multiple(512) for rule in ("linear", "sqrt", "none")] == [4, 2, 1]
    assert Scale(rate=0.1).base_learning_rate == 0.1
    product = schedule("scale('linear', 256, rate=0.1) | cosine")
    assert (product.multiple(8192), product.base_learning_rate) == (32, 0.1)
    made = product.bind(8192, 32.0)
    assert made(0.0) == 32
    assert made.base_learning_rate == 0.1
    assert made.multiple(64) == 0.25
    assert repr(made) == repr(product)
    assert made.bind(64, 0.25)(0.0) == 0.25
    with pytest.raises(UserError, match="has no factor before the batch size is known"):
        product(0.5)


def test_warm_up_starts_at_the_base_rate():
    gradual = Warmup("5 passes", "base")
    assert gradual(0.0) == 1
    assert gradual.bind(8192, 32.0) == Warmup("5 passes", 1 / 32)
    assert gradual.bind(64, 0.25).start == 1  # the scaled rate is the lower one: nothing to warm up to
    assert Warmup(0.1, 0.5).bind(8192, 32.0) == Warmup(0.1, 0.5)


shares = st.floats(0, 1)
above_none = st.floats(0.001, 1)
durations = above_none | st.floats(0.01, 500).map(lambda passes: f"{passes} passes")
points = st.lists(durations, min_size=1, max_size=4)
FALLING = [
    st.builds(Linear, shares),
    st.builds(Cosine, shares),
    st.builds(Polynomial, st.floats(0.1, 20), shares),
    st.builds(Exponential, above_none),
]
PARTS = [
    *FALLING,
    st.just(Constant()),
    st.builds(StepDecay, points, above_none),
    st.builds(InverseSqrt, durations, shares),
    st.builds(Warmup, durations, shares, st.sampled_from(["linear", "constant"])),
    st.builds(WarmupCosine, durations, shares, shares),
    st.builds(
        OneCycle,
        st.none(),
        st.floats(1, 1e4),
        st.floats(1, 1e6),
        st.floats(0.01, 0.99),
        st.none() | st.just([0.1, 0.9]),
    ),
]
parts = st.one_of(*PARTS)
few = settings(max_examples=60)


@few
@given(parts, shares, st.floats(0, 300))
def test_factors_are_never_negative_nor_above_1(part, progress, passes):
    assert 0 <= part(progress, passes) <= 1


@few
@given(st.one_of(*FALLING), shares, shares)
def test_decays_start_at_1_never_rise_and_end_at_end(part, one, other):
    first, second = sorted([one, other])
    assert part(0.0) == 1
    assert part(1.0) == np.float32(part.end)
    assert part(first) >= part(second) - 1.2e-7  # the sine may err in the last bit


@few
@given(durations, shares, shares, shares, st.floats(0.1, 1000))
def test_warm_ups_rise_from_their_start_to_exactly_1(share, start, one, other, passes):
    warmup = Warmup(share, start)
    first, second = sorted([one, other])
    assert warmup(first, first * passes) <= warmup(second, second * passes)
    assert warmup(0.0, 0.0) == np.float32(start)
    assert warmup(1.0, 1e6) == 1


@few
@given(st.floats(0.01, 100), shares, shares, shares)
def test_durations_in_passes_do_not_depend_on_the_budget(passes, one, other, done):
    for part in (Warmup(f"{passes} passes"), InverseSqrt(f"{passes} passes"), StepDecay([f"{passes} passes"])):
        assert part(one, done * 2 * passes) == part(other, done * 2 * passes)


@few
@given(above_none.map(np.float32))
def test_a_milestone_is_reached_exactly_at_its_time(point):
    just_before = np.nextafter(point, np.float32(0))
    step = StepDecay([float(point), "5 passes"], 0.5)
    assert [float(step(p, 0)) for p in (just_before, point)] == [1, 0.5]
    assert [float(step(just_before, passes)) for passes in (np.nextafter(np.float32(5), 0), 5)] == [1, 0.5]


@few
@given(st.lists(parts, min_size=2, max_size=4), shares)
def test_a_product_is_the_product_of_its_parts(several, progress):
    alone = [np.float32(part(progress)) for part in several]
    steering = [part for part in several if part.momentum(Timestamp.from_progress(0.0)) is not None]
    if len(steering) > 1:
        with pytest.raises(UserError, match="both set the momentum"):
            Product(tuple(several))
        return
    product = several[0] | several[1]
    for part in several[2:]:
        product |= part
    np.testing.assert_allclose(product(progress), np.prod(alone, dtype=np.float32), rtol=1e-6)
