"""Studies of factors, batch sizes and budgets: what is estimated from made-up records equals what they were made with."""

import numpy as np
import pytest
from analysis_of_dicts import answer_studies, noise_scale, schedule_lines, split_into_parts
from made_up import record_of
from scipy import stats
from study_records import BUDGETS, FACTORIAL, SWEEP, budget_records, factorial_records, studied, sweep_records

from batchsel.analysis.stats.estimates import Estimate
from batchsel.analysis.studies.batch_sizes import batch_sizes
from batchsel.analysis.studies.breaking_point import find_breaking_points
from batchsel.analysis.studies.budgets import budgets, not_inferior
from batchsel.analysis.studies.factorial import effects, factorial
from batchsel.analysis.studies.noise_scale import summarize_noise
from batchsel.experiments.run.run_record import NoiseMeasurement


def only(records, kind, failures=()):
    (part,) = split_into_parts(records, kind, failures)
    return part


def estimated(records):
    found = factorial(only(records, "factorial"))
    return {effect.factors: effect.estimate for effect in found.effects}, found


def test_effects_are_those_that_the_records_were_made_with():
    found, whole = estimated(factorial_records(effect=(0.5, -0.2), interaction=0.4))
    assert found[("lerac",)].value == pytest.approx(0.5 + 0.4 / 2)
    assert found[("blur",)].value == pytest.approx(-0.2 + 0.4 / 2)
    assert found[("lerac", "blur")].value == pytest.approx(0.4)
    assert {cell: round(item.value, 6) for cell, item in whole.simple.items()} == {
        (0, 1): -0.2,
        (1, 0): 0.5,
        (1, 1): 0.7,
    }
    for name in ("samples", "time"):
        ratios = [effect.estimate.value for effect in whole.ratios[name]]
        assert ratios == pytest.approx([0.5, 1.5, 1.0])


def test_the_interval_is_students_of_the_contrasts_within_seeds():
    records = factorial_records(seeds=6, noise=0.1)
    found, whole = estimated(records)
    value = {(r["spec"]["seed"], *r["arm"]["levels"].values()): 100 * r["end"]["test"]["accuracy"] for r in records}
    each = [
        value[s, "on", "on"] - value[s, "on", "off"] - value[s, "off", "on"] + value[s, "off", "off"] for s in range(6)
    ]
    interval = stats.t.interval(0.95, 5, np.mean(each), stats.sem(each))
    assert found[("lerac", "blur")] == pytest.approx((np.mean(each), *interval))
    # Seeds differ by a point each: what they share is no part of the interval.
    assert interval[1] - interval[0] < 1
    p = [effect.p for effect in whole.effects]
    assert [effect.p_holm for effect in whole.effects] == pytest.approx(
        [min(1, max(value * (3 - sorted(p).index(value)) for value in p if value <= one)) for one in p]
    )


def test_the_interval_of_the_interaction_covers_it_as_often_as_it_says():
    rng, covered = np.random.default_rng(11), 0
    for _ in range(400):
        values = {}
        for seed in range(5):
            shared = rng.normal(0, 2)
            cells = {(a, b): 0.5 * a - 0.2 * b + 0.4 * a * b for a in (0, 1) for b in (0, 1)}
            values[seed] = {cell: mean + shared + rng.normal(0, 0.3) for cell, mean in cells.items()}
        estimate = effects(values, ["a", "b"])[-1].estimate
        covered += estimate.low <= 0.4 <= estimate.high
    assert 0.92 <= covered / 400 <= 0.98


