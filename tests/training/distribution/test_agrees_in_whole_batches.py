"""What depends on a whole batch is on two devices what it is on one: losses, optimizers, normalization, cheap scores."""

import pytest

OPTIMIZERS = ("averages that overwrite", "averages of accumulated updates", "accumulation by Keras")
LOSSES = (
    "masked steps of one output of two", "ignored class, filled up", "weighted mean",
    "synchronized normalization, filled up",
)  # fmt: skip
SCORERS = ("proxy of every other step", "cut on smaller pictures")


def assert_same_run(result):
    assert result["steps"] >= 25
    assert result["counts"]
    assert result["plans"]
    assert result["visits"]
    assert result["weights"] < 1e-5
    assert result["losses"] < 1e-5
    assert result["history"] < 1e-5


@pytest.fixture(scope="module")
def with_optimizers(on_two_devices):
    return on_two_devices("run_with_optimizers", module="device_losses")


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_optimizers_that_decide_in_a_branch(with_optimizers, case):
    assert_same_run(with_optimizers[case])
    assert with_optimizers[case]["slots"] < 1e-5  # averages of weights, and sums of gradients


@pytest.fixture(scope="module")
def with_losses(on_two_devices):
    return on_two_devices("run_with_losses", module="device_losses")


@pytest.mark.parametrize("case", LOSSES)
def test_losses_are_divided_by_what_counts_in_the_whole_batch(with_losses, case):
    assert_same_run(with_losses[case])


@pytest.fixture(scope="module")
def with_cheap_scores(on_two_devices):
    return on_two_devices("run_with_cheap_scores", module="device_losses")


@pytest.mark.parametrize("case", SCORERS)
def test_pools_scored_by_less_than_the_model(with_cheap_scores, case):
    assert_same_run(with_cheap_scores[case])
    assert with_cheap_scores[case].get("cheap weights", 0) < 1e-5


def test_a_run_with_a_proxy_goes_on_where_it_stopped(on_two_devices, tmp_path):
    result = on_two_devices("resume_with_proxy", tmp_path / "run.npz", module="device_losses")
    assert result["counts"]
    assert result["state"]
    assert result["weights"] == result["losses"] == result["cheap weights"] == 0
