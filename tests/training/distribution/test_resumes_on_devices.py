"""A run on several devices is resumed to the bit on as many, and goes on with its plan on fewer or more."""

import signal

import pytest


@pytest.fixture(scope="module")
def found(on_two_devices, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    path = folder / "killed.npz"
    on_two_devices("killed", path, status=-signal.SIGKILL)
    assert path.exists()
    return on_two_devices("resumed", path, folder)


@pytest.mark.parametrize("run", ["killed", "2 to 1", "1 to 2", "accumulating"])
def test_a_resumed_run_equals_one_that_was_not_interrupted(found, run):
    result = found[run]
    assert result["counts"]
    assert result["plans"]
    assert result["state"]
    assert result["visits"]
    assert result["weights"] == result["losses"] == 0


def test_the_history_is_whole_to_the_bit_on_as_many_devices(found):
    assert found["killed"]["history"] == 0
