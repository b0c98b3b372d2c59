"""Report and figures: from records alone, in one file, as a browser shows it."""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from analysis_of_dicts import compute_results, render_report, schedule_lines
from made_up import record_of, some_records
from PIL import Image
from scipy import stats as scipy_stats

import batchsel
from batchsel.analysis.plots.figures import FIGURES, STUDY_FIGURES
from batchsel.analysis.plots.run import run_figure
from batchsel.errors import UserError
from batchsel.experiments.run import records as files
from batchsel.experiments.run.parse_record import parse_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    failures = [record_of("broken", 0) | {"failed": "out of luck & <memory>"}]
    path.write_text(render_report(some_records(), ["records.jsonl, line 3: damaged"], failures), "utf-8")
    return path


def test_the_page_contains_all_sections_and_figures(page):
    text = page.read_text("utf-8")
    for words in (
        "Does &lt;loss_ema&gt; help?", "batchsel compare --dataset digits", "Controls", "random again",
        "Kaplan-Meier", "at equal seconds and samples", "All data sets together", "learning_rate", "made up",
        "out of luck &amp; &lt;memory&gt;", "line 3: damaged", "never &lt;b&gt;", "parameters of the model",
    ):  # fmt: skip
        assert words in text, words
    for name in ("ratios", "curves", "survival", "strip", "time", "visits", "kept", "learning_rate", "images"):
        assert f'<figure id="digits-{name}">' in text
    assert '<figure id="spirals-plane">' in text
    assert '<figure id="spirals-images">' not in text
    assert "<b>" not in text


def test_every_figure_is_valid_and_labeled(page):
    text = page.read_text("utf-8")
    svgs = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(svgs) == 10 + 10 + 1
    identifiers: set[str] = set()
    for image in svgs:
        root = ElementTree.fromstring(image)
        assert root.get("role") == "img"
        assert len(root.get("aria-label")) > 15
        own = {element.get("id") for element in root.iter() if element.get("id")}
        assert not own & identifiers
        identifiers |= own
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', image)) <= own


def test_forty_arms_leave_room_for_the_curves():
    records = [record_of("random", seed, crossing=900) for seed in range(2)]
    records += [record_of(f"arm {place}", seed, crossing=500) for place in range(40) for seed in range(2)]
    page = render_report(records)  # matplotlib warns where a panel has no room
    assert page.count("arm 39 (n = 2)") == 3


def test_the_page_loads_nothing_from_elsewhere(page):
    text = page.read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)
    assert "<script" not in text


def test_the_same_records_make_the_same_page():
    assert render_report(some_records()) == render_report(some_records())


def test_a_report_needs_no_tensorflow(tmp_path):
    for record in some_records():
        files.append(tmp_path, record)
    code = (
        "import sys; from batchsel.cli.main import cli\n"
        f"cli.main(['report', {str(tmp_path)!r}, '--csv', {str(tmp_path / 'r.csv')!r}, '--json', {str(tmp_path / 'r.json')!r}],"
        " standalone_mode=False)\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "report.html").stat().st_size > 50_000
    assert (tmp_path / "r.csv").read_text().count("\n") == 1 + 4 + 6  # comparisons, arms
    assert {item["verdict"] for item in json.loads((tmp_path / "r.json").read_text())["comparisons"]} >= {"not reached"}


def test_a_single_run_makes_a_report_without_claims():
    text = render_report([record_of("loss_ema", 0, role="single", against="")])
    assert "No arm is compared with a baseline" in text


@pytest.mark.parametrize("ending", ["png", "svg"])
@pytest.mark.parametrize("name", sorted(FIGURES.keys() - STUDY_FIGURES.keys() - {"course"}))
def test_single_figures(name, ending, tmp_path):
    for record in some_records():
        files.append(tmp_path, record)
    dataset = "spirals" if name == "plane" else "digits"
    words = ["plot", str(tmp_path), "--dataset", dataset, "--figure", name, "--out", str(tmp_path / f"a.{ending}")]
    from batchsel.cli.main import cli

    cli.main(words, standalone_mode=False)
    if ending == "png":
        with Image.open(tmp_path / "a.png") as image:
            assert image.width > 600
    else:
        ElementTree.parse(tmp_path / "a.svg")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--figure", "curve"], "Did you mean 'curves'"),
        (["--dataset", "digit"], "Did you mean 'digits'"),
        ([], "Choose one with --dataset"),
        (["--dataset", "digits", "--arm", "los_ema"], "Did you mean 'loss_ema'"),
        (["--dataset", "digits", "--out", "a.gif"], "--out writes .png or .svg"),
        (["--dataset", "digits", "--figure", "course"], "as 'course'. The figures that they allow: ratios, curves, "),
    ],
)
def test_plot_reports_errors(words, message, tmp_path):
    from batchsel.cli.main import cli
    from batchsel.errors import UserError

    for record in some_records():
        files.append(tmp_path, record)
    with pytest.raises(UserError, match=message):
        cli.main(["plot", str(tmp_path), *words], standalone_mode=False)


