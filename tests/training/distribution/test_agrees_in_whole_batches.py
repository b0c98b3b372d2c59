"""What depends on a whole batch is on two devices what it is on one: losses, optimizers, normalization, cheap scores."""

import functools

import pytest
from device_comparisons import assert_equal_up_to_rounding

OPTIMIZERS = ("averages that overwrite", "averages of accumulated updates", "accumulation by Keras")
LOSSES = (
    "masked steps of one output of two", "ignored class, filled up", "weighted mean",
    "synchronized normalization, filled up",
)  # fmt: skip
SCORERS = ("proxy of every other step", "cut on smaller pictures")


@pytest.fixture(scope="module")
def compare(on_two_devices):
    """Return a function that returns what one of `device_losses` returned, which is called once."""
    return functools.cache(functools.partial(on_two_devices, module="device_losses"))


def assert_same_run(result):
    assert result["steps"] >= 25
    assert_equal_up_to_rounding(result)


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_optimizers_that_decide_in_a_branch(compare, case):
    result = compare("run_with_optimizers")[case]
    assert_same_run(result)
    assert result["slots"] < 1e-5  # averages of weights, and sums of gradients


@pytest.mark.parametrize("case", LOSSES)
def test_losses_are_divided_by_what_counts_in_the_whole_batch(compare, case):
    assert_same_run(compare("run_with_losses")[case])


@pytest.mark.parametrize("case", SCORERS)
def test_pools_scored_by_less_than_the_model(compare, case):
    result = compare("run_with_cheap_scores")[case]
    assert_same_run(result)
    assert result["cheap weights"] < 1e-5


def test_a_run_with_a_proxy_goes_on_where_it_stopped(compare, tmp_path):
    result = compare("resume_with_proxy", tmp_path / "run.npz")
    assert result["counts"]
    assert result["state"]
    assert result["weights"] == result["losses"] == result["cheap weights"] == 0