def test_three_factors_have_effects_of_all_orders():
    records = []
    for seed in range(9):
        for a, b, c in np.ndindex(2, 2, 2):
            levels = {name: ("no", "yes")[on] for name, on in (("a", a), ("b", b), ("c", c))}
            noise = 1e-4 * np.sin(7 * seed + 3 * a + 5 * b + c)
            records.append(studied(FACTORIAL, levels, seed, 0.8 + 0.01 * (a + 2 * b * c + 4 * a * b * c) + noise))
    found, _ = estimated(records)
    assert len(found) == 7
    assert found[("a yes", "b yes", "c yes")].value == pytest.approx(4, abs=0.05)
    assert found[("b yes", "c yes")].value == pytest.approx(2 + 4 / 2, abs=0.05)
    assert found[("a yes",)].value == pytest.approx(1 + 4 / 4, abs=0.05)
    assert (
        "interactions distinguishable from none (p at most 0.05 after Holm, 9 seeds)"
        in answer_studies(records)[0].sentence
    )
    few = [record for record in records if record["spec"]["seed"] < 5]
    assert "none of the 4 interactions is distinguishable" in answer_studies(few)[0].sentence
    two = [record for record in records if record["spec"]["seed"] < 2]
    assert "interactions (2 seeds, too few for an interval): a yes × b yes " in answer_studies(two)[0].sentence


def test_the_base_level_is_that_of_the_baseline():
    def records(base):
        return [
            studied(FACTORIAL, {"selector": one, "schedule": two}, seed, 0.9 + 0.01 * (one == "smart"),
                    role="baseline" if (one, two) == (base, "constant") else "arm")
            for seed in range(2) for one in ("smart", "random") for two in ("cosine", "constant")
        ]  # fmt: skip

    assert estimated(records("random"))[0][("selector smart",)].value == pytest.approx(1)
    assert estimated(records("smart"))[0][("selector random",)].value == pytest.approx(-1)


def test_seeds_without_all_combinations_are_left_out_and_told():
    records = factorial_records(seeds=3)[:-1]
    (study,) = answer_studies(records)
    assert study.seeds == 2
    assert any("3 runs of seeds that lack a combination" in note for note in study.notes)


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda levels: levels != {"lerac": "on", "blur": "on"}, "no run with lerac on and blur on"),
        (lambda levels: levels["blur"] == "off", "of the factor blur only off has been run"),
    ],
)
def test_an_unfinished_study_says_what_is_missing(keep, said):
    records = [record for record in factorial_records(seeds=2) if keep(record["arm"]["levels"])]
    (study,) = answer_studies(records)
    assert (study.seeds, study.findings) == (0, ())
    assert "no answer yet" in study.sentence
    assert said in study.sentence


def test_a_factor_of_three_levels_is_no_factor_of_a_two_by_two():
    records = factorial_records(seeds=1)
    records.append(studied(FACTORIAL, {"lerac": "half", "blur": "on"}, 0, 0.9))
    assert "the factor lerac has 3 levels (off, on, half)" in answer_studies(records)[0].sentence


def test_runs_that_missed_the_target_leave_no_ratio_and_the_reason():
    records = factorial_records(seeds=2)
    records[0] = studied(FACTORIAL, records[0]["arm"]["levels"], 0, 0.9, crossing=None)
    (study,) = answer_studies(records)
    assert any("1 of 8 runs missed accuracy>=0.9" in note for note in study.notes)
    assert not any(item.unit == "ratio" for item in study.findings)


def test_each_model_is_answered_by_itself():
    analysis = FACTORIAL | {"within": ["model"]}
    records = [
        record
        for model, both in (("cnn", 0.4), ("cvt", -1.0))
        for record in factorial_records(seeds=2, interaction=both, analysis=analysis, extra={"model": model})
    ]
    first, second = answer_studies(records)
    assert first.sentence.startswith("on digits, model cnn: lerac and blur together gave +0.40 points of accuracy")
    assert second.place == "digits, model cvt"
    assert "gave -1.00 points" in second.sentence


def test_a_metric_that_falls_is_told_in_its_own_unit():
    (study,) = answer_studies(factorial_records(seeds=2, analysis=FACTORIAL | {"metric": "loss"}))
    assert "gave -0.008 of loss" in study.sentence
    assert study.findings[0].unit == ""


