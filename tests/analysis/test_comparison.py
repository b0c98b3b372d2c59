"""Comparisons of made-up records with known truth: crossings, ratios, verdicts, warnings."""

import dataclasses
import math

import numpy as np
import pytest
from analysis_of_dicts import analyze, outcome, value_at
from made_up import N, record_of

from batchsel.analysis.overall import overall
from batchsel.analysis.report.tables import as_csv, as_values
from batchsel.analysis.verdict import sentence, sentences, warnings
from batchsel.cli.support.comparison_text import lines

SEEDS = 10


def runs(arm, factor=1.0, spread=0.2, seeds=SEEDS, base=1000, **options):
    """Return runs whose crossings scatter about `factor` times the base."""
    rng = np.random.default_rng(7)
    steps = rng.normal(0, spread, seeds)
    found = []
    for seed in range(seeds):
        crossing = int(100 * round(base * factor * math.exp(steps[seed]) / 100))
        found.append(record_of(arm, seed, crossing=max(crossing, 100), points=40, **options))
    return found


def compared(arm, baseline=None, **options):
    (found,) = analyze([*(baseline or runs("random")), *arm], **options).comparisons
    return found


def test_an_outcome_is_the_first_of_two_evaluations_in_a_row():
    record = record_of("random", 0, crossing=400)
    record["evaluations"][1]["accuracy"] = 0.95  # a lucky one, 200 samples in
    found = outcome(record)
    assert (found.reached, found.samples, found.passes) == (True, 400, 400 / N)
    assert outcome(record, "accuracy>=0.94").samples == 1600
    assert not outcome(record, "accuracy>=0.99").reached


def test_a_run_that_misses_counts_with_its_whole_budget():
    found = outcome(record_of("random", 0, crossing=None, scored=3))
    assert (found.reached, found.samples) == (False, 2000)
    assert found.cost == 2000 + 3 * 2000 / 3
    assert found.seconds == pytest.approx(2.0)


def on(device, records):
    """Return records as if their runs had taken place on a device."""
    return [{**record, "machine": {**record["machine"], "gpu": device}} for record in records]


def test_seconds_on_unlike_devices_are_not_compared_and_those_of_pairs_on_one_are():
    random, arm = runs("random"), runs("loss_ema", 0.5)
    assert compared(on("A", arm), on("A", random)).timed
    unlike = compared(on("B", arm), on("A", random))
    assert not unlike.timed
    assert unlike.time is None
    assert "took place on unlike devices" in warnings(unlike)[0]
    halves = [[*on("A", each[:5]), *on("B", each[5:])] for each in (arm, random)]
    blocked = compared(*halves)  # each pair is on one device, whose speed cancels out
    assert blocked.timed
    assert blocked.time.value == pytest.approx(compared(arm, random).time.value)
    assert blocked.arm.median_seconds is None, "a median of seconds on two devices means nothing"


@pytest.mark.parametrize("machine", [{}, {"devices": 3}, {"devices": None, "processor": 1}, {"gpu": [2]}])
def test_whatever_a_record_says_of_its_machine_is_compared_as_text(machine):
    odd = [{**record, "machine": machine} for record in runs("loss_ema", 0.5)]
    assert not compared(odd).timed
    assert compared(odd, [{**record, "machine": machine} for record in runs("random")]).timed


def test_scored_samples_cost_a_third():
    assert outcome(record_of("random", 0, crossing=400, scored=2)).cost == pytest.approx(400 + 800 / 3)


def test_the_value_at_a_limit_is_that_of_the_last_evaluation_before():
    record = record_of("random", 0, crossing=400)
    assert value_at(record, "accuracy", "samples", 399) == record["evaluations"][2]["accuracy"]
    assert value_at(record, "accuracy", "samples", 400) == record["evaluations"][3]["accuracy"]
    assert value_at(record, "accuracy", "samples", 50) is None


