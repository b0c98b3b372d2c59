"""Single runs: reports and figures of runs that belong to no comparison."""

import csv
import io
import json

import pytest
from analysis_of_dicts import compute_results, render_report
from made_up import record_of

from batchsel.analysis.report.tables import as_csv, as_values
from batchsel.analysis.single_runs import distinct_names, list_single_runs, name_single_runs, split_runs
from batchsel.cli.main import cli
from batchsel.experiments.run import records as files
from batchsel.experiments.run.parse_record import parse_runs


def single(selector="random", seed=0, dataset="iris", **options):
    """Return the record of a plain run; settings of its spec may follow as `spec`."""
    spec = options.pop("spec", {})
    record = record_of(selector, seed, dataset=dataset, role="single", against="", **options)
    record["spec"] |= {"selector": selector, **spec}
    return record


CASES = {
    "one run": [single()],
    "one run that missed": [single(crossing=None)],
    "one each on two data sets": [single(), single(dataset="wine", crossing=None)],
    "several seeds": [single(seed=seed) for seed in range(3)],
    "the same run twice": [single(), single()],
    "two selectors on two data sets": [single(name, 0, of) for name in ("random", "smart") for of in ("iris", "wine")],
    "other targets": [single(), single(target="loss<=0.5")],
    "shared device": [single(contended=True), single("smart", contended=True)],
    "many": [single(seed=seed, spec={"batch_size": size}) for seed in range(6) for size in (16, 32)],
}


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_every_single_run_has_a_row_and_none_is_compared(records):
    page = render_report(records)
    results = compute_results(records)
    assert page.count("<small>" + records[0]["digest"][:8]) >= 1
    assert page.count('<td class="name">') == len(records)
    assert "No arm is compared with a baseline" in page
    assert "Kaplan" not in page
    assert "All data sets together" not in page
    assert (results.analysis.summaries, results.analysis.comparisons, results.levels) == ([], [], {})
    for dataset in {record["spec"]["dataset"] for record in records}:
        for name in ("curves", "visits", *(() if records[0]["contended"] else ("time",))):
            assert f'<figure id="{dataset}-single-{name}">' in page
    values = as_values(*results)["runs"]
    assert len(values) == len(records)
    lines = list(csv.DictReader(io.StringIO(as_csv(*results))))
    assert sum(line["level"] != "end" for line in lines) == len(records)
    assert sum(int(line["runs"]) for line in lines if line["level"] == "end") == len(records)
    json.dumps(values, allow_nan=False)


def test_the_page_says_when_each_run_reached_its_target():
    page = render_report([single(crossing=400), single("smart", crossing=None), single(dataset="wine")])
    assert "3 single runs, of which 2 reached their target" in page
    assert "reached after 0.4 s" in page  # 400 samples at a millisecond each
    assert "0.4 passes, 400 samples" in page
    assert "not reached<br><small>within 2000 samples" in page
    assert "0.9100" in page


def test_results_of_single_runs_are_those_of_their_records():
    (values,) = as_values(*compute_results([single(seed=1, crossing=500)]))["runs"]
    assert (values["reached"], values["seconds"], values["samples"], values["passes"]) == (True, 0.5, 500, 0.5)
    assert values["test"] == {"loss": 0.3, "accuracy": 0.911}
    assert values["clock"]["tracing"] == 2.0


def test_runs_with_other_settings_are_not_other_seeds():
    records = [single(seed=seed, spec={"batch_size": size}) for size in (16, 32) for seed in (0, 1)]
    names = [record.arm.name for record in name_single_runs(parse_runs(records))]
    assert names == ["random, batch_size = 16"] * 2 + ["random, batch_size = 32"] * 2


@pytest.mark.parametrize("setting", ["label_noise", "train_share", "label_smoothing", "imbalance", "augment"])
def test_a_setting_that_records_hold_only_where_it_is_not_the_default_tells_runs_apart(setting):
    records = [single(spec=spec) for spec in ({}, {setting: "0.2"})]
    plain, changed = (record.arm.name for record in name_single_runs(parse_runs(records)))
    assert (plain, changed) == ("random", f"random, {setting} = 0.2")
    compared = [record_of(arm, seed) for arm in ("random", "smart") for seed in range(3)]
    others = [record_of(arm, seed) for arm in ("random", "smart") for seed in range(3)]
    for record in others:
        record["spec"] |= {setting: "0.2"}
    comparisons = compute_results(compared + others).analysis.comparisons
    assert [(item.dataset, item.pairs) for item in comparisons] == [
        (f"digits, {setting} by default", 3),
        (f"digits, {setting} 0.2", 3),
    ]


def test_a_repeated_run_keeps_a_name_of_its_own():
    records = [single(), single() | {"started": "2026-11-22T12:00:00+00:00"}, single()]
    names = distinct_names(list_single_runs(parse_runs(records)))
    assert len(set(names)) == 3


def test_single_runs_stay_apart_from_arms_of_the_same_name():
    compared = [record_of(arm, seed) for arm in ("random", "smart") for seed in range(3)]
    alone = [single("random", 0, "digits", crossing=1500)]
    before, after = compute_results(compared), compute_results(compared + alone)
    assert as_values(*after[:3]) == as_values(*before[:3])
    _, (renamed,) = split_runs(parse_runs(compared + alone))
    assert renamed.arm.name == "random (single run)"
    page = render_report(compared + alone)
    assert "Not part of the comparison: 1 single run, which reached its target" in page


@pytest.mark.parametrize("figure", ["curves", "time", "visits", "strip"])
def test_plot_draws_single_runs(figure, tmp_path):
    for record in [single(), single("smart"), single(spec={"batch_size": 7})]:
        files.append(tmp_path, record)
    cli.main(["plot", str(tmp_path), "--figure", figure, "--out", str(tmp_path / "a.svg")], standalone_mode=False)
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert text.startswith("<?xml")


def test_report_of_two_plain_runs_on_two_data_sets(tmp_path):
    for record in [single(), single(dataset="wine")]:
        files.append(tmp_path, record)
    out = tmp_path / "r.json"
    cli.main(["report", str(tmp_path), "--json", str(out), "--csv", str(tmp_path / "r.csv")], standalone_mode=False)
    assert [run["dataset"] for run in json.loads(out.read_text())["runs"]] == ["iris", "wine"]


def test_the_page_says_when_a_process_stood_still():
    record = single()
    assert "stood still" not in render_report([record])
    record["stalls"] = {"count": 2, "seconds": 10.25}
    assert "of it stood still 10.2" in render_report([record])