@pytest.mark.parametrize("made", [factorial_records, lambda: sweep_records(MODES), budget_records])
def test_without_results_of_the_end_there_is_no_answer(made):
    records = made()
    del records[3]["end"]
    assert (
        answer_studies(records)[0].sentence == "on digits: no answer yet: 1 run lacks results of the end of the budget."
    )
    del records[4]["end"]
    assert "2 runs lack results of the end of the budget" in answer_studies(records)[0].sentence
    assert answer_studies(records)[0].findings == ()


def test_a_run_that_missed_the_target_was_read_at_the_end_anyhow():
    records = factorial_records(seeds=1)
    records[0] |= {"reached": False, "crossing": None, "test": records[0].pop("end")["test"]}
    assert answer_studies(records)[0].sentence == answer_studies(factorial_records(seeds=1))[0].sentence


def points(values, step=0.0, seeds=3):
    """Results of seeds that agree, or that lie a step apart."""
    return {size: {seed: value + step * seed for seed in range(seeds)} for size, value in values.items()}


PLAIN = {8: 90.0, 32: 91.0, 64: 90.5, 128: 90.0, 256: 89.9}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (PLAIN, "128"),  # 90.0 lies on the line, which is within
        ({8: 91.0, 32: 90.0, 64: 90.0, 128: 90.2}, "at least 128"),
        ({8: 91.0, 16: 89.0, 32: 90.5, 64: 90.5}, "8"),  # not past a size that fails
        ({32: 91.0, 64: 89.0, 128: 91.0}, "32"),
        ({64: 91.0, 128: 90.5, 256: 80.0}, "128"),  # no small size: the smallest takes its place
    ],
)
def test_breaking_points_of_the_base_mode(values, told):
    found = find_breaking_points({"base": points(values)}, "base", 32, 1.0)
    assert str(found.modes["base"]) == told  # three seeds bear no interval
    found = find_breaking_points({"base": points(values, 0.001, 5)}, "base", 32, 1.0).modes["base"]
    assert (str(found.low), str(found.high)) == (told, told)
    assert find_breaking_points({"base": points(values, seeds=5)}, "base", 32, 1.0).modes["base"].low is None


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({8: 85.0, 32: 89.9, 64: 91.0, 256: 80.0}, "none from its small sizes on"),  # though 64 does
        ({8: 90.5, 32: 90.9, 128: 90.5}, "128 (no larger was run)"),  # of its own; the base mode has 256
        ({8: 80.0, 32: 91.0, 64: 91.0, 128: 85.0}, "64"),  # too small a batch is no break
        ({8: 90.5, 16: 80.0, 32: 90.5, 64: 85.0}, "32"),  # of equal ones from the largest on
    ],
)
def test_breaking_points_of_another_mode(values, told):
    found = find_breaking_points({"base": points(PLAIN), "other": points(values)}, "base", 32, 1.0)
    assert (found.threshold.value, found.threshold.batch, found.threshold.sizes) == (91.0, 32, (8, 32))
    assert str(found.modes["other"].value) == told


def test_the_interval_of_a_breaking_point_takes_in_what_seeds_disagree_on():
    table = {32: [91.0] * 6, 64: [90.5] * 6, 128: [90.4, 90.4, 90.4, 90.4, 90.4, 87.0], 256: [80.0] * 6}
    results = {"base": {size: dict(enumerate(values)) for size, values in table.items()}}
    found = find_breaking_points(results, "base", 32, 1.5).modes["base"]
    assert str(found) == "128 [64, 128]"  # the mean is 89.83, that of resamples with the bad seed often is less


@pytest.mark.parametrize("seeds", [1, 4])
def test_less_than_five_seeds_give_no_interval_of_a_breaking_point(seeds):
    results = {"base": {size: dict.fromkeys(range(seeds), value) for size, value in PLAIN.items()}}
    assert str(find_breaking_points(results, "base", 32, 1.0).modes["base"]) == "128"