def browse(*words):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done


@needs_chromium
@pytest.mark.slow
def test_a_browser_shows_the_page_without_errors_and_network(page, tmp_path):
    log = tmp_path / "net.json"
    done = browse(
        "--enable-logging=stderr", "--v=0", f"--log-net-log={log}", "--window-size=1100,9000",
        f"--screenshot={tmp_path / 'page.png'}", page.as_uri(),
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    # The browser asks for updates of its own; what the page asked for has the page as its initiator.
    asked = re.findall(r'"initiator":"file[^"]*","[^}]*"url":"(http[^"]*)"', log.read_text("utf-8", "replace"))
    assert asked == []
    with Image.open(tmp_path / "page.png") as image:
        pixels = np.asarray(image.convert("L"), float)
    rows = pixels.std(axis=1) > 1
    assert rows.mean() > 0.5  # most of the page has content


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1100])
def test_the_page_fits_the_width_of_a_phone(page, width, tmp_path):
    frame = tmp_path / "frame.html"
    frame.write_text(
        f"<iframe id=f src='{page.as_uri()}' width={width} height=800 frameborder=0></iframe><script>"
        "onload = () => { const d = document.getElementById('f').contentDocument.documentElement;"
        "document.title = 'wide ' + d.scrollWidth; }</script>"
    )
    done = browse("--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom", frame.as_uri())
    assert int(re.search(r"<title>wide (\d+)</title>", done.stdout)[1]) <= width


def test_details_of_a_run_match_its_data(tmp_path):
    from batchsel.experiments.run.record_parts import PackedArray
    from batchsel.experiments.run.runner import RunContext, run
    from batchsel.experiments.spec.run_spec import RunSpec

    spec = RunSpec(
        "spirals", "mlp", "loss_ema", 32, "adam", 0.01, "linear", "4 passes", "accuracy>=0.99", evaluations=8
    )
    record = run(spec, RunContext(Path(tmp_path), checkpoints=False))
    plane = record["plane"]
    visits = sum(PackedArray(**stage["visits"]).unpack().astype(int) for stage in plane["stages"])
    assert len(plane["stages"]) == 4
    assert visits.sum() == record["counts"]["samples"]
    assert np.bincount(visits).tolist() == record["visits"]
    assert PackedArray(**plane["points"]).unpack().shape == (record["sizes"]["train"], 2)
    assert set(np.unique(PackedArray(**plane["stages"][-1]["classes"]).unpack())) == {0, 1}
    assert files.problem(record) is None


def test_schedules_come_from_the_log_else_from_evaluations():
    record = record_of("random", 0)
    assert schedule_lines(record) == {"learning rate": ([100, 200], [0.01, 0.005])}
    record["course"] = {"names": ["learning_rate", "height"], "samples": [0, 5], "values": [[0.1, 16], [0.2, 32]]}
    assert schedule_lines(record) == {"learning rate": ([0, 5], (0.1, 0.2)), "height": ([0, 5], (16, 32))}


@pytest.mark.parametrize("crossing", [400, None])
def test_the_figure_of_a_run_is_written(crossing, tmp_path):
    run_figure(parse_run(record_of("random", 0, crossing=crossing))).savefig(tmp_path / "run.svg")
    text = (tmp_path / "run.svg").read_text("utf-8")
    ElementTree.fromstring(text)
    assert text.startswith("<?xml")


