"""Sweeps of batch sizes: results, speed-ups, noise scales, failures, and the answer."""

import numpy as np
import pytest
from analysis_of_dicts import answer_studies, noise_scale, only_part
from made_up import record_of
from scipy import stats
from study_records import (
    MODES,
    SWEEP,
    split_failures,
    studied,
    sweep_records,
)

from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.batch_sizes import batch_sizes
from batchsel.analysis.studies.noise_scale import summarize_noise
from batchsel.experiments.run.record_parts import NoiseMeasurement


def swept(**options):
    return batch_sizes(only_part(sweep_records(MODES, **options), "batch_sizes"))


def test_a_sweep_has_accuracy_gap_time_and_steps():
    found = swept(seeds=3)
    result = found.sizes["scaled", 128]
    assert (found.base, found.modes, found.batches) == ("base rate", ["base rate", "scaled"], [8, 32, 128, 512])
    assert result.final.value == pytest.approx(90.9)
    assert result.gap.value == pytest.approx(2 / 3)
    assert result.loss_gap.value == pytest.approx(0.1 + 0.1 / 128)
    assert (result.steps, result.seconds.value) == (16, pytest.approx(2000 * 1e-3 * (0.2 + 8 / 128)))
    assert result.throughput == pytest.approx(1000 / (0.2 + 8 / 128))
    assert str(found.breaking.modes["base rate"].value) == "32"
    assert str(found.breaking.modes["scaled"].value) == "at least 512"
    # 512 is fastest in both modes, and better in the second; from there on only what is better counts.
    assert found.front == [("scaled", 512), ("scaled", 128), ("scaled", 32)]