def test_breaking_points_need_a_seed_that_all_have():
    why = "no seed has all batch sizes and modes"
    assert find_breaking_points({"base": {32: {0: 90.0}, 64: {1: 90.0}}}, "base", 32, 1.0) == why
    assert find_breaking_points({"other": {32: {0: 90.0}}}, "base", 32, 1.0) == "there is no run of base"


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ({"scaled": [256, 512]}, {"base": "at least 512", "scaled": "128"}),  # sizes of which no run ended
        ({"base": [64], "scaled": []}, {"base": "32", "scaled": "128 (no larger was run)"}),  # no jump over a hole
        ({"base": [512, 1024]}, {"base": "256", "scaled": "128 (no larger was run)"}),
        ({"scaled": [8, 32]}, {"base": "at least 512", "scaled": "none from its small sizes on"}),
        ({"other": [8, 64]}, {"base": "at least 512", "other": "none from its small sizes on"}),
    ],
)
def test_a_size_of_which_a_run_failed_does_not_hold(lost, told):
    table = {"base": {8: 91, 32: 91, 64: 91, 256: 91, 512: 91}, "scaled": {8: 91, 32: 91, 64: 91, 128: 91}}
    results = {mode: points(values) for mode, values in table.items()}
    for mode, sizes in lost.items():
        for size in sizes:  # one seed ended
            if size in results.get(mode, {}):
                results[mode][size] = {0: 99.0}
    found = find_breaking_points(results, "base", 32, 1.0, lost)
    assert found.seeds == 3
    assert {mode: str(found.modes[mode]) for mode in told} == told


def test_without_a_small_size_that_ran_there_is_no_threshold():
    results = {"base": points({8: 91.0, 64: 91.0})}
    assert (
        find_breaking_points(results, "base", 32, 1.0, {"base": [8]}) == "a run failed at each small batch size of base"
    )


def covered(gap, seeds, sweeps=120):
    """How often the interval held the true size and the point lay below it, for a next size that far from the line."""
    rng, held, low = np.random.default_rng(2), 0, 0
    for _ in range(sweeps):
        means = {32: 91.0, 64: 90.0 + gap, 128: 85.0}
        results = {size: dict(enumerate(mean + rng.normal(0, 0.1, seeds))) for size, mean in means.items()}
        found = find_breaking_points({"base": results}, "base", 32, 1.0).modes["base"]
        held += found.low.batch <= 64 <= found.high.batch
        low += found.value.batch < 64
    return held / sweeps, low / sweeps


def test_the_interval_of_a_breaking_point_covers_it_where_sizes_differ_and_less_near_the_line():
    clear, near = covered(0.5, 5), covered(0.05, 5)
    assert clear[0] >= 0.97
    assert clear[1] <= 0.03
    assert 0.75 <= near[0] <= 1.0
    assert 0.1 <= near[1] <= 0.4  # the point leans to small sizes
    assert covered(0.05, 10)[0] >= max(near[0], 0.93)


MODES = {"base rate": {8: 91, 32: 90.8, 128: 89, 512: 80}, "scaled": {8: 90.9, 32: 91, 128: 90.9, 512: 90.5}}


def swept(**options):
    return batch_sizes(only(sweep_records(MODES, **options), "batch_sizes"))


def test_a_sweep_holds_accuracy_gap_time_and_steps():
    found = swept(seeds=3)
    cell = found.sizes["scaled", 128]
    assert (found.base, found.modes, found.sizes) == ("base rate", ["base rate", "scaled"], [8, 32, 128, 512])
    assert cell.final.value == pytest.approx(90.9)
    assert cell.gap.value == pytest.approx(2 / 3)
    assert cell.loss_gap.value == pytest.approx(0.1 + 0.1 / 128)
    assert (cell.steps, cell.seconds.value) == (16, pytest.approx(2000 * 1e-3 * (0.2 + 8 / 128)))
    assert cell.throughput == pytest.approx(1000 / (0.2 + 8 / 128))
    assert str(found.breaking.modes["base rate"].value) == "32"
    assert str(found.breaking.modes["scaled"].value) == "at least 512"
    # 512 is fastest in both modes, and better in the second; from there on only what is better counts.
    assert found.front == [("scaled", 512), ("scaled", 128), ("scaled", 32)]


