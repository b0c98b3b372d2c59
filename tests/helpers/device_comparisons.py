"""Checks of runs on two devices, as `tests/training/distribution/device_runs.py` compares them with others."""


def assert_equal_up_to_rounding(result):
    """Check that two runs had the same plans and visits, and weights, losses and history but for float32 sums."""
    assert result["counts"]
    assert result["plans"]
    assert result["visits"]
    assert result["weights"] < 1e-5
    assert result["losses"] < 1e-5
    assert result["history"] < 1e-5
