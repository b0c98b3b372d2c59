"""Every registered selector trains on two devices, or says why it does not."""

from selector_table import REGISTERED

SECOND_MODEL = "scores by a second model, which is not offered on several devices"
REFUSED = {"online_proxy": SECOND_MODEL}


def test_every_selector_runs_on_two_devices(on_two_devices):
    found = on_two_devices("run_every_selector")
    assert len(found) == len(REGISTERED)
    for name, reason in REFUSED.items():
        assert reason in found.pop(name)[0]
    assert {name: problems for name, problems in found.items() if problems} == {}