def test_a_report_of_thousands_of_seeds_is_made():
    generator = np.random.default_rng(0)
    records = [
        record_of(arm, seed, crossing=int(crossing) * 100, points=15)
        for arm, factor in (("random", 1.0), ("smart", 0.8))
        for seed, crossing in enumerate(np.ceil(8 * factor * np.exp(generator.normal(0, 0.1, 1100))))
    ]
    assert "smart is faster" in render_report(records)


def test_final_metrics_are_means_over_seeds_on_each_part():
    records = [record_of(arm, seed) for arm in ("random", "smart") for seed in range(4)]
    for seed, record in enumerate(records):
        record["evaluations"][-1]["loss"] = 0.5 + 0.1 * seed
        record["history"] = {"loss": [1.0] * 19 + [0.2 * seed], "accuracy": [0.5] * 20, "val_loss": [1.0] * 20}
        record["end"] = {"test": {"loss": 0.3, "accuracy": 0.9 + 0.01 * (seed % 4)}}
    rows = compute_results(records).finals
    assert [(row.arm, row.runs) for row in rows] == [("random", 4), ("smart", 4)]
    assert list(rows[0].values) == [
        "training accuracy", "validation accuracy", "test accuracy", "training loss", "validation loss", "test loss",
    ]  # fmt: skip
    values = np.array([0.9, 0.5, 0.915, 0.2 * 5.5, 0.5 + 0.1 * 5.5, 0.3])
    found = [item.value for item in rows[1].values.values()]
    assert found[2:] == pytest.approx(values[2:].tolist())
    half = scipy_stats.t.ppf(0.975, 3) * np.std([0.9, 0.91, 0.92, 0.93], ddof=1) / 2
    assert rows[1].values["test accuracy"].high == pytest.approx(0.915 + half)
    page = render_report(records)
    assert "At the end of training" in page
    del records[0]["end"]
    assert "test at the crossing accuracy" in compute_results(records).finals[0].values


def test_a_line_for_each_evaluation_holds_training_and_validation_side_by_side(tmp_path):
    record = record_of("random", 3, points=5)
    record["history"] = {"loss": [2.0, 1.5, 1.0, 0.9, 0.8], "learning_rate": [0.1] * 5, "val_loss": [9.0] * 5}
    (tmp_path / "records.jsonl").write_text(json.dumps(record) + "\n")
    found = batchsel.records(tmp_path)
    assert len(found) == 5
    line = found.iloc[2]
    assert (line["arm"], line["seed"], line["epoch"], line["training_loss"]) == ("random", 3, 0.3, 1.0)
    assert line["validation_loss"] == record["evaluations"][2]["loss"]
    assert line["gap_loss"] == pytest.approx(record["evaluations"][2]["loss"] - 1.0)
    assert line["learning_rate"] == 0.1
    (run,) = batchsel.records(tmp_path, per="run").to_dict("records")
    assert (run["samples_to_target"], run["optimizer"]) == (400, "adam")
    with pytest.raises(UserError, match="per must be"):
        batchsel.records(tmp_path, per="epoch")


def test_of_a_run_that_was_recorded_twice_the_table_has_the_record_that_reports_take(tmp_path):
    early, late = record_of("random", 3, points=5), record_of("random", 3, points=5, seconds_each=2e-3)
    early["started"] = "2026-11-20T12:00:00+00:00"
    other = record_of("random", 4, points=5)
    lines = [json.dumps(record) for record in (late, early, early, other)]
    (tmp_path / "records.jsonl").write_text("\n".join([*lines, "{damaged"]) + "\n")
    with pytest.warns(UserWarning, match="left out|several times") as caught:
        found = batchsel.records(tmp_path, per="run")
    assert found["training_seconds"].tolist() == [0.5, 0.5]
    assert found["seed"].tolist() == [3, 4]
    words = sorted(str(warning.message) for warning in caught)
    assert "line 5: damaged or half written; it is left out" in words[0]
    assert "digits, random: recorded several times with different outcomes for seed 3" in words[1]
    with pytest.warns(UserWarning, match="left out|several times"):
        assert len(batchsel.records(tmp_path)) == 10
