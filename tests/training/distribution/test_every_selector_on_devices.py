"""Every registered selector trains on two devices."""

from selector_table import REGISTERED


def test_every_selector_runs_on_two_devices(on_two_devices):
    found = on_two_devices("run_every_selector")
    assert len(found) == len(REGISTERED)
    assert {name: problems for name, problems in found.items() if problems} == {}
