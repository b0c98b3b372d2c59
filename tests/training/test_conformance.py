"""Random combinations of model, loss, metrics, optimizer, weights and data train as in `model.fit`."""

import pytest
from conformance import Combination


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first", range(0, 80, 20))
def test_random_combinations_agree_with_keras(first):
    different = {}
    for seed in range(first, first + 20):
        combination = Combination(seed)
        found = combination.differences()
        if found:
            different[repr(combination)] = found
    assert different == {}
