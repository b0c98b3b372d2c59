"""A run on two devices is the run on one: the same plans, visits and losses, and weights up to rounding."""

import pytest
from device_comparisons import assert_equal_up_to_rounding

EXACT = ("random", "loss_ema", "soft_keep", "infobatch", "candidates")
DENSE = ("random", "great", "kakurenbo")


@pytest.fixture(scope="module")
def found(on_two_devices):
    return {
        kind: on_two_devices("same_as_one_device", kind, *names) for kind, names in (("exact", EXACT), ("dense", DENSE))
    }


@pytest.mark.parametrize("selector", EXACT)
def test_equal_to_the_bit_where_sums_are_exact(found, selector):
    result = found["exact"][selector]
    assert result["steps"] >= 50
    assert result["counts"]
    assert result["plans"]
    assert result["state"]
    assert result["visits"]
    assert result["weights"] == result["losses"] == 0


@pytest.mark.parametrize("selector", DENSE)
def test_weights_agree_up_to_rounding_in_float32(found, selector):
    result = found["dense"][selector]
    assert result["steps"] >= 50
    assert_equal_up_to_rounding(result)


@pytest.fixture(scope="module")
def with_settings(on_two_devices):
    return on_two_devices("same_with_settings")


@pytest.mark.parametrize(
    "case", ["accumulate", "growing", "scaled", "mixup", "mixup and accumulation", "weights and augmentation"]
)
def test_accumulation_and_mixing_reach_across_devices(with_settings, case):
    result = with_settings[case]
    assert_equal_up_to_rounding(result)
    one, two = result["updates"]
    assert one == two
    assert (one < result["steps"]) == ("accum" in case or case in ("growing", "scaled"))
