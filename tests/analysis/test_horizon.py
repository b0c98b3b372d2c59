"""Studies of horizons: arms with several budgets, compared at equal final metrics."""

import numpy as np
import pytest
from analysis_of_dicts import analyze, answer_studies, draw, group_by_arm, only_part
from study_records import HORIZON, failure_of, horizon_records

from batchsel.analysis.plots.style import Palette
from batchsel.analysis.studies.all_studies import exclude_studied
from batchsel.analysis.studies.horizon import horizons


def test_an_arm_that_is_as_good_with_a_share_of_the_budget_has_this_ratio():
    found = horizons(only_part(horizon_records(seeds=6, ratio=0.6), "horizon"))
    assert list(found.points) == ["random", "auto"]
    assert list(found.points["auto"]) == ["1 passes", "2 passes", "4 passes"]
    item = found.ratios["auto"]
    assert item.samples.ratio.value == pytest.approx(0.6, abs=0.01)
    assert item.seconds.ratio.value == pytest.approx(0.6, abs=0.01)  # a step costs the same here


def test_the_answer_states_samples_time_and_their_intervals():
    (study,) = answer_studies(horizon_records(seeds=8, ratio=0.6, noise=0.1))
    value = next(item for item in study.findings if item.quantity == "samples to equal final accuracy").estimate
    assert study.sentence.startswith(
        f"on digits: auto needs {value.value:.2f} [{value.low:.2f}, {value.high:.2f}] of the samples that random needs"
        " for the same final accuracy, and 0."
    )
    assert study.sentence.endswith("(fewer; 95 % interval, 8 seeds).")
    assert value.low < 0.6 < value.high
    assert study.notes == ()


def test_no_difference_is_said_to_be_none():
    (study,) = answer_studies(horizon_records(seeds=8, ratio=1.0, noise=0.1))
    assert "(not distinguishable from as many; 95 % interval, 8 seeds)" in study.sentence


def test_a_smaller_loss_is_the_better_one():
    (study,) = answer_studies(horizon_records(seeds=4, ratio=0.6, analysis=HORIZON | {"metric": "loss"}))
    value = next(item for item in study.findings if item.quantity == "samples to equal final loss").estimate
    assert value.value == pytest.approx(0.6, abs=0.01)
    # Of the mean accuracies 92.15 + 2 ln(b) of random and 2 ln(1 / 0.6) more of auto, from b = 1 to 4: those in common.
    ends = [2 - 2 * (92.15 + more) / 100 for more in (2 * np.log(4), 2 * np.log(1 / 0.6))]
    assert [row[-1] for row in study.tables[0].rows] == ["{:.3g} to {:.3g}".format(*ends)]


def test_an_arm_that_is_better_with_every_budget_has_a_limit():
    (study,) = answer_studies(horizon_records(seeds=3, ratio=0.01))
    assert study.sentence == (
        "on digits: auto ended above random with the largest budget whichever its own: it needs at most 0.25 of the"
        " samples."
    )
    assert study.tables[0].rows[0][2] == "at most 0.25"


def test_the_control_with_the_schedule_of_an_arm_is_an_arm_of_its_own():
    records = horizon_records(seeds=4, ratio=0.6)
    controls = []
    for record in horizon_records(seeds=4, ratio=1.0):
        if record["arm"]["levels"]["selector"] == "auto":
            name = f"random, schedule of {record['arm']['name']}"
            controls.append(record | {"arm": record["arm"] | {"name": name, "role": "control"}})
    found = horizons(only_part(records + controls, "horizon"))
    ratios = {arm: item.samples.ratio.value for arm, item in found.ratios.items()}
    assert ratios == {"auto": pytest.approx(0.6, abs=0.01), "random, schedule of auto": pytest.approx(1, abs=0.01)}
    assert found.ratios["random, schedule of auto"].seconds is None


def test_what_controls_of_arms_say_of_targets_is_left_to_the_tables_of_the_study():
    records = horizon_records(seeds=4, ratio=0.6)
    repeated = []
    for record in records:
        name, of = record["arm"]["name"], record["arm"]["levels"]["selector"]
        control = {"name": f"schedule of {name}", "role": "control", "control_of": name} if of == "auto" else {
            "name": f"{name} again", "role": "control", "control_of": "",
        }  # fmt: skip
        repeated.append(record | {"arm": record["arm"] | control | {"against": "selector random, budget 1 passes"}})
    analysis, studies = analyze(records + repeated), answer_studies(records + repeated)
    arms = {item.arm.arm for item in analysis.comparisons}
    left = {item.arm.arm for item in exclude_studied(analysis, studies).comparisons}
    assert any(name.startswith("schedule of") for name in arms)
    assert left == {name for name in arms if name.endswith(" again")} != set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r["arm"]["levels"]["selector"] == "auto", "there is no arm beside random with two budgets or more"),
        (lambda r: r["arm"]["levels"]["budget"] != "1 passes", "random needs runs with two budgets or more"),
        (lambda r: True, None),
    ],
)
def test_missing_runs_are_named(change, words):
    records = [record for record in horizon_records(seeds=3) if not change(record)]
    studies = answer_studies(records)
    assert [study.sentence for study in studies] == ([f"on digits: no answer yet: {words}."] if words else [])


def test_failures_and_constant_rates_are_noted():
    records = horizon_records(seeds=4, noise=0.1)
    lost = [record for record in records if record["spec"]["seed"] == 3 and "auto" in record["arm"]["name"]]
    kept = [record for record in records if record not in lost]
    for record in kept:
        record["spec"]["schedule"] = "constant"
    (study,) = answer_studies(kept, [failure_of(record, about=record["about"]) for record in lost])
    assert study.notes[0].startswith("3 runs failed and are not included")
    assert any("the learning rate was constant" in note for note in study.notes)
    assert study.seeds == 3


def test_the_figure_has_a_line_for_each_arm_against_samples_and_seconds():
    arms = group_by_arm(horizon_records(seeds=3, noise=0.1))
    fig = draw("horizon", arms, Palette(list(arms)))
    for ax in fig.axes:
        lines = {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}
        assert set(lines) == {"random", "auto"}
        assert np.all(np.diff(lines["auto"].get_xdata()) > 0)
    assert [ax.get_xlabel() for ax in fig.axes] == ["samples trained on", "seconds of training"]
