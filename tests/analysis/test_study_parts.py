"""Parts of studies: which runs and failures are answered together."""

import pytest
from analysis_of_dicts import answer_studies
from study_records import BUDGETS, MODES, budget_records, factorial_records, failure_of, split_failures, sweep_records


@pytest.mark.parametrize("make", [factorial_records, lambda: sweep_records(MODES), budget_records])
def test_missing_final_results_leave_no_answer(make):
    records = make()
    del records[3]["end"]
    assert (
        answer_studies(records)[0].sentence == "on digits: no answer yet: 1 run lacks results of the end of the budget."
    )
    del records[4]["end"]
    assert "2 runs lack results of the end of the budget" in answer_studies(records)[0].sentence
    assert answer_studies(records)[0].findings == ()


def test_a_run_that_missed_the_target_was_tested_at_the_end():
    records = factorial_records(seeds=1)
    records[0] |= {"reached": False, "crossing": None, "test": records[0].pop("end")["test"]}
    assert answer_studies(records)[0].sentence == answer_studies(factorial_records(seeds=1))[0].sentence


@pytest.mark.parametrize(("make", "arm"), [(factorial_records, "lerac on, blur off"), (budget_records, "short")])
def test_failed_runs_are_counted_in_a_note(make, arm):
    ended, failures = split_failures(make(seeds=4), lambda r: r["arm"]["name"] == arm and r["spec"]["seed"] < 2)
    (study,) = answer_studies(ended, failures)
    assert study.notes[0] == "2 runs failed and are not included: all numbers are of runs that ended."
    # A record of the same arm and seed takes the place of its failure.
    (study,) = answer_studies(make(seeds=4), failures)
    assert not any("failed" in note for note in study.notes)


def test_a_failure_counts_for_its_own_experiment():
    named = factorial_records(seeds=3, about={"experiment": "one"})
    other = factorial_records(seeds=3, about={"experiment": "other"})
    failures = [failure_of(named.pop(), about=named[0]["about"])]
    other.pop()  # which has only not been run yet
    one, two = answer_studies(named + other, failures)
    assert one.place == "digits, experiment one"
    assert "1 run failed" in one.notes[0]
    assert not any("failed" in note for note in two.notes)


def test_experiments_are_not_merged():
    first = factorial_records(seeds=2, about={"experiment": "lerac_and_blur_cvt13"})
    second = factorial_records(seeds=2, interaction=2.0, about={"experiment": "lerac_and_blur_resnet18"})
    one, two = answer_studies(first + second)
    assert ("+0.40 points" in one.sentence, "+2.00 points" in two.sentence) == (True, True)
    assert two.place == "digits, experiment lerac_and_blur_resnet18"


def test_a_repeated_run_counts_once_with_the_record_that_was_started_first():
    first, later = factorial_records(seeds=2), factorial_records(seeds=2, interaction=2.0)
    for record in later:
        record["started"] = "2999-01-01T00:00:00+00:00"
    (study,) = answer_studies(later + first)
    assert study.sentence == answer_studies(first)[0].sentence
    assert [row[2] for row in study.tables[0].rows] == ["2"] * 4


@pytest.mark.parametrize(
    ("make", "group"),
    [
        (factorial_records, "lerac off and blur off"),
        (lambda: sweep_records(MODES), "base rate, batch size 8"),
        (budget_records, "full"),
    ],
)
def test_runs_of_a_group_with_different_settings_leave_no_answer(make, group):
    records = make()
    records[0]["spec"] = records[0]["spec"] | {"learning_rate": 0.5}
    assert answer_studies(records)[0].sentence == (
        f"on digits: no answer yet: the runs of {group} differ in more than their seed (learning_rate 0.5 and 0.01)."
    )


def test_the_newest_record_decides_the_analysis_table():
    records = budget_records(seeds=4, noise=0.2)
    for record in records[6:]:
        record["about"] = record["about"] | {"analysis": BUDGETS | {"points": 0.1}}
        record["started"] = "2026-11-22T12:00:00+00:00"
    (study,) = answer_studies(records[::-1])
    assert study.seeds == 4
    assert "by more than 0.1 points" in study.sentence
    (study,) = answer_studies(records, analysis=BUDGETS | {"points": 3.0})
    assert "not worse by more than 3 points" in study.sentence


def test_forms_of_a_study_are_not_mixed():
    records = factorial_records(seeds=2, about={"form": "scaled"}) + factorial_records(
        seeds=2, interaction=2.0, about={"form": "full"}
    )
    assert [study.place for study in answer_studies(records)] == ["digits, form scaled", "digits, form full"]
