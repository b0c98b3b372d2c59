"""LeRaC: both forms against NumPy, and what holds of them at any place and moment."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.schedules import LeRaC, schedule
from batchsel.schedules.registry import REGISTRY

RATE = 0.1


def places(groups):
    return tf.constant([group / max(groups - 1, 1) for group in range(groups)], tf.float32)


def factors(lerac, groups, progress, passes=None, rate=RATE):
    return lerac.layer_factors(Timestamp.from_progress(progress, passes), places(groups), tf.constant(rate)).numpy()


def paper(groups, t, eta, eta_min, c):
    """Equation 9 as it is printed, with its c."""
    starts = np.geomspace(eta, min(eta_min, eta), groups)
    return starts * c ** (t * (np.log(eta) / np.log(c) - np.log(starts) / np.log(c)))


def authors(groups, updates, eta, eta_min, c, head=None):
    """What the loop of the authors' code does to the rates, up to a stop of 1.1 η; here never above η."""
    rates = [max(eta * c**-group, min(eta_min, eta)) for group in range(groups)]
    if head is not None:
        rates[-1] = eta * head
    for _ in range(updates):
        rates = [rate * c if rate * c <= 1.1 * eta else rate for rate in rates]
    return np.minimum(rates, eta)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.99])
@pytest.mark.parametrize(("eta", "eta_min"), [(0.1, 1e-8), (0.002, 2e-6), (1e-6, 1e-4)])
@pytest.mark.parametrize("c", [2.0, 10.0])
def test_the_geometric_form_is_equation_9_for_any_c(t, eta, eta_min, c):
    found = factors(LeRaC(0.5, eta_min, c=c), 6, t / 2, rate=eta)
    np.testing.assert_allclose(found * eta, paper(6, t, eta, eta_min, c), rtol=2e-5)
    np.testing.assert_allclose(found * eta, paper(6, t, eta, eta_min, 3.0), rtol=2e-5)


@pytest.mark.parametrize(
    ("eta_min", "c", "head"), [(1e-5, 10.0, None), (1e-7, 10.0, 1e-4), (3e-5, 10.0, 0.5), (1e-6, 3.0, 1e-6)]
)
@pytest.mark.parametrize("updates", [1, 2, 4])
def test_the_multiplicative_form_matches_the_authors_loop(eta_min, c, head, updates):
    lerac = LeRaC("50 passes", eta_min, "multiplicative", c, head, updates)
    for passes in (0.0, 0.24, 0.25, 0.5, 0.999, 1.0, 1.5, 2.0, 3.75, 7.0, 49.0):
        expected = authors(9, math.floor(passes * updates), RATE, eta_min, c, head)
        found = factors(lerac, 9, passes / 100, passes)
        np.testing.assert_allclose(found * RATE, expected, rtol=2e-5, err_msg=f"after {passes} passes")


def test_the_multiplicative_form_ends_at_exactly_1():
    lerac = LeRaC("50 passes", 1e-8, "multiplicative")
    assert factors(lerac, 8, 0.1, 7.0).tolist() == [1.0] * 8
    assert factors(lerac, 8, 0.1, 6.0).tolist() == [1.0] * 7 + [pytest.approx(0.1)]


def test_c_changes_only_the_multiplicative_form():
    slow, fast = (factors(LeRaC("9 passes", form="multiplicative", c=c), 5, 0.1, 1.0) for c in (2.0, 10.0))
    np.testing.assert_allclose(slow, [1, 1, 1 / 2, 1 / 4, 1 / 8], rtol=1e-6)
    np.testing.assert_allclose(fast, [1, 1, 1 / 10, 1 / 100, 1 / 1000], rtol=1e-6)


def test_updates_are_on_time_for_many_samples():
    just_below_3 = np.nextafter(np.float32(3), np.float32(0))
    found = factors(LeRaC("9 passes", form="multiplicative"), 5, 0.1, just_below_3)
    np.testing.assert_allclose(found, [1, 1, 1, 1, 0.1], rtol=1e-6)


def test_the_head_starts_at_its_factor():
    np.testing.assert_allclose(factors(LeRaC(0.5, 1e-5, head=0.01), 3, 0.0), [1, 1e-2, 1e-2], rtol=1e-5)
    np.testing.assert_allclose(factors(LeRaC(0.5, 1e-5, head=0.01), 3, 0.25), [1, 0.1, 0.1], rtol=1e-5)
    assert factors(LeRaC(0.5, head=1.0), 3, 0.0)[-1] == 1.0
    assert factors(LeRaC(0.5, head=0.01), 1, 0.0).tolist() == [1.0], "a single group lies at the inputs"


def test_k_in_passes_and_as_a_share_agree():
    for progress in (0.0, 0.03, 0.1, 0.3):
        share, passes = (factors(LeRaC(k), 4, progress, 40 * progress) for k in (0.2, "8 passes"))
        np.testing.assert_allclose(share, passes, rtol=1e-5)
    assert factors(LeRaC(0.2), 4, 0.2).tolist() == factors(LeRaC("8 passes"), 4, 0.2, 8).tolist() == [1.0] * 4