def test_speed_ups_are_steps_and_seconds_to_the_same_level():
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


def test_a_seed_that_does_not_get_there_leaves_the_ratio_of_medians():
    records = sweep_records(MODES, seeds=3)
    missed = next(
        r for r in records if r["spec"]["seed"] == 2 and r["arm"]["levels"] == {"batch size": "128", "mode": "scaled"}
    )
    for point in missed["evaluations"]:
        point["accuracy"] = 0.1
    whole = {(item.mode, item.batch): item.steps for item in swept(seeds=3).speed_ups}
    found = {(item.mode, item.batch): item.steps for item in batch_sizes(only(records, "batch_sizes")).speed_ups}
    assert found["scaled", 128] == Estimate(pytest.approx(whole["scaled", 128].value))
    assert found["scaled", 32] == pytest.approx(whole["scaled", 32])


def test_shared_devices_leave_no_seconds():
    found = swept(seeds=2, contended=True)
    assert found.front == []
    assert found.sizes["scaled", 8].seconds is None
    assert found.speed_ups[1].seconds is None


def test_a_noise_scale_is_given_only_where_there_is_one():
    told = noise_scale(sweep_records({"all": {32: 90}}, seeds=1))
    assert told.median == pytest.approx(np.median([1 + 60 * passes for passes in (0.2, 0.8, 1.4, 2.0)]))
    assert noise_scale(sweep_records({"all": {32: 90}}, seeds=1, noisy_gradient=True)).median is None
    assert noise_scale([record_of("random", 0)]) is None
    # A measurement that noise drowned is of a large scale: to leave it out would make the median too small.
    told = summarize_noise([NoiseMeasurement(scale=scale) for scale in (None, 100.0, None, 300.0, 900.0)])
    assert (told.median, told.high, str(told)) == (900.0, None, "900 (100 to unbounded)")
    assert summarize_noise([NoiseMeasurement(scale=scale) for scale in (None, 100.0, 300.0, None)]).median is None
    (study,) = answer_studies(sweep_records(MODES, seeds=1, noisy_gradient=True))
    assert "the gradient noise scale cannot be told: 32 of 32 measurements" in " ".join(study.notes)
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
    assert any("the breaking point leans to small sizes" in note for note in study.notes)


def test_a_speed_up_needs_a_seed_that_both_have():
    records = [r for r in sweep_records(MODES, seeds=4) if (r["spec"]["seed"] < 2) == (r["spec"]["batch_size"] == 8)]
    found = batch_sizes(only(records, "batch_sizes"))
    assert {item.batch for item in found.speed_ups} == {8}
    assert "no seed has all batch sizes and modes" in answer_studies(records)[0].sentence


def test_arrivals_are_told_to_the_grid_of_evaluations():
    (study,) = answer_studies(sweep_records(MODES, seeds=3, noise=0.1))
    words = study.tables[1].caption
    assert "to the grid of evaluations only, which lie up to 100 samples apart." in words
    assert "Front ●: by means, of those with times and without failures, no other is both better and faster." in words


def test_a_batch_size_in_words_is_that_of_the_run():
    records = sweep_records({"base rate": {8: 91, 32: 90.8, 128: 89}}, seeds=1)
    for record in records:
        record["arm"]["levels"] = {"batch size": {8: "tiny", 32: "small", 128: "large"}[record["spec"]["batch_size"]]}
    assert batch_sizes(only(records, "batch_sizes")).batches == [8, 32, 128]