def test_speed_ups_are_steps_and_seconds_to_the_same_value():
    found = swept(seeds=2)
    speed = {(item.mode, item.batch): item for item in found.speed_ups}
    assert found.value == pytest.approx(
        max(90.8 / 100 * (1 - np.exp(-2000 / 166)), 0.91 * (1 - np.exp(-2000 / 154))) - 0.01
    )

    def needed(points, size):
        value = np.array([points / 100 * (1 - np.exp(-s / (150 + size / 2))) for s in range(100, 2001, 100)])
        samples = 100 * (1 + int(np.flatnonzero(value >= found.value)[0]))
        return -(-samples // size), samples * (0.2 + 8 / size)

    first, other = needed(91, 8), needed(90.9, 128)
    assert speed["base rate", 8].steps.value == 1
    assert speed["scaled", 128].steps.value == pytest.approx(first[0] / other[0])
    assert speed["scaled", 128].seconds.value == pytest.approx(first[1] / other[1])
    assert ("base rate", 512) not in speed  # which never gets there
    # Seeds that agree are no certainty: arrivals lie on the grid of evaluations.
    assert speed["scaled", 128].steps.low is None
    assert speed["scaled", 128].grid == 100


def test_a_seed_that_misses_the_value_leaves_the_ratio_of_medians():
    records = sweep_records(MODES, seeds=3)
    missed = next(
        r for r in records if r["spec"]["seed"] == 2 and r["arm"]["levels"] == {"batch size": "128", "mode": "scaled"}
    )
    for point in missed["evaluations"]:
        point["accuracy"] = 0.1
    whole = {(item.mode, item.batch): item.steps for item in swept(seeds=3).speed_ups}
    found = {(item.mode, item.batch): item.steps for item in batch_sizes(only_part(records, "batch_sizes")).speed_ups}
    assert found["scaled", 128] == Estimate(pytest.approx(whole["scaled", 128].value))
    assert found["scaled", 32] == pytest.approx(whole["scaled", 32])


def test_shared_devices_leave_no_seconds():
    found = swept(seeds=2, contended=True)
    assert found.front == []
    assert found.sizes["scaled", 8].seconds is None
    assert found.speed_ups[1].seconds is None


def test_noise_scales_are_reported_only_where_they_are_bounded():
    scale = noise_scale(sweep_records({"all": {32: 90}}, seeds=1))
    assert scale.median == pytest.approx(np.median([1 + 60 * passes for passes in (0.2, 0.8, 1.4, 2.0)]))
    assert noise_scale(sweep_records({"all": {32: 90}}, seeds=1, noisy_gradient=True)).median is None
    assert noise_scale([record_of("random", 0)]) is None
    # A measurement that noise drowned is of a large scale: to leave it out would make the median too small.
    scale = summarize_noise([NoiseMeasurement(scale=scale) for scale in (None, 100.0, None, 300.0, 900.0)])
    assert (scale.median, scale.high, str(scale)) == (900.0, None, "900 (100 to unbounded)")
    assert summarize_noise([NoiseMeasurement(scale=scale) for scale in (None, 100.0, 300.0, None)]).median is None
    (study,) = answer_studies(sweep_records(MODES, seeds=1, noisy_gradient=True))
    assert "the gradient noise scale is unknown: 32 of 32 measurements" in " ".join(study.notes)
    assert not any("noise scale" in item.quantity for item in study.findings)


def test_a_sweep_answers_in_a_sentence():
    (study,) = answer_studies(sweep_records(MODES, seeds=5))
    assert study.sentence == (
        "on digits: small batches (the best of 8, 32, which is 8 (base rate)) end at a test accuracy of 91.00 %; the"
        " largest batch size within 1 point of that is base rate: 32, scaled: at least 512 (5 seeds that agree: no"
        " interval)."
    )
    (study,) = answer_studies(sweep_records(MODES, seeds=5, noise=0.01))
    assert study.sentence.endswith(
        "base rate: 32 [32, 32], scaled: at least 512 [at least 512, at least 512] (bootstrap intervals, nominally"
        " 95 %, 5 seeds)."
    )
    assert any("the breaking point is biased toward small sizes" in note for note in study.notes)


def test_a_speed_up_needs_a_shared_seed():
    records = [r for r in sweep_records(MODES, seeds=4) if (r["spec"]["seed"] < 2) == (r["spec"]["batch_size"] == 8)]
    found = batch_sizes(only_part(records, "batch_sizes"))
    assert {item.batch for item in found.speed_ups} == {8}
    assert "no seed has all batch sizes and modes" in answer_studies(records)[0].sentence


def test_captions_state_the_grid_of_evaluations():
    (study,) = answer_studies(sweep_records(MODES, seeds=3, noise=0.1))
    words = study.tables[1].caption
    assert "Speed-ups are exact only up to the grid of evaluations, which are at most 100 samples apart." in words
    assert "Front ●: by means, of those with times and without failures, no other is both better and faster." in words


def test_a_level_in_words_stands_for_the_batch_size_of_the_run():
    records = sweep_records({"base rate": {8: 91, 32: 90.8, 128: 89}}, seeds=1)
    for record in records:
        record["arm"]["levels"] = {"batch size": {8: "tiny", 32: "small", 128: "large"}[record["spec"]["batch_size"]]}
    assert batch_sizes(only_part(records, "batch_sizes")).batches == [8, 32, 128]


def test_arms_without_a_level_of_batch_size_are_skipped():
    records = [*sweep_records(MODES, seeds=1), studied(SWEEP, {}, 0, 0.99, name="random", role="baseline")]
    assert {mode for mode, _ in batch_sizes(only_part(records, "batch_sizes")).sizes} == set(MODES)


def at(mode, *sizes, seeds=range(9)):
    return lambda r: (
        r["arm"]["levels"]["mode"] == mode and r["spec"]["batch_size"] in sizes and r["spec"]["seed"] in seeds
    )


def test_failed_runs_exclude_their_batch_size():
    ended, failures = split_failures(sweep_records(MODES, seeds=5, noise=0.1), at("scaled", 128, 512, seeds=(1, 2)))
    (study,) = answer_studies(ended, failures)
    assert "scaled: 32 [32, 32] (bootstrap" in study.sentence
    assert "4 runs failed, at scaled: 128 (2), scaled: 512 (2)" in study.notes[0]
    assert study.seeds == 5  # sizes that hold lose no seed
    rows = {row[:2]: row for row in study.tables[1].rows}
    assert rows["scaled", "128"][2] == "3, 2 failed"
    found = batch_sizes(only_part(ended, "batch_sizes", failures))
    assert ("scaled", 512) not in found.front
    ended, failures = split_failures(sweep_records(MODES, seeds=5, noise=0.1), at("scaled", 512))
    (study,) = answer_studies(ended, failures)
    assert "scaled: 128 [128, 128]" in study.sentence  # not "at least"
    assert study.tables[1].rows[-1][:3] == ("scaled", "512", "0, 5 failed")
    assert (
        "scaled: 128 (no larger was run)" in answer_studies(ended)[0].sentence
    )  # whoever does not know of the failures


def test_failed_runs_do_not_count_as_arrivals():
    ended, failures = split_failures(sweep_records(MODES, seeds=3, noise=0.1), at("scaled", 128, seeds=(0, 1)))
    found = batch_sizes(only_part(ended, "batch_sizes", failures))
    assert ("scaled", 128) not in {(item.mode, item.batch) for item in found.speed_ups}  # one of three


def test_a_run_without_a_metric_counts_as_failed():
    records = sweep_records(MODES, seeds=5, noise=0.1)
    next(filter(at("scaled", 512), records))["end"]["test"]["accuracy"] = None
    assert "scaled: 128 [128, 128]" in answer_studies(records)[0].sentence


def test_seconds_are_geometric_means_with_intervals_above_zero():
    records = sweep_records(MODES, seeds=3)
    for record in records:
        record["seconds"]["training"] *= {0: 1, 1: 1, 2: 9}[record["spec"]["seed"]]
    found = batch_sizes(only_part(records, "batch_sizes")).sizes["scaled", 128].seconds
    logs = np.log(2000 * 1e-3 * (0.2 + 8 / 128)) + np.log([1, 1, 9])
    assert found.value == pytest.approx(np.exp(logs.mean()))
    # Student's t of the logarithms on the side of the short tail; that of the seconds themselves would be below zero.
    assert found.low == pytest.approx(np.exp(stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))[0]))
    assert 0 < found.low < found.value < found.high


def test_intervals_of_accuracies_end_at_a_hundred_percent():
    records = sweep_records({"all": {8: 99.5, 32: 99.6}}, seeds=3, noise=0.15)
    values = [result.final for result in batch_sizes(only_part(records, "batch_sizes")).sizes.values()]
    assert max(value.high for value in values) == 100.0
    assert all(value.low < value.value < value.high for value in values)