def test_a_rate_below_eta_min_is_the_same_for_all_layers():
    for rate in (0.0, 1e-9):
        assert factors(LeRaC(0.5), 3, 0.0, rate=rate).tolist() == [1.0] * 3


anything = {
    "form": st.sampled_from(["geometric", "multiplicative"]),
    "k": st.floats(0.01, 1.0),
    "eta_min": st.floats(1e-12, 1.0),
    "c": st.floats(1.01, 1e4),
    "head": st.none() | st.floats(1e-9, 1.0),
    "updates": st.integers(1, 8),
    "groups": st.integers(1, 40),
    "rate": st.floats(1e-6, 10.0),
    "progress": st.floats(0.0, 1.0),
}


@settings(max_examples=50)
@given(**anything, later=st.floats(0.0, 1.0))
@example("multiplicative", 0.2, 1e-8, 10.0, None, 1, 12, 0.1, 0.1, 0.1)
def test_factors_lie_in_0_to_1_rise_with_time_and_end_at_1(
    form, k, eta_min, c, head, updates, groups, rate, progress, later
):
    lerac = LeRaC(k, eta_min, form, c, head, updates)
    first, second = (factors(lerac, groups, at, 20 * at, rate) for at in sorted((progress, later)))
    for found in (first, second):
        assert found.dtype == np.float32
        assert found.shape == (groups,)
        assert np.all((found > 0) & (found <= 1))
    assert np.all(second >= first * (1 - 1e-6))
    assert factors(lerac, groups, k, 20 * k, rate).tolist() == [1.0] * groups
    assert factors(lerac, groups, 1.0, 20.0, rate).tolist() == [1.0] * groups
    assert float(lerac(progress)) == 1.0


@settings(max_examples=50)
@given(**anything)
def test_deeper_layers_have_lower_rates(form, k, eta_min, c, head, updates, groups, rate, progress):
    found = factors(LeRaC(k, eta_min, form, c, updates=updates), groups, progress, 20 * progress, rate)
    if form == "geometric":
        assert np.all(np.diff(found) <= 0)
    assert found[0] == 1.0


@pytest.mark.parametrize("form", ["geometric", "multiplicative"])
def test_factors_depend_on_time_alone(form):
    """Samples trained on decide, not steps: batches of 1, 7 and 32, in one traced function and outside."""
    lerac, n, budget = LeRaC("2 passes", form=form), 64, 4 * 64
    traced = tf.function(
        lambda timestamp: lerac.layer_factors(timestamp, places(5), tf.constant(RATE)), jit_compile=True
    )
    by_samples = {}
    for batch in (1, 7, 32):
        for samples in range(0, budget, batch):
            timestamp = Timestamp.from_progress(tf.constant(samples / budget), tf.constant(samples / n))
            eager = lerac.layer_factors(timestamp, places(5), tf.constant(RATE)).numpy()
            assert by_samples.setdefault(samples, eager.tolist()) == eager.tolist()
            if batch == 32:
                np.testing.assert_allclose(traced(timestamp), eager, rtol=1e-5)


def test_lerac_multiplies_with_other_schedules_and_is_read_from_text():
    lerac = schedule("lerac('5 passes', form='multiplicative', updates=2)")
    assert lerac == LeRaC("5 passes", form="multiplicative", updates=2)
    assert schedule(repr(lerac)) == lerac
    both = lerac | LeRaC(0.5, 1e-4)
    timestamp = Timestamp.from_progress(0.1, 1.0)
    product = lerac.layer_factors(timestamp, places(4), tf.constant(RATE)) * factors(LeRaC(0.5, 1e-4), 4, 0.1)
    assert both.by_layer
    np.testing.assert_allclose(both.layer_factors(timestamp, places(4), tf.constant(RATE)), product)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"k": 0},
            "k must be a share of the budget in (0, 1] or a text such as '5 passes' (a pass is what Keras calls an epoch), got 0",
        ),
        ({"k": "5 epochs"}, "got '5 epochs'"),
        ({"eta_min": 0}, "eta_min must be a number in [1e-30, 1], got 0"),
        ({"form": "linear"}, "form must be one of 'geometric', 'multiplicative', got 'linear'"),
        ({"c": 1}, "c must be a number in (1, 1000000], got 1"),
        ({"head": 0}, "head must be a number in [1e-30, 1] or None, got 0"),
        ({"updates": 0.5}, "updates must be a whole number of at least 1, got 0.5"),
    ],
)
def test_impossible_parameters_are_refused(parameters, message):
    with pytest.raises(UsageError) as error:
        LeRaC(**parameters)
    assert str(error.value).startswith("lerac: ")
    assert message in str(error.value)


def test_numbers_of_a_text_may_be_integers():
    positions, rate = tf.constant([0.0, 0.5, 1.0]), tf.constant(0.1)
    now = Timestamp.from_progress(0.02, passes=1.0)
    found = [
        REGISTRY.parse(f"lerac(c={c}, form='multiplicative', k='5 passes')")[0].layer_factors(now, positions, rate)
        for c in ("10", "10.0")
    ]
    np.testing.assert_array_equal(*found)