def test_arms_without_a_batch_size_of_the_study_take_no_part():
    records = [*sweep_records(MODES, seeds=1), studied(SWEEP, {}, 0, 0.99, name="random", role="baseline")]
    assert {mode for mode, _ in batch_sizes(only(records, "batch_sizes")).sizes} == set(MODES)


def test_budgets_are_compared_at_equal_samples_and_with_full_data():
    found = budgets(only(budget_records(seeds=4), "budgets"))
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


def test_each_pair_of_budgets_names_its_seeds():
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
def test_non_inferiority_is_said_only_if_the_whole_interval_is(difference, rising, shown):
    assert not_inferior(difference, 1.0, rising) is shown


def test_unequal_samples_are_told():
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
    found = budgets(only(records, "budgets"))
    assert found.differences["pruned", "short"].seconds is None
    assert found.differences["pruned", "full"].seconds is not None


def test_budgets_say_which_arm_is_missing():
    records = [record for record in budget_records(seeds=2) if record["arm"]["name"] != "short"]
    assert answer_studies(records)[0].sentence == "on digits: no answer yet: there is no run of short."


def failure(record, **about):
    """The same run, as if it had failed."""
    made = {"schema": 2, "failed": "went astray", "spec": record["spec"], "digest": record["digest"]}
    return made | {"arm": record["arm"]} | about


def without(records, failed):
    """The records that ended, and the failures of the others."""
    return [r for r in records if not failed(r)], [failure(r) for r in records if failed(r)]


def at(mode, *sizes, seeds=range(9)):
    return lambda r: (
        r["arm"]["levels"]["mode"] == mode and r["spec"]["batch_size"] in sizes and r["spec"]["seed"] in seeds
    )


def test_failed_runs_of_a_sweep_break_their_size():
    ended, failures = without(sweep_records(MODES, seeds=5, noise=0.1), at("scaled", 128, 512, seeds=(1, 2)))
    (study,) = answer_studies(ended, failures)
    assert "scaled: 32 [32, 32] (bootstrap" in study.sentence
    assert "4 runs failed, at scaled: 128 (2), scaled: 512 (2)" in study.notes[0]
    assert study.seeds == 5  # sizes that hold lose no seed
    rows = {row[:2]: row for row in study.tables[1].rows}
    assert rows["scaled", "128"][2] == "3, 2 failed"
    found = batch_sizes(only(ended, "batch_sizes", failures))
    assert ("scaled", 512) not in found.front
    ended, failures = without(sweep_records(MODES, seeds=5, noise=0.1), at("scaled", 512))
    (study,) = answer_studies(ended, failures)
    assert "scaled: 128 [128, 128]" in study.sentence  # not "at least"
    assert study.tables[1].rows[-1][:3] == ("scaled", "512", "0, 5 failed")
    assert (
        "scaled: 128 (no larger was run)" in answer_studies(ended)[0].sentence
    )  # whoever does not know of the failures


def test_a_failed_run_is_none_of_those_that_get_there():
    ended, failures = without(sweep_records(MODES, seeds=3, noise=0.1), at("scaled", 128, seeds=(0, 1)))
    found = batch_sizes(only(ended, "batch_sizes", failures))
    assert ("scaled", 128) not in {(item.mode, item.batch) for item in found.speed_ups}  # one of three


def test_a_run_whose_metric_is_lost_counts_as_failed():
    records = sweep_records(MODES, seeds=5, noise=0.1)
    next(filter(at("scaled", 512), records))["end"]["test"]["accuracy"] = None
    assert "scaled: 128 [128, 128]" in answer_studies(records)[0].sentence


@pytest.mark.parametrize(("made", "arm"), [(factorial_records, "lerac on, blur off"), (budget_records, "short")])
def test_failed_runs_are_counted_in_a_note(made, arm):
    ended, failures = without(made(seeds=4), lambda r: r["arm"]["name"] == arm and r["spec"]["seed"] < 2)
    (study,) = answer_studies(ended, failures)
    assert study.notes[0] == "2 runs failed and are not among the numbers: they are of the runs that ended."
    # A record of the same arm and seed takes the place of its failure.
    (study,) = answer_studies(made(seeds=4), failures)
    assert not any("failed" in note for note in study.notes)


