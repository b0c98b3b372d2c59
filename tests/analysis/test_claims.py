"""Words of verdicts where data are odd: misses, failures, several arms, groups, few seeds, coarse grids."""

import copy
import re

import numpy as np
import pytest
from analysis_of_dicts import analyze, compute_results, render_report
from made_up import record_of

from batchsel.analysis.report.tables import as_csv, as_values
from batchsel.analysis.verdict import format_ratio, power_notes, sentence, sentences, warnings
from batchsel.cli.support.comparison_text import lines


def scattered(arm, factor=1.0, seeds=10, spread=0.2, **options):
    """Return runs whose crossings scatter about 1,000 samples times a factor, in the same way for all arms."""
    rng = np.random.default_rng(3)
    shared, own = rng.normal(0, spread, seeds), np.random.default_rng(len(arm)).normal(0, 0.05, seeds)
    crossings = np.ceil(10 * factor * np.exp(shared + own)).astype(int) * 100
    return [
        record_of(arm, seed, **{"crossing": int(crossing), "points": 40} | options)
        for seed, crossing in enumerate(crossings)
    ]


def never(arm, seeds=10, **options):
    return [record_of(arm, seed, **{"crossing": None, "points": 40} | options) for seed in range(seeds)]


def failed(record):
    return {key: record[key] for key in ("schema", "spec", "digest", "arm")} | {
        "failed": "ResourceExhausted: no memory"
    }


def the(records, failures=()):
    (found,) = analyze(records, failures=failures).comparisons
    return found


def test_only_one_of_the_two_reaches_the_target():
    found = the(never("random") + scattered("smart"))
    assert found.verdict == "only arm reached"
    assert "only smart reached it: on 10 of 10 seeds, random on none (exact test, p = 0.002)" in sentence(found)
    assert "only random reached it" in sentence(the(scattered("random") + never("smart")))
    # With a budget of a tenth it is no wonder that the arm does not.
    assert the(scattered("random") + never("smart", points=4)).verdict == "not reached"


def test_nobody_reaches_the_target():
    found = the(never("random") + never("smart"))
    assert (found.verdict, found.p, found.p_holm, found.time) == ("not reached", None, None, None)
    assert "neither smart nor random reached it on any of 10 seeds" in sentence(found)


def test_ratios_of_arms_that_never_arrived_stand_nowhere():
    records = scattered("random") + never("smart", points=20)
    results = compute_results(records)
    assert all(getattr(results.analysis.comparisons[0], name) is None for name in ("time", "samples", "cost"))
    assert as_values(results.analysis)["comparisons"][0]["time"] is None
    assert "time_ratio" in as_csv(results.analysis).splitlines()[0]
    assert ",nan," in as_csv(results.analysis).splitlines()[1]
    (row,) = [line for line in lines(results.analysis) if line.startswith("digits") and "smart" in line]
    assert row.split()[3:6] == ["-", "-", "-"]


def test_failed_runs_count_as_misses_and_are_named():
    arm = scattered("smart", 0.95)
    slowest = sorted(arm, key=lambda record: -record["crossing"]["samples"])[:5]
    ended = [record for record in arm if record not in slowest]
    found = the(scattered("random") + ended, [failed(record) for record in slowest])
    assert (found.pairs, found.failed, found.reached) == (10, (5, 0), (5, 10))
    assert found.verdict != "faster"
    assert "of 20 runs on 10 seeds, 5 missed it (5 runs of smart failed)" in sentence(found)
    one = the(scattered("random") + arm[1:], [failed(arm[0])])
    assert "1 failed run of smart counts as a miss" in sentence(one)
    assert (found.arm.n, found.arm.failed, found.arm.reach.value) == (10, 5, 0.5)


def test_an_arm_whose_runs_all_fail_is_not_missing():
    records = scattered("random")
    failures = [failed(record) for record in scattered("smart")]
    results = compute_results(records, failures)
    (found,) = results.analysis.comparisons
    assert "all runs of smart failed" in sentence(found)
    assert found.verdict == "only baseline reached"
    text = "\n".join(lines(results.analysis))
    assert re.search(r"digits\s+smart\s+0/10", text)
    page = render_report(records, failures=failures)
    assert "0/10, 10 failed" in page