def test_half_the_samples_are_estimated_as_half():
    found = compared(runs("better", 0.5))
    assert found.samples.value == pytest.approx(0.5, rel=0.06)
    assert found.samples.low <= 0.5 <= found.samples.high * 1.02
    assert found.verdict == "faster"
    assert found.pairs == SEEDS
    assert found.reached == (SEEDS, SEEDS)
    assert found.p == pytest.approx(2 / 2**SEEDS)
    assert "better is faster, at least 1.5 times" in sentence(found)
    assert f"({SEEDS} seeds" in sentence(found).replace("95 % intervals, ", "")


def test_the_same_runs_are_a_tie():
    found = compared(runs("same"))
    assert found.time == (1, None, None)  # pairs that are all alike have no interval
    assert found.verdict == "unresolved"
    assert "no evidence of a difference" in sentence(found)
    assert not warnings(found)


def test_a_slow_arm_is_called_slower():
    found = compared(runs("worse", 2.2))
    assert found.verdict == "slower"
    assert "worse is slower, at least 2 times" in sentence(found)


@pytest.mark.parametrize(("factor", "words"), [(1 / 1.31, "at least 1.2 times"), (1 / 1.6, "at least 1.5 times")])
def test_a_factor_is_named_only_if_the_near_end_of_the_interval_reaches_it(factor, words):
    # All pairs scatter alike: ratios are spread by a quarter of a grid interval.
    rng = np.random.default_rng(1)
    baseline = [record_of("random", seed, crossing=1000, points=40) for seed in range(SEEDS)]
    arm = []
    for seed in range(SEEDS):
        record = record_of("better", seed, crossing=1000, points=40)
        scale = factor * math.exp(rng.normal(0, 0.03))
        for point in record["evaluations"]:
            point["seconds"] *= scale
        arm.append(record)
    found = compared(arm, baseline)
    assert found.verdict == "faster"
    assert words in sentence(found)


def test_one_seed_proves_nothing():
    found = compared(runs("better", 0.5, seeds=1), runs("random", seeds=1))
    assert found.verdict == "too few"
    assert found.time.low is None
    assert "one seed proves nothing" in sentence(found)


def test_only_shared_seeds_are_paired():
    found = compared(runs("better", 0.5, seeds=6), runs("random", seeds=9))
    assert found.pairs == 6


def test_times_on_a_shared_device_are_left_out():
    found = compared(runs("better", 0.5, contended=True))
    assert found.time is None
    assert found.verdict == "faster"
    assert "of random's samples" in sentence(found)
    assert any("shared the device" in text for text in warnings(found))


def test_processes_that_stood_still_are_reported():
    arm = runs("better", 0.5)
    assert not any("stood still" in text for text in warnings(compared(arm)))
    for record in arm[:2]:
        record["stalls"] = {"count": 1, "seconds": 4.5}
    assert any("stood still for 9 s on the clock" in text for text in warnings(compared(arm)))


def test_a_disturbed_clock_is_reported():
    found = compared(runs("better", 1.0, seconds_each=1.3e-3))
    assert found.disturbed
    assert any("time ratio 1.30 and cost ratio 1.00" in text for text in warnings(found))
    assert not compared(runs("better", 1.0, seconds_each=1.14e-3)).disturbed


def test_an_arm_that_misses_is_not_compared_in_time():
    arm = [record_of("bad", seed, crossing=None if seed < 6 else 500, points=40) for seed in range(SEEDS)]
    found = compared(arm)
    assert found.verdict == "not reached"
    assert "bad reached it on fewer seeds: on 4, random on 10 of 10 (exact test, p = 0.031)" in sentence(found)
    assert found.time is found.samples is None
    assert found.arm.median_seconds == math.inf


def test_missed_runs_are_reported_and_never_dropped():
    arm = runs("some", 0.4)
    arm[3] = record_of("some", 3, crossing=None, points=40)
    found = compared(arm)
    assert found.pairs == SEEDS
    assert any("1 of 20 runs missed the target" in text for text in warnings(found))
    assert found.arm.reach.value == 0.9


