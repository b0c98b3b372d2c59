"""Studies of budgets: differences, non-inferiority, and the answer."""

import pytest
from analysis_of_dicts import answer_studies, only_part
from study_records import BUDGETS, budget_records, studied

from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.budgets import budgets, not_inferior


def test_budgets_are_compared_at_equal_samples_and_with_full_data():
    found = budgets(only_part(budget_records(seeds=4), "budgets"))
    final = {pair: item.final.value for pair, item in found.differences.items()}
    assert final[("pruned", "short")] == pytest.approx(0.5)
    assert final[("pruned", "full")] == pytest.approx(-0.2)
    assert final[("short", "full")] == pytest.approx(-0.7)
    whole = found.differences["pruned", "full"]
    assert (whole.samples.value, whole.seconds.value) == (pytest.approx(0.6), pytest.approx(0.6))
    assert found.equal


def test_budgets_answer_in_a_sentence():
    (study,) = answer_studies(budget_records(seeds=8, noise=0.2))
    values = {(item.item, item.quantity): item for item in study.findings}
    honest = values["infobatch - short", "difference of accuracy"].estimate
    assert (
        f"ended at {honest.value:+.2f} points of accuracy [{honest.low:.2f}, {honest.high:.2f}] against short"
        in study.sentence
    )
    assert "(not worse by more than 1 point; 95 % interval, 8 seeds)" in study.sentence
    assert "with 0.60 of its samples and 0.60 of its time; short ended at -0." in study.sentence
    # What shortening costs is judged as what pruning costs.
    assert study.sentence.count("not worse by more than 1 point") == 2


def test_each_difference_of_budgets_states_its_seeds():
    records = [r for r in budget_records(seeds=8, noise=0.2) if r["arm"]["name"] != "short" or r["spec"]["seed"] == 0]
    (study,) = answer_studies(records)
    assert study.seeds == 8
    assert "against short, trained with as many samples (one seed), and" in study.sentence
    assert "95 % interval, 8 seeds" in study.sentence
    assert "a study of one seed" not in study.sentence


@pytest.mark.parametrize(
    ("difference", "rising", "shown"),
    [
        (Estimate(-0.2, -0.8, 0.4), True, True),
        (Estimate(-0.8, -1.4, -0.2), True, None),
        (Estimate(-3.0, -4.0, -2.0), True, False),
        (Estimate(3.0, 2.0, 4.0), False, False),
        (Estimate(-0.2), True, None),
    ],
)
def test_non_inferiority_needs_the_whole_interval(difference, rising, shown):
    assert not_inferior(difference, 1.0, rising) is shown


def test_unequal_samples_are_reported():
    records = [
        studied(BUDGETS, {}, seed, 0.9, name=name, points=points)
        for seed in range(2)
        for name, points in (("full", 20), ("infobatch", 12), ("short", 16))
    ]
    (study,) = answer_studies(records)
    assert "trained with 0.75 of the samples (2 seeds, too few for an interval)" in study.sentence
    assert "not trained on equally many samples (ratio 0.75" in study.notes[0]


def test_the_shortened_control_of_an_arm_has_no_seconds_to_compare():
    analysis = BUDGETS | {"short": "random, horizon of infobatch"}
    roles = {"random, horizon of infobatch": {"role": "control", "control_of": "infobatch"}}
    names = ("full", "infobatch", "random, horizon of infobatch")
    records = [
        studied(analysis, {}, seed, 0.9, name=name, **roles.get(name, {})) for seed in range(2) for name in names
    ]
    found = budgets(only_part(records, "budgets"))
    assert found.differences["pruned", "short"].seconds is None
    assert found.differences["pruned", "full"].seconds is not None


def test_a_missing_arm_of_budgets_is_named():
    records = [record for record in budget_records(seeds=2) if record["arm"]["name"] != "short"]
    assert answer_studies(records)[0].sentence == "on digits: no answer yet: there is no run of short."