def test_a_failure_that_was_repeated_with_success_does_not_count():
    arm = scattered("smart", 0.7)
    found = the(scattered("random") + arm, [failed(record) for record in arm[:4]])
    assert found.failed == (0, 0)
    assert found.verdict == "faster"


def test_controls_are_no_part_of_the_correction():
    records = scattered("random") + scattered("smart", 0.7)
    for number in range(12):
        records += scattered(f"control {number}", role="control", against="random", control_of="smart")
    found = [item for item in analyze(records).comparisons if item.arm.role == "arm"]
    assert [item.p_holm for item in found] == [item.p for item in found]
    assert all(item.p_holm is None for item in analyze(records).comparisons if item.arm.role == "control")


def test_few_seeds_are_said_to_establish_nothing():
    found = the(scattered("random", seeds=5) + scattered("smart", 0.5, seeds=5))
    assert found.verdict == "tie"
    assert "weak evidence that smart is faster than random, p = 0.062" in sentence(found)
    assert any("no difference could be established; it takes 6 seeds" in text for text in warnings(found))
    two = the(scattered("random", seeds=2) + scattered("smart", 0.5, seeds=2))
    assert two.time.low is None
    assert "two seeds prove nothing" in sentence(two)


def test_seeds_that_are_not_shared_leave_no_number():
    arm = [record for record in scattered("smart", seeds=6) if record["spec"]["seed"] >= 3]
    found = the(scattered("random", seeds=3) + arm)
    assert found.verdict == "no pairs"
    assert "share no seed, so nothing can be compared" in sentence(found)
    assert "nan" not in "\n".join(lines(analyze(scattered("random", seeds=3) + arm)))


def test_missing_seeds_are_said():
    found = the(scattered("random") + scattered("smart", 0.7)[:4])
    assert "only 4 of 10 seeds have both runs." in warnings(found)


def test_arrivals_at_the_first_evaluation_are_not_compared():
    found = the([record_of(arm, seed, crossing=100) for arm in ("random", "fixed") for seed in range(3)])
    assert (found.verdict, found.time) == ("unresolved", None)
    assert "reach it at their first evaluation. Evaluate more often" in sentence(found)


def test_arms_that_are_looked_at_more_often_are_warned_of():
    sparse = scattered("smart", 0.7, every=200, points=20)
    found = the(scattered("random") + sparse)
    assert any("smart was evaluated every 200 samples and random every 100" in text for text in warnings(found))
    assert not any("looked at" in text for text in warnings(the(scattered("random") + scattered("smart", 0.7))))


def test_early_crossings_are_warned_of():
    options = {"every": 500, "points": 20}
    found = the(scattered("random", **options) + scattered("smart", 0.7, **options))
    assert any("mostly reached the target by evaluation 3" in text for text in warnings(found))
    assert not any("by evaluation 3" in text for text in warnings(the(scattered("random") + scattered("smart", 0.7))))


def test_untimed_comparisons_speak_of_samples():
    found = the(scattered("random", contended=True) + scattered("smart", 0.6, contended=True))
    assert "smart needs fewer samples, by a factor of at least 1." in sentence(found)
    assert "faster" not in sentence(found)


def test_a_clock_at_zero_measures_nothing():
    found = the(scattered("random", seconds_each=0.0) + scattered("smart", 0.6))
    assert not found.timed
    assert found.time is None


def test_a_control_says_what_it_could_have_noticed():
    again = scattered("random again", role="control", against="random", seconds_each=1.01e-3)
    (text,) = sentences(analyze(scattered("random") + again))
    assert re.search(r"as expected; a clock 1\.\d\d times off would mostly have been noticed", text)
    (text,) = sentences(analyze(scattered("random", seeds=1) + again[:1]))
    assert "from too few seeds, which say nothing about the clock" in text


