"""Answers of studies come first on the page, in the terminal and in files; unsupported numbers are not shown."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from analysis_of_dicts import compute_results, draw, group_by_arm, render_report
from made_up import record_of
from PIL import Image
from study_records import (
    FACTORIAL,
    MODES,
    SWEEP,
    budget_records,
    factorial_records,
    horizon_records,
    sweep_records,
    varied,
)

from batchsel.analysis.plots.figures import FIGURES as ALL_FIGURES
from batchsel.analysis.plots.figures import STUDY_FIGURES
from batchsel.analysis.plots.style import Palette
from batchsel.analysis.report import html_report
from batchsel.analysis.report.tables import as_csv, as_values
from batchsel.cli.support.comparison_text import lines
from batchsel.experiments.run import records as files

STORY = "A narrow network on part of the <digits>."
MADE = {
    "factorial": lambda seeds: factorial_records(seeds, noise=0.3, about={"form": "scaled", "story": STORY}),
    "batch_sizes": lambda seeds: sweep_records(MODES, seeds, noise=0.1),
    "budgets": lambda seeds: budget_records(seeds, noise=0.1),
    "horizon": lambda seeds: horizon_records(seeds, noise=0.1),
}
FIGURES = {
    "factorial": {
        "effects",
        "interaction",
        "curves",
        "history",
        "survival",
        "strip",
        "time",
        "visits",
        "kept",
        "learning_rate",
    },
    "batch_sizes": {"batch_accuracy", "batch_gap", "batch_time", "pareto", "speed_up", "noise_scale", "learning_rate"},
    "budgets": {"budgets", "curves", "history", "survival", "strip", "time", "visits", "kept", "learning_rate"},
    "horizon": {"horizon", "curves", "history", "survival", "strip", "time", "visits", "kept", "learning_rate"},
}


@pytest.fixture(scope="module", params=MADE)
def several(request):
    """Return kind, results and page of a study with three seeds."""
    records = MADE[request.param](3)
    results = compute_results(records)
    return request.param, results, render_report(records, results=results)


@pytest.fixture(scope="module", params=MADE)
def single(request):
    """Return kind, results and page of a study with one seed."""
    records = MADE[request.param](1)
    results = compute_results(records)
    return request.param, results, render_report(records, results=results)


def test_the_first_statement_of_the_page_is_the_answer(several):
    _, results, page = several
    (study,) = results.studies
    sentence = study.sentence[0].upper() + study.sentence[1:]
    body = page[page.index("<main>") :]
    first = re.search(r'<div class="verdict ([\w-]+)">([^\n]*)', body)
    assert first[1] == "study"
    assert first[2] == sentence
    assert body.count('<div class="verdict') == 1
    assert "No arm is compared" not in page


def test_the_page_of_a_study_has_its_figures(several):
    kind, _, page = several
    assert set(re.findall(r'<figure id="digits-(\w+)">', page)) == FIGURES[kind]
    for image in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(image)


def test_a_scaled_form_is_marked_and_has_its_story(several):
    kind, results, page = several
    scaled = kind == "factorial"
    assert ("This is the scaled form of the study" in page) == scaled
    assert ("A narrow network on part of the &lt;digits&gt;." in page) == scaled
    assert ("This is the scaled form of the study." in "\n".join(lines(*results))) == scaled


def test_one_seed_is_stated_and_leaves_no_interval(single):
    _, results, page = single
    (study,) = results.studies
    assert "a study of one seed: differences are those of single runs, no interval can be given" in study.sentence
    assert study.sentence[1:] in page
    shown = re.sub(r"<svg.*?</svg>|<pre>.*?</pre>", "", page, flags=re.DOTALL)
    shown = shown[shown.index("<main>") : shown.index("How it was made")]
    text = "\n".join(lines(*results))
    for words in (shown, text):
        assert not re.search(r"\[-?[\d.]+, -?[\d.]+\]", words)
        assert "distinguishable" not in words
        assert "In brackets" not in words
    assert not {"survival", "strip", "ratios"} & set(re.findall(r'<figure id="digits-(\w+)">', page))
    values = as_values(*results)["studies"][0]["findings"]
    assert {(item["estimate"]["low"], item["estimate"]["high"], item["p"]) for item in values} == {(None, None, None)}


def test_files_contain_the_estimates(several):
    kind, results, _ = several
    (study,) = json.loads(json.dumps(as_values(*results), allow_nan=False))["studies"]
    assert (study["kind"], study["dataset"], study["seeds"]) == (kind, "digits", 3)
    rows = [row for row in csv.DictReader(io.StringIO(as_csv(*results))) if row["study"]]
    assert len(rows) == len(study["findings"]) > 5
    for row, item in zip(rows, study["findings"], strict=True):
        assert (row["item"], row["quantity"]) == (item["item"], item["quantity"])
        assert float(row["value"]) == item["estimate"]["value"]
        assert (row["low"] or None) == (None if item["estimate"]["low"] is None else str(item["estimate"]["low"]))


def test_the_terminal_shows_answer_and_tables(several):
    _, results, _ = several
    (study,) = results.studies
    text = lines(*results)
    assert " ".join(line.strip() for line in text).startswith(study.sentence[0].upper() + study.sentence[1:])
    for table in study.tables:
        assert f"{table.title}, digits" in text
        assert any(line.startswith(table.rows[-1][0]) for line in text)
    assert not any(line.startswith("data set ") for line in text)


@pytest.fixture
def without_figures(monkeypatch):
    """Render pages without figures, which is faster."""
    monkeypatch.setattr(html_report, "render_figures", lambda *_: [])


def test_a_plain_comparison_next_to_a_study_keeps_its_verdict(without_figures):
    records = budget_records(2)
    records += [record_of("random", seed, crossing=900 + 100 * (seed % 3), dataset="wine") for seed in range(6)]
    records += [record_of("smart", seed, crossing=400, dataset="wine") for seed in range(6)]
    results = compute_results(records)
    page = render_report(records, results=results)
    assert re.findall(r'<div class="verdict (\w+)">', page) == ["study", "faster"]
    assert "<h2>wine: accuracy" in page
    assert "<h2>digits</h2>" in page
    assert any(line.startswith("on wine") for line in lines(*results))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("effects", "factorial"),
        ("pareto", "batch_sizes"),
        ("budgets", "budgets"),
        ("horizon", "horizon"),
        ("snr", "varied"),
        ("course", "varied"),
    ],
)
def test_single_figures_of_studies(name, kind, tmp_path):
    from batchsel.cli.main import cli

    made = [varied(record) for record in factorial_records(1)] if kind == "varied" else MADE[kind](2)
    for record in made:
        files.append(tmp_path, record)
    cli.main(["plot", str(tmp_path), "--figure", name, "--out", str(tmp_path / "a.png")], standalone_mode=False)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 600


def test_the_command_writes_all_three_files(tmp_path, without_figures):
    from batchsel.cli.main import cli

    for record in factorial_records(2):
        files.append(tmp_path, record)
    words = ["report", str(tmp_path), "--csv", str(tmp_path / "r.csv"), "--json", str(tmp_path / "r.json")]
    cli.main(words, standalone_mode=False)
    sentence = json.loads((tmp_path / "r.json").read_text())["studies"][0]["sentence"]
    assert sentence[1:] in (tmp_path / "report.html").read_text("utf-8")
    assert "interaction on accuracy" in (tmp_path / "r.csv").read_text()


def failures_of(records, size):
    """Return the runs without those at a size of the scaled mode, and these as failures."""
    lost = [r for r in records if r["arm"]["levels"] == {"batch size": str(size), "mode": "scaled"}]
    failed = [
        {"schema": 2, "failed": "went astray", "spec": r["spec"], "digest": r["digest"], "arm": r["arm"]} for r in lost
    ]
    return [r for r in records if r not in lost], failed


def test_failures_reach_the_answer_from_every_command(tmp_path, without_figures, capsys):
    from batchsel.cli.main import cli
    from batchsel.cli.support.experiment_options import report_result
    from batchsel.experiments.compare.run_experiment import Result

    ended, failed = failures_of(sweep_records(MODES, 3, noise=0.1), 512)
    for record in ended + failed:
        files.append(tmp_path, record)
    cli.main(["report", str(tmp_path), "--json", str(tmp_path / "r.json")], standalone_mode=False)
    sentence = json.loads((tmp_path / "r.json").read_text())["studies"][0]["sentence"]
    assert sentence.endswith("base rate: 32, scaled: 128 (3 seeds: too few for an interval).")
    assert sentence[1:] in (tmp_path / "report.html").read_text("utf-8")
    assert sentence[1:] in render_report(ended, (), failed)
    capsys.readouterr()
    report_result(Result(ended, failed), tmp_path, as_json=True)
    assert json.loads(capsys.readouterr().out)["studies"][0]["sentence"] == sentence
    report_result(Result(ended, failed), tmp_path, as_json=True, analysis=SWEEP | {"points": 3.0})
    assert "within 3 points of that is base rate: 128, scaled: 128" in capsys.readouterr().out


def test_a_ring_marks_the_breaking_point_that_the_answer_names():
    ended, failed = failures_of(sweep_records(MODES, 3, noise=0.1), 512)
    arms = group_by_arm(ended)

    def rings(failures):
        axes = draw("batch_accuracy", arms, Palette(arms), failures).axes[0]
        return sorted(line.get_xdata()[0] for line in axes.lines if line.get_markersize() == 11)

    assert (rings(failed), rings(())) == ([32, 128], [32])


def test_seconds_of_shared_devices_are_shown_nowhere(without_figures):
    from batchsel.experiments.compare.sweep import describe_outcome

    records = [
        record_of(arm, seed, crossing=crossing, contended=True)
        for arm, crossing in (("random", 800), ("smart", 400))
        for seed in range(3)
    ]
    results = compute_results(records)
    assert {item.median_seconds for item in results.analysis.summaries} == {None}
    row = next(line for line in lines(*results) if line.startswith("digits") and " smart " in line)
    assert row.split()[2:4] == ["3/3", "-"]
    page = render_report(records, results=results)
    assert page.count("<td>–</td><td>–</td><td>–</td>") == 2
    assert "of the baseline's seconds" not in page
    assert "of the baseline's samples" in page
    json.dumps(as_values(*results), allow_nan=False)
    arms = group_by_arm(records)
    for name, panels in (("curves", 2), ("survival", 1), ("strip", 1)):
        assert len(draw(name, arms, Palette(arms)).axes) == panels
    assert draw("time", arms, Palette(arms)) is None
    assert describe_outcome(records[0]) == "reached after 800 samples"
    assert describe_outcome(record_of("random", 0, crossing=800)) == "reached after 0.8 s"


@pytest.mark.parametrize(("slower", "reported"), [(1.3, True), (1.0, False)])
def test_a_drifted_baseline_is_reported_with_the_times(slower, reported, without_figures):
    records = factorial_records(4)
    for record in records:
        levels = set(record["arm"]["levels"].values())
        record["arm"] |= {"role": "baseline" if levels == {"off"} else "arm"}
    base = next(record["arm"]["name"] for record in records if record["arm"]["role"] == "baseline")
    each = (1e-3 * slower * (1 + 0.01 * seed) for seed in range(4))
    records += [
        record_of("again", seed, crossing=800, role="control", against=base, seconds_each=one)
        | {"about": records[0]["about"]}
        for seed, one in enumerate(each)
    ]
    results = compute_results(records)
    (study,) = results.studies
    assert any("times and their ratios are not to be trusted" in note for note in study.notes) == reported
    control = f"control on digits: again against {base}"
    assert control in render_report(records, results=results)
    assert any(line.startswith(control) for line in lines(*results))


def test_the_page_states_when_the_test_part_was_measured(without_figures):
    again, once = (
        "the test part was measured once more, at the end of the budget",
        "measured once per run, at the crossing",
    )
    page = render_report(factorial_records(1))
    assert (again in page, once in page) == (True, False)
    page = render_report([record_of("random", 0), record_of("smart", 0)])
    assert (again in page, once in page) == (False, True)


def test_a_count_of_measurements_is_not_a_count_of_seeds():
    results = compute_results(sweep_records(MODES, 3, noise=0.1))
    rows = [row for row in csv.DictReader(io.StringIO(as_csv(*results))) if "noise scale" in row["quantity"]]
    assert [row["seeds"] for row in rows] == [""]


def test_unmeasured_quantities_are_not_drawn():
    arms = group_by_arm(factorial_records(1))
    palette = Palette(arms)
    drawn = {name for name, (_, draw) in STUDY_FIGURES.items() if draw(arms, palette) is not None}
    assert drawn == {"effects", "interaction"}
    assert ALL_FIGURES["course"][1](arms, palette) is None
    incomplete = group_by_arm(factorial_records(1)[:-1])
    assert not [name for name, (_, draw) in STUDY_FIGURES.items() if draw(incomplete, palette) is not None]


def test_rates_of_groups_have_a_panel_only_where_they_differ():
    one, *rest = factorial_records(1)
    same = varied(one, groups=("all",))
    arms = group_by_arm([varied(rest[0]), same])
    made = ALL_FIGURES["learning_rate"][1](arms, Palette(arms))
    titles = [ax.get_title("left") for ax in made.axes if ax.has_data()]
    assert titles == ["", rest[0]["arm"]["name"]]
    labels = [line.get_label() for line in made.axes[1].lines]
    assert labels == ["stem", "stage 1", "stage 2", "stage 3", "head"]


def test_each_part_of_a_study_has_its_panel():
    analysis = FACTORIAL | {"within": ["model"]}
    records = [
        run for model in ("a", "b", "c") for run in factorial_records(2, analysis=analysis, extra={"model": model})
    ]
    arms = group_by_arm(records)
    made = ALL_FIGURES["interaction"][1](arms, Palette(arms))
    assert [ax.get_title("left") for ax in made.axes if ax.has_data()] == [f"digits, model {m}" for m in "abc"]
    rows = ALL_FIGURES["effects"][1](arms, Palette(arms)).axes[0].get_yticklabels()
    assert [row.get_text() for row in rows][:4] == ["a: lerac", "a: blur", "a: lerac × blur", "b: lerac"]