def test_a_failure_is_of_the_experiment_that_it_was_made_for():
    named = factorial_records(seeds=3, about={"experiment": "one"})
    other = factorial_records(seeds=3, about={"experiment": "other"})
    failures = [failure(named.pop(), about=named[0]["about"])]
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


def test_a_run_that_was_made_twice_counts_once_as_it_was_last():
    before, after = factorial_records(seeds=2, interaction=2.0), factorial_records(seeds=2)
    (study,) = answer_studies(before + after)
    assert study.sentence == answer_studies(after)[0].sentence
    assert [row[2] for row in study.tables[0].rows] == ["2"] * 4


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (factorial_records, "lerac off and blur off"),
        (lambda: sweep_records(MODES), "base rate, batch size 8"),
        (budget_records, "full"),
    ],
)
def test_runs_of_a_cell_that_differ_in_more_than_their_seed_give_no_answer(made, words):
    records = made()
    records[0]["spec"] = records[0]["spec"] | {"learning_rate": 0.5}
    assert answer_studies(records)[0].sentence == (
        f"on digits: no answer yet: the runs of {words} differ in more than their seed (learning_rate 0.5 and 0.01)."
    )


def test_an_edited_table_is_that_of_the_newest_record():
    records = budget_records(seeds=4, noise=0.2)
    for record in records[6:]:
        record["about"] = record["about"] | {"analysis": BUDGETS | {"points": 0.1}}
        record["started"] = "2026-11-22T12:00:00+00:00"
    (study,) = answer_studies(records[::-1])
    assert study.seeds == 4
    assert "by more than 0.1 points" in study.sentence
    (study,) = answer_studies(records, analysis=BUDGETS | {"points": 3.0})
    assert "not worse by more than 3 points" in study.sentence


def test_an_interval_that_leaves_zero_out_is_weak_evidence_if_its_p_is_not_small():
    (study,) = answer_studies(factorial_records(seeds=4, noise=0.02))
    assert "(interaction; 95 % interval, 4 seeds): its interval leaves 0 out, but the evidence is weak: p = 0." in (
        study.sentence
    )
    (study,) = answer_studies(factorial_records(seeds=8, noise=0.02))
    assert "8 seeds): distinguishable from none;" in study.sentence
    (study,) = answer_studies(factorial_records(seeds=2, noise=0.02))
    assert "(interaction; 2 seeds, too few for an interval); against" in study.sentence
    assert "distinguishable" not in study.sentence
    (study,) = answer_studies(factorial_records(seeds=4))
    assert "(interaction; 4 seeds that agree, no interval); against" in study.sentence
    (study,) = answer_studies(budget_records(seeds=4, noise=0.02))
    assert (
        "its interval leaves 0 out, but the evidence is weak: p = 0.38 after Holm; 95 % interval, 4" in study.sentence
    )


def test_forms_of_a_study_are_not_mixed():
    records = factorial_records(seeds=2, about={"form": "scaled"}) + factorial_records(
        seeds=2, interaction=2.0, about={"form": "full"}
    )
    assert [study.place for study in answer_studies(records)] == ["digits, form scaled", "digits, form full"]


def test_the_course_is_that_which_was_recorded_else_the_rates_at_evaluations():
    record = record_of("random", 0)
    assert schedule_lines(record) == {"learning rate": ([100, 200], [0.01, 0.005])}
    record["course"] = {"names": ["learning_rate", "height"], "samples": [0, 5], "values": [[0.1, 16], [0.2, 32]]}
    assert schedule_lines(record) == {"learning rate": ([0, 5], (0.1, 0.2)), "height": ([0, 5], (16, 32))}
