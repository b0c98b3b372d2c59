"""Factorial studies: estimates from made-up records equal the effects they were made with."""

import numpy as np
import pytest
from analysis_of_dicts import answer_studies, only_part
from scipy import stats
from study_records import (
    FACTORIAL,
    budget_records,
    factorial_records,
    studied,
)

from batchsel.analysis.studies.factorial import effects, factorial


def estimated(records):
    found = factorial(only_part(records, "factorial"))
    return {effect.factors: effect.estimate for effect in found.effects}, found


def test_effects_equal_those_of_the_records():
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


def test_the_interval_is_that_of_contrasts_within_seeds():
    records = factorial_records(seeds=6, noise=0.1)
    found, whole = estimated(records)
    value = {(r["spec"]["seed"], *r["arm"]["levels"].values()): 100 * r["end"]["test"]["accuracy"] for r in records}
    each = [
        value[s, "on", "on"] - value[s, "on", "off"] - value[s, "off", "on"] + value[s, "off", "off"] for s in range(6)
    ]
    interval = stats.t.interval(0.95, 5, np.mean(each), stats.sem(each))
    value, low, high = found[("lerac", "blur")]
    assert value == pytest.approx(np.mean(each))
    # Student's t, or farther out on the side of the longer tail.
    assert low <= interval[0] + 1e-9
    assert high >= interval[1] - 1e-9
    assert low == pytest.approx(interval[0]) or high == pytest.approx(interval[1])
    assert high - low < 1.3 * (interval[1] - interval[0])
    # Seeds differ by a point each: what they share is no part of the interval.
    assert interval[1] - interval[0] < 1
    p = [effect.p for effect in whole.effects]
    assert [effect.p_holm for effect in whole.effects] == pytest.approx(
        [min(1, max(value * (3 - sorted(p).index(value)) for value in p if value <= one)) for one in p]
    )


def test_the_interval_of_the_interaction_has_its_nominal_coverage():
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


def test_seeds_without_all_combinations_are_left_out_with_a_note():
    records = factorial_records(seeds=3)[:-1]
    (study,) = answer_studies(records)
    assert study.seeds == 2
    assert any("3 runs of seeds that lack a combination" in note for note in study.notes)


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (lambda levels: levels != {"lerac": "on", "blur": "on"}, "no run with lerac on and blur on"),
        (lambda levels: levels["blur"] == "off", "the factor blur has runs at only one level (off)"),
    ],
)
def test_an_unfinished_study_says_what_is_missing(keep, words):
    records = [record for record in factorial_records(seeds=2) if keep(record["arm"]["levels"])]
    (study,) = answer_studies(records)
    assert (study.seeds, study.findings) == (0, ())
    assert "no answer yet" in study.sentence
    assert words in study.sentence


def test_a_factor_with_three_levels_is_rejected():
    records = factorial_records(seeds=1)
    records.append(studied(FACTORIAL, {"lerac": "half", "blur": "on"}, 0, 0.9))
    assert "the factor lerac has 3 levels (off, on, half)" in answer_studies(records)[0].sentence


def test_missed_targets_leave_no_ratios_but_a_reason():
    records = factorial_records(seeds=2)
    records[0] = studied(FACTORIAL, records[0]["arm"]["levels"], 0, 0.9, crossing=None)
    (study,) = answer_studies(records)
    assert any("1 of 8 runs missed accuracy>=0.9" in note for note in study.notes)
    assert not any(item.unit == "ratio" for item in study.findings)


def test_each_model_is_answered_separately():
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


def test_a_falling_metric_is_reported_in_its_own_unit():
    (study,) = answer_studies(factorial_records(seeds=2, analysis=FACTORIAL | {"metric": "loss"}))
    assert "gave -0.008 of loss" in study.sentence
    assert study.findings[0].unit == ""


def test_an_interval_without_zero_is_weak_evidence_if_p_is_large():
    (study,) = answer_studies(factorial_records(seeds=4, noise=0.02))
    assert "(interaction; 95 % interval, 4 seeds): its interval excludes 0, but the evidence is weak: p = 0." in (
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
    assert "its interval excludes 0, but the evidence is weak: p = 0.38 after Holm; 95 % interval, 4" in study.sentence


def test_a_first_level_that_is_a_setting_of_its_own_is_named_in_place_of_neither():
    records = factorial_records(noise=0.1)
    (study,) = answer_studies(records)
    assert "; against neither, lerac alone " in study.sentence
    for record in records:
        levels = record["arm"]["levels"]
        levels["blur"] = {"off": "σ 0.5", "on": "σ 2"}[levels["blur"]]
    (study,) = answer_studies(records)
    assert "; against lerac off and blur σ 0.5, lerac alone " in study.sentence
    assert ", blur σ 2 alone " in study.sentence
    assert study.tables[0].head[-1] == "against lerac off and blur σ 0.5"