def test_intervals_of_accuracies_end_at_one():
    records = scattered("random", seeds=3)
    for record, value in zip(records, (0.97, 1.0, 1.0), strict=True):
        record["test"]["accuracy"] = value
    assert analyze(records).summaries[0].test.high == 1.0


def with_settings(records, **settings):
    """Return runs with other settings, which make other runs of them."""
    changed = copy.deepcopy(records)
    for record in changed:
        record["spec"] |= settings
        record["digest"] = f"{record['digest'][:40]}{abs(hash(tuple(settings.items()))):024d}"[:64]
    return changed


def test_runs_with_other_models_are_groups():
    first = scattered("random") + scattered("infobatch", 0.6)
    second = with_settings(scattered("random") + scattered("infobatch", 1.6), model="cnn")
    found = {item.dataset: item for item in compute_results(first + second).analysis.comparisons}
    assert {name: item.verdict for name, item in found.items()} == {
        "digits, model mlp": "faster",
        "digits, model cnn": "slower",
    }
    assert [item.pairs for item in found.values()] == [10, 10]
    page = render_report(first + second)
    assert "<h2>digits, model cnn: accuracy" in page
    assert page.count("infobatch (n = 10)") >= 2


def test_arms_of_one_name_are_told_apart_by_their_settings():
    records = scattered("random") + scattered("infobatch", 0.6)
    records += with_settings(scattered("infobatch", 1.6), learning_rate=0.5)
    found = {item.arm.arm: item.verdict for item in compute_results(records).analysis.comparisons}
    assert found == {"infobatch, learning_rate = 0.01": "faster", "infobatch, learning_rate = 0.5": "slower"}


def test_runs_from_before_a_change_of_plans_are_not_mixed_with_new_ones():
    records = scattered("random") + scattered("ies", 0.6)
    records += with_settings(scattered("ies", 1.6), plan_version="ies 2")
    found = {item.arm.arm: (item.verdict, item.pairs) for item in compute_results(records).analysis.comparisons}
    assert found == {"ies": ("faster", 10), "ies, plan_version = ies 2": ("slower", 10)}


def test_several_experiments_on_one_data_set_are_groups():
    records = []
    for name, factor in (("one", 0.6), ("two", 1.6)):
        own = with_settings(scattered("random") + scattered("smart", factor), budget=f"{len(records)} passes")
        records += [
            record | {"about": {"question": f"{name}?", "command": f"batchsel experiment {name}"}} for record in own
        ]
    found = {item.dataset: item.verdict for item in compute_results(records).analysis.comparisons}
    assert found == {"digits, experiment one": "faster", "digits, experiment two": "slower"}
    page = render_report(records)
    assert "<h1>Runs on digits</h1>" in page
    assert "<li>one?</li><li>two?</li>" in page


def test_controls_stay_with_their_group_and_one_experiment_keeps_its_names():
    records = scattered("random") + scattered("smart", 0.6)
    records += with_settings(
        scattered("short", role="control", against="random", control_of="smart"), budget="9 passes"
    )
    names = {item.dataset for item in compute_results(records).analysis.summaries}
    assert names == {"digits"}


def test_a_report_says_how_many_seeds_ratios_would_have_taken():
    analysis = analyze(scattered("random") + scattered("smart"))
    (note,) = power_notes(analysis, "digits")
    spread = analysis.comparisons[0].spread
    assert f"log ratios over seeds was {spread:.2f}" in note
    assert re.search(r"takes \d+ seeds to find a ratio of 0.8 and \d+ seeds to find a ratio of 0.9", note)
    assert note[0].upper() + note[1:] in render_report(scattered("random") + scattered("smart"))
    assert as_values(analysis)["comparisons"][0]["seeds_needed"]["0.8"] >= 6


@pytest.mark.parametrize(("low", "high", "text"), [(0.0, 0.7, "at most 0.70"), (1.4, np.inf, "at least 1.40")])
def test_bounds_are_words(low, high, text):
    from batchsel.analysis.stats.estimates import Estimate

    assert format_ratio(Estimate(high if low == 0 else low, low, high), bound=True) == text