def test_holm_weakens_one_of_many():
    records = runs("random")
    for number in range(30):
        records += runs(f"same {number}", 1.0 if number else 0.5, spread=0.2)
    found = {item.arm.arm: item for item in analyze(records).comparisons}
    assert found["same 0"].p < 0.05 < found["same 0"].p_holm
    assert found["same 0"].verdict == "tie"
    assert "weak evidence that same 0 is faster than random, p = 0.059 after Holm's correction" in sentence(
        found["same 0"]
    )


def test_the_same_runs_answer_for_another_target():
    easy, hard = (compared(runs("better", 0.5), targets={"digits": f"accuracy>={level}"}) for level in (0.9, 0.945))
    assert easy.target == "accuracy>=0.9"
    assert hard.arm.median_samples > easy.arm.median_samples


def test_data_sets_are_kept_apart():
    records = runs("random") + runs("a", 0.5)
    records += runs("random", dataset="wine") + runs("a", 2.0, dataset="wine")
    found = {item.dataset: item.verdict for item in analyze(records).comparisons}
    assert found == {"digits": "faster", "wine": "slower"}


def test_control_sentences_come_last():
    records = runs("random") + runs("better", 0.5)
    records += runs("random again", role="control", against="random")
    for place, record in enumerate(records[-SEEDS:]):
        for point in record["evaluations"]:
            point["seconds"] *= 1.01 if place % 2 else 0.99
    records += runs("short", 0.6, role="control", against="random", control_of="better")
    texts = sentences(analyze(records))
    assert [text.split(":")[0] for text in texts] == [
        "on digits, accuracy>=0.9", "control on digits", "control on digits",
    ]  # fmt: skip
    assert "as expected; a clock 1.0" in texts[1]
    assert "Only the gain of better over this control" in texts[2]


def test_the_baseline_comes_first_and_controls_last():
    records = runs("zeta") + runs("random again", role="control", against="random") + runs("random") + runs("alpha")
    assert [item.arm for item in analyze(records).summaries] == ["random", "alpha", "zeta", "random again"]


def test_values_and_csv_contain_every_comparison():
    records = runs("random") + runs("better", 0.5) + [record_of("never", seed, None, points=40) for seed in range(3)]
    analysis = analyze(records)
    values = as_values(analysis)
    assert [item["arm"] for item in values["comparisons"]] == ["better", "never"]
    assert values["arms"][2]["median_seconds"] is None
    lines = as_csv(analysis).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("dataset,arm,role,baseline,target,pairs")
    assert dataclasses.asdict(analysis.comparisons[0])["pairs"] == SEEDS


def test_restricted_means_of_all_arms_end_at_the_first_missed_run():
    slow = [record_of("slow", seed, crossing=None if seed == 0 else 3000, points=40) for seed in range(3)]
    early = [record_of("cut", 0, None, points=10, role="control", against="random", control_of="slow")]
    base = [record_of("random", seed, crossing=3800, points=40, seconds_each=2e-3) for seed in range(3)]
    found = {item.arm: item for item in analyze(slow + early + base).summaries}
    assert (found["slow"].limit, found["random"].limit, found["cut"].limit) == (4.0, 4.0, 1.0)
    assert found["slow"].mean_seconds == pytest.approx((4 + 3 + 3) / 3)
    assert found["random"].mean_seconds == 4.0  # 7.6 s, but nothing is known of slow beyond 4 s
    assert found["slow"].middle_seconds == pytest.approx(10 / 3)


def test_several_data_sets_are_aggregated():
    records = runs("random") + runs("a", 0.5) + runs("random", dataset="wine") + runs("a", 2.0, dataset="wine")
    records += [record_of("never", seed, None, points=40) for seed in range(SEEDS)]
    baseline, arm, never = overall(analyze(records))
    assert (baseline.arm, baseline.mean) == ("random", None)
    assert arm.mean == pytest.approx(1, rel=0.1)
    assert arm.worst == pytest.approx(2, rel=0.1)
    assert (arm.reached, arm.datasets) == (2, 2)
    assert never.mean is None
    assert arm.profile.score > never.profile.score == 0
    assert any(line.startswith("over 2 of 2 data sets: a needs") for line in lines(analyze(records)))
