"""The same runs at several targets: easy ones are reached sooner, hard ones are missed."""

import csv
import io
import json

import pytest
from analysis_of_dicts import analyze, render_report, target_levels
from made_up import record_of

from batchsel.analysis.report.tables import as_csv, as_values
from batchsel.cli.support.comparison_text import lines
from batchsel.experiments.run import records as files
from batchsel.experiments.spec.dataset_lookup import card_targets

TARGETS = {"hard": "accuracy>=0.99", "medium": "accuracy>=0.90", "easy": "accuracy>=0.5"}
SEEDS = 8


def runs(**options):
    given = {"targets": TARGETS} | options
    found = []
    for seed in range(SEEDS):
        found.append(record_of("random", seed, crossing=1000 + 100 * (seed % 2), **given))
        found.append(record_of("loss_ema", seed, crossing=500 + 100 * (seed % 2), **given))
        found.append(record_of("random again", seed, crossing=1000, role="control", against="random", **given))
        found.append(record_of("rs2", seed, role="control", against="random", control_of="loss_ema", **given))
    return found


def test_every_target_of_the_data_set_is_compared_from_easy_to_hard():
    (found,) = target_levels(runs()).values()
    assert [(level.name, level.target) for level in found] == [
        ("easy", "accuracy>=0.5"), ("medium", "accuracy>=0.9"), ("hard", "accuracy>=0.99"),
    ]  # fmt: skip
    assert [[item.arm.arm for item in level.comparisons] for level in found] == [["loss_ema", "random again"]] * 3
    easy, medium, hard = (level.comparisons[0] for level in found)
    # The curves part at 500 samples only, when both have passed the easy target.
    assert (easy.samples, easy.reached, easy.verdict) == ((1.0, None, None), (SEEDS, SEEDS), "unresolved")
    assert (medium.samples.value, medium.verdict) == (pytest.approx(0.5, abs=0.02), "faster")
    assert (hard.reached, hard.verdict) == ((0, 0), "not reached")


def test_the_target_of_the_runs_is_among_the_levels():
    (found,) = target_levels(runs(target="accuracy>=0.8")).values()
    assert [level.name for level in found] == ["easy", "accuracy>=0.8", "medium", "hard"]


def test_runs_that_ended_at_their_target_have_no_levels():
    assert target_levels(runs(run_on=False)) == {}
    assert target_levels(runs(targets={})) == {}
    assert target_levels(runs(targets={"other": "recall>=0.5"})) == {}


def test_page_text_csv_and_json_show_them():
    records = runs()
    analysis, found = analyze(records), target_levels(records)
    page = render_report(records)
    assert "The same runs at several targets" in page
    assert "accuracy&gt;=0.99 (hard)" in page
    text = "\n".join(lines(analysis, found))
    assert "digits        accuracy>=0.5" in text
    assert "8/8, 0.5" in text
    rows = list(csv.DictReader(io.StringIO(as_csv(analysis, found))))
    assert [row["level"] for row in rows] == ["", "", "", "easy", "easy", "medium", "medium", "hard", "hard"]
    assert [row["target"] for row in rows if row["level"] == "hard"] == ["accuracy>=0.99"] * 2
    values = json.loads(json.dumps(as_values(analysis, found), allow_nan=False))
    assert {item["level"] for item in values["levels"]} == set(TARGETS)
    assert "The same runs at several targets" not in render_report(runs(targets={}))


def test_records_contain_the_card_targets_their_data_set(tmp_path):
    assert card_targets("./mine.py:load") == {}
    assert card_targets("digits")["hard"] == "accuracy>=0.98"
    problems = [
        files.problem(record_of("random", 0) | {"targets": wrong})
        for wrong in (["accuracy>=0.9"], {"easy": "soon"}, {"easy": 3})
    ]
    assert problems == [
        "its targets is a list, expected a table",
        "its targets.easy is 'soon', which is not a target",
        "its targets.easy is a number, expected text",
    ]
    older = record_of("random", 0)
    del older["targets"]
    assert files.problem(older) is None
